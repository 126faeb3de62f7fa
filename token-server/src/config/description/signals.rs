//! Signals of identity providers: the settings, and the table `[[signals]]` for one of them.

use service::description::{Default, Group, Kind, Setting, Table};

use super::super::signals::*;
use super::{PATH, PLACE};

pub(super) fn settings() -> Group {
    let settings = vec![
        Setting::new(LISTEN, PLACE, "127.0.0.1:4003", "Where identity providers tell of logouts and the like ([more](REVOCATION.md#signals-of-identity-providers)). It speaks TLS where the other listeners do")
            .or(Default::unset("none of this exists"))
            .restart(),
        Setting::new(MAX_AGE, Kind::Number { unit: "seconds", least: *MAX_AGES.start(), most: *MAX_AGES.end() }, "120", "The oldest `iat` of a logout token that is accepted").or("300"),
        Setting::new(HOLD, Kind::Number { unit: "seconds", least: *HOLDS.start(), most: *HOLDS.end() }, "3600", "How long rules made of signals live: as long as the longest access token. `max_lifetime` of an issuer counts instead, with its leeway").or("86400"),
        Setting::new(RATE, Kind::Number { unit: "messages", least: (*RATES.start()).into(), most: (*RATES.end()).into() }, "200", "Messages of each sender in a second; more are answered 429").or("50"),
        Setting::new(EMAIL, Kind::Switch, "true", "`true`: a subject that is told by its e-mail address is a rule on the claims `email`, letter for letter, and `email_verified` in the group of everybody").or("false"),
        Setting::new(CLIENTS_FILE, PATH, "/etc/token-server/clients", "A file with `client_id:sha256(secret)` on each line, the hash in hex (`printf %s SECRET | sha256sum`): the clients that may revoke their tokens at `/revoke`, by `client_secret_basic` or `client_secret_post`. Read again when it changes")
            .or(Default::unset("the token is the proof"))
            .restart(),
        Setting::new(SENDERS_FILE, PATH, "/etc/token-server/revocation-tokens", "A file with `token issuer` on each line: the bearer tokens of senders that may end all tokens of a user at `/global-token-revocation`, each of one issuer's users. A token alone may name users of every trusted issuer. Read again when it changes")
            .or(Default::unset("only what issuers of `[[signals]]` have signed for this"))
            .restart(),
    ];
    Group { title: "signals of identity providers", settings }
}

pub(super) fn table() -> Table {
    Table {
        name: "signals",
        meaning: "An issuer that may tell of its own tokens. Its messages are verified by the keys of its `[[issuers]]` table"
            .into(),
        fields: vec![
            Setting::new("issuer", Kind::Text("text"), "https://id.example.com", "The issuer, as its `[[issuers]]` table or `TOKEN_SERVER__VERIFY__ISSUERS` names it")
                .without_secrets()
                .or(Default::Required),
            Setting::new("audiences", Kind::List("texts"), "shop-web", "The accepted `aud` of its messages: the client IDs that you have at the provider. Messages for its other clients are refused")
                .or(Default::Required),
            Setting::new("logout", Kind::Switch, "false", "Whether its logout tokens (OpenID Connect Back-Channel Logout) are accepted").or("true"),
            Setting::new("scope", Kind::Word(&["subject", "session"]), "session", "What a logout that names a subject and a session ends. `subject`: all tokens of the subject that were issued until then. `session`: those with this `sid`; many providers put none into access tokens, and then nothing is revoked").or("subject"),
            Setting::new("subject_claim", Kind::Text("name"), "username", "The claim of its messages that names the subject of its access tokens").or("sub"),
            Setting::new("mode", Kind::Word(&["enforce", "shadow"]), "shadow", "`shadow`: its rules are counted and refuse no token").or("enforce"),
        ],
    }
}

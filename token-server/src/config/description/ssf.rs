//! The table `[[ssf]]`: a stream of shared signals.

use service::description::{Default, Kind, Setting, Table};

use super::super::ssf::{HEARTBEATS, INTERVALS, LEEWAYS};
use super::PATH;

const SECONDS: fn(u64, u64) -> Kind = |least, most| Kind::Number { unit: "seconds", least, most };

pub(super) fn table() -> Table {
    Table {
        name: "ssf",
        meaning: "A stream of shared signals (OpenID SSF 1.0, CAEP 1.0, RISC 1.0). Its tokens are verified by its own keys, which verify no access token; what it tells ends access tokens of `subject_issuer` alone"
            .into(),
        fields: [tokens(), keys(), polling()].concat(),
    }
}

fn tokens() -> Vec<Setting> {
    vec![
        Setting::new("name", Kind::Text("name"), "okta", "Letters, digits, `-` and `_`: the sender pushes to `/ssf/` and this name")
            .or(Default::Required),
        Setting::new("issuer", Kind::Text("text"), "https://idp.example.com", "The transmitter: `iss` of the stream's tokens, letter for letter")
            .without_secrets()
            .or(Default::Required),
        Setting::new("audiences", Kind::List("texts"), "https://edge.example.com", "The accepted `aud`, as the stream was set up at the sender")
            .or(Default::Required),
        Setting::new("authorization_file", PATH, "/etc/token-server/okta.push", "The whole value of `Authorization` in pushes, such as `Bearer` and a token, as the sender was given it when the stream was set up. Read again when it changes. Required unless `poll_url` is set")
            .or(Default::unset("no push is accepted")),
        Setting::new("stream_id", Kind::Text("text"), "f67e39a0a4d34d56b3aa1bc4cff0069f", "The stream's name at the transmitter, which events of the stream itself must name")
            .or(Default::unset("what the transmitter says when `token-server signals verify` asks; any is accepted before")),
        Setting::new("subject_issuer", Kind::Text("text"), "https://id.example.com", "Whose access tokens its subjects have: an issuer of `[[issuers]]`, letter for letter. What the stream says of others revokes nothing")
            .without_secrets()
            .or(Default::As("issuer")),
        Setting::new("tenant_claim", Kind::Text("name"), "tid", "The claim of access tokens that a subject's `tenant` is compared with. Without it such subjects revoke nothing; a rule in shadow mode shows what they would")
            .or(Default::unset("tenants are not known")),
        Setting::new("profile", Kind::Word(&["ssf", "draft"]), "draft", "Which form its tokens have. `draft`, for senders of older drafts such as Google: `typ` may be `JWT` or absent, `sub` is allowed and not read, and the subject may stand inside of the event, with `subject_type`")
            .or("ssf"),
        Setting::new("events", Kind::Map("actions"), r#"{ credential-change = "shadow" }"#, "What events do, by the last part of their type, where that is not the usual: `revoke` ends all tokens of the subject that were issued until then, `session` those of its session alone, `shadow` writes a rule that refuses nothing, `ignore` counts")
            .or(Default::unset("[as listed](REVOCATION.md#shared-signals)")),
        Setting::new("leeway", SECONDS(*LEEWAYS.start(), *LEEWAYS.end()), "60", "How far `iat` of its tokens may lie ahead of this machine's clock").or("30"),
        Setting::new("heartbeat", SECONDS(*HEARTBEATS.start(), *HEARTBEATS.end()), "3600", "The longest time in which something of a pushed stream comes, such as [verification events](SIGNALS.md#a-heartbeat). The alert `TokenServerStreamSilent` fires after twice that")
            .or(Default::unset("it may be silent")),
    ]
}

fn keys() -> Vec<Setting> {
    let path = |name, example, meaning: &'static str| Setting::new(name, PATH, example, meaning);
    vec![
        Setting::new("jwks_url", Kind::List("URLs"), "https://idp.example.com/jwks", "Where the stream's keys are fetched").or(Default::unset("by discovery")),
        path("keys_file", "/etc/token-server/okta.jwks", "A file with the stream's keys"),
        Setting::new("discovery", Kind::Switch, "true", "Whether the transmitter's document is read, at `/.well-known/ssf-configuration` before the path of `issuer`. It must call itself by `issuer`").or(Default::unset("`true` without `jwks_url` and `keys_file`")),
        Setting::new("discovery_url", Kind::Text("URL"), "https://idp.example.com/.well-known/risc-configuration", "Where this document is, if elsewhere"),
        path("ca_file", "/etc/token-server/idp-ca.pem", "Certificates that vouch for the stream's URLs, beside the system's, PEM"),
        path("fetch_token_file", "/etc/token-server/idp.token", "A bearer token for the stream's key and discovery URLs"),
        path("fetch_basic_file", "/etc/token-server/idp.basic", "`user:password` for them"),
        Setting::new("fetch_headers", Kind::List("headers"), "X-Tenant: 7", "Headers for them").secret(),
        path("fetch_headers_file", "/etc/token-server/idp.headers", "The same from a file, one a line"),
        path("fetch_cert_file", "/etc/token-server/client.pem", "A client certificate for them, PEM"),
        path("fetch_key_file", "/etc/token-server/client.key", "Its key, PEM"),
        Setting::new("fetch_origins", Kind::List("origins"), "https://keys.example.com", "Further origins that may see all of this"),
        Setting::new("fetch_proxy", Kind::Text("URL or none"), "http://proxy.example.com:3128", "The forward proxy for them").secret().or(Default::unset("as `HTTPS_PROXY` and the like say")),
    ]
}

fn polling() -> Vec<Setting> {
    vec![
        Setting::new(
            "poll_url",
            Kind::Text("URL"),
            "https://idp.example.com/ssf/poll",
            "Where the stream's tokens are fetched (RFC 8936), for streams that are not pushed",
        )
        .or(Default::unset("tokens are pushed")),
        Setting::new(
            "poll_interval",
            SECONDS(*INTERVALS.start(), *INTERVALS.end()),
            "30",
            "Time between two questions",
        )
        .or("10"),
        Setting::new(
            "poll_token_file",
            PATH,
            "/etc/token-server/okta.poll",
            "A bearer token for polls, and for verification events, also of streams that are pushed",
        ),
        Setting::new(
            "poll_token_url",
            Kind::Text("URL"),
            "https://idp.example.com/token",
            "An authorization server that gives such a token for client credentials",
        ),
        Setting::new("poll_client_id", Kind::Text("text"), "edge", "The client's ID there"),
        Setting::new(
            "poll_client_secret_file",
            PATH,
            "/etc/token-server/okta.secret",
            "The client's secret there",
        ),
        Setting::new("poll_scope", Kind::Text("scopes"), "ssf.read", "The scopes that are asked for")
            .or(Default::unset("those that the server gives by itself")),
    ]
}

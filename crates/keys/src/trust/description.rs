//! What the settings of trust are, for both programs: the flat ones, and the tables `[[issuers]]` and `[[policies]]`.

use jose::{Algorithm, Binding, Opaque};
use service::description::{Default, Group, Kind, Setting};

use super::key_sources::MAX_SYNC_INTERVAL_SECONDS;
use super::trust_names::TrustNames;
use super::values::MAX_LEEWAY;

mod challenges;
mod fetching;
mod tables;

pub use challenges::challenges;
pub use tables::tables;

/// The algorithms that keys may be used with, in words.
const ALGORITHMS: &str =
    "HS, RS, PS, ES 256 384 512, EdDSA (also as `Ed25519`), ML-DSA-44, -65, -87 (RFC 9964)";
/// Whose settings they are where a leeway is told to token-servers.
const TOLD: &str = "restart where token-servers are asked";

/// Whom to trust, and for what.
pub fn whom(names: &TrustNames) -> Group {
    let settings = vec![
        Setting::new(
            names.issuers,
            Kind::List("texts"),
            "https://id.example.com",
            "The accepted `iss`; set: the claim is required. One only, since all keys are shared; for more write `[[issuers]]` tables",
        )
        .without_secrets()
        .or(Default::As(names.oidc_issuers)),
        Setting::new(
            names.audiences,
            Kind::List("texts"),
            "my-api",
            "The accepted `aud`; set: the claim is required. Where it is not set a token for any other application is accepted, which is a warning at the start",
        ),
        Setting::new(
            names.required,
            Kind::List("claims or paths"),
            "email,realm_access.roles",
            "Claims that must be there and not `null`. Not for issuers whose table has `required`",
        ),
        Setting::new(
            names.algorithms,
            Kind::List("signature algorithms"),
            "RS256,ES256",
            format!("Accepted algorithms: {ALGORITHMS}. An algorithm is always bound to the key's type as well"),
        )
        .or(Default::Derived { told: "all", of: |_| Some(every_algorithm()) }),
        Setting::new(
            names.leeway,
            Kind::Number { unit: "seconds", least: 0, most: MAX_LEEWAY },
            "60",
            "Clock skew that is granted, for `exp`, `nbf` and `iat`",
        )
        .or(Default::unset("30 for `nbf` and `iat`, since a clock ahead of ours is no attack, and 0 for `exp`")),
        Setting::new(
            names.binding,
            Kind::Word(Binding::WORDS),
            "mtls",
            "Tokens that are bound to a key or a certificate of their client (`cnf`). `if-bound`: those that are must be proved, others pass. `dpop`, `mtls`, `any`: each must be bound to a key, to a certificate, or to one of both, and proved. `ignore`: a bound one is accepted like any other, also from a client that stole it ([more](BINDING.md))",
        )
        .or("if-bound"),
        Setting::new(
            names.opaque,
            Kind::Word(Opaque::WORDS),
            "introspect",
            "Tokens that are no JWT, such as API keys. `refuse`: `malformed`. `introspect`: a token-server is asked what they are worth ([more](API_KEYS.md))",
        )
        .or("refuse"),
    ];
    Group { title: "whom to trust", settings }
}

/// The same where token-servers are told the most leeway, which only a restart can change then.
pub fn whom_told(names: &TrustNames) -> Group {
    let mut group = whom(names);
    for setting in &mut group.settings {
        if setting.name == names.leeway {
            *setting = setting.clone().restart_if(TOLD);
        }
    }
    group
}

/// Where keys come from.
pub fn keys(names: &TrustNames) -> Group {
    let settings = vec![
        Setting::new(
            names.oidc_issuers,
            Kind::List("URLs"),
            "https://id.example.com",
            format!("An OpenID issuer, whose discovery document names the URL of its keys; it is also the accepted `iss`, unless `{}` is set", names.issuers),
        )
        .without_secrets(),
        Setting::new(
            names.fetch.keys_url,
            Kind::List("URLs"),
            "https://id.example.com/jwks.json",
            "URLs of keys, http or https. Files and URLs add up",
        )
        .without_secrets(),
        Setting::new(
            names.file,
            Kind::Text("path"),
            "/etc/haproxy/jwks.json",
            "A file of keys: JWKS (RFC 7517), PEM, or the [legacy list](KEYS.md#what-is-read-all-the-same). It is read again when it changes",
        ),
        Setting::new(
            names.sync_interval,
            Kind::Number { unit: "seconds", least: 1, most: MAX_SYNC_INTERVAL_SECONDS },
            "600",
            "Time between two loads of the keys. A token with an unknown key asks for an early one by itself",
        )
        .or("300"),
        Setting::new(
            names.allow_short_secrets,
            Kind::Switch,
            "true",
            "Accept HMAC secrets that are shorter than the hash; empty ones never",
        )
        .or("false"),
        Setting::new(
            names.allow_mixed_keys,
            Kind::Switch,
            "true",
            "Accept secrets from a URL that publishes public keys too",
        )
        .or("false"),
    ];
    Group { title: "where keys come from", settings }
}

/// How keys are fetched.
pub fn fetching(names: &TrustNames) -> Group {
    Group { title: "how keys are fetched", settings: fetching::fetch(&names.fetch) }
}

fn every_algorithm() -> String {
    Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect::<Vec<_>>().join(",")
}

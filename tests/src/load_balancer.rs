//! The tokens that an AWS load balancer writes into a header, and the table of an issuer that is one.

use std::collections::BTreeMap;

use serde_json::json;

use crate::key_server::Answer;
use crate::keys::SigningKey;
use crate::token::{forge_signature, now, sign_padded, sign_raw};

/// The header that has them.
pub const HEADER: &str = "x-amzn-oidc-data";

/// The load balancer that is trusted.
pub const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/shop/50dc6c495c0c9188";

/// Another one, of the same region and another account.
pub const STRANGER: &str = "arn:aws:elasticloadbalancing:eu-west-1:2:loadbalancer/app/shop/50dc6c495c0c9188";

/// The names of two keys, and of none.
pub const OLD: &str = "2e8b4b1c-7f55-4d0e-9c9d-0f6a4a3d1b27";
pub const NEW: &str = "7a8b4b1c-7f55-4d0e-9c9d-0f6a4a3d1b27";
pub const ABSENT: &str = "00000000-7f55-4d0e-9c9d-0f6a4a3d1b27";

/// An `[[issuers]]` table for that load balancer, whose keys are below `place`.
pub fn table(place: &str) -> String {
    format!(
        "[[issuers]]\nissuer = \"https://id.example\"\nkeys_url = \"{place}/{{kid}}\"\nalb_signers = [\"{ARN}\"]\n"
    )
}

/// What is below `place`: a PEM file for each key, by its `kid`.
pub fn pages(keys: &[&SigningKey]) -> Answer {
    Answer::Pages(keys.iter().map(|key| (format!("/{}", key.kid), key.pem())).collect::<BTreeMap<_, _>>())
}

/// The header of its tokens, as JSON.
pub fn header(kid: &str, signer: &str) -> String {
    json!({"typ": "JWT", "kid": kid, "alg": "ES256", "iss": "https://id.example", "client": "c", "signer": signer})
        .to_string()
}

/// The claims of its tokens, as JSON.
pub fn payload() -> String {
    json!({"sub": "alice", "email": "alice@a.example", "iss": "https://id.example", "exp": now() + 120})
        .to_string()
}

/// A token that `key` has signed, by its word as the key `kid` of the load balancer `signer`.
pub fn token(key: &SigningKey, kid: &str, signer: &str) -> String {
    sign_padded(key, &header(kid, signer), &payload())
}

/// Tokens that are refused wherever the keys `old` and `new` are known by these names, each with why.
pub fn refused(old: &SigningKey, new: &SigningKey) -> Vec<(&'static str, String, &'static str)> {
    let good = token(old, OLD, ARN);
    let own = json!({"alg": "ES256"}).to_string();
    vec![
        ("another load balancer", token(old, OLD, STRANGER), "issuer"),
        ("forged", forge_signature(&good), "signature"),
        ("the key of another kid", token(new, OLD, ARN), "signature"),
        ("a kid without a key", token(old, ABSENT, ARN), "unknown_key"),
        ("a path", token(old, &format!("../{OLD}"), ARN), "unknown_key"),
        ("no padding", sign_raw(old, &header(OLD, ARN), &payload()), "malformed"),
        ("padding taken away", good.trim_end_matches('=').to_owned(), "malformed"),
        ("more padding", format!("{good}="), "malformed"),
        ("the provider's own token", sign_raw(old, &own, &payload()), "malformed"),
    ]
}

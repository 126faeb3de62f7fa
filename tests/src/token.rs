//! Tokens, good and bad.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};

use crate::keys::SigningKey;

/// Seconds since the epoch, now.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The claims of a good token, on top of which a test puts its own; `null` takes one away.
pub fn claims(changes: Value) -> Value {
    let mut claims = json!({"sub": "alice", "iat": now(), "exp": now() + 600});
    if let (Some(claims), Value::Object(changes)) = (claims.as_object_mut(), changes) {
        for (name, value) in changes {
            if value.is_null() {
                claims.remove(&name);
            } else {
                claims.insert(name, value);
            }
        }
    }
    claims
}

/// A compact JWS (RFC 7515 section 7.1) of any header and payload, signed.
pub fn sign_raw(key: &SigningKey, header: &str, payload: &str) -> String {
    let message = signing_input(header, payload);
    let signature = key.sign(message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// A token with the usual header.
pub fn sign(key: &SigningKey, claims: &Value) -> String {
    sign_raw(
        key,
        &json!({"alg": key.algorithm, "kid": key.kid, "typ": "JWT"}).to_string(),
        &claims.to_string(),
    )
}

/// A good token, changed by `changes` (see [`claims`]).
pub fn token(key: &SigningKey, changes: Value) -> String {
    sign(key, &claims(changes))
}

/// What a JWS signs.
pub fn signing_input(header: &str, payload: &str) -> String {
    format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(payload))
}

/// The same token with other claims under the old signature.
pub fn forge_payload(token: &str, claims: &Value) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    let payload = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    parts[1] = &payload;
    parts.join(".")
}

/// The same token with one bit of its signature turned.
///
/// # Panics
///
/// It is not a signed token.
pub fn forge_signature(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    signature[7] ^= 1;
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// An unsigned token (RFC 7519 section 6) with `alg` in the given spelling.
pub fn unsigned(alg: &str, claims: &Value) -> String {
    format!("{}.", signing_input(&json!({ "alg": alg }).to_string(), &claims.to_string()))
}

/// An HS256 token under any bytes, such as a public key that everybody has.
pub fn hs256_under(secret: &[u8], kid: &str, claims: &Value) -> String {
    let message = signing_input(&json!({"alg": "HS256", "kid": kid}).to_string(), &claims.to_string());
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

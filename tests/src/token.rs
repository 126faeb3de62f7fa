//! Tokens, good and bad.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::cipher::{AES_256, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use base64::prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};

use crate::keys::SigningKey;
use crate::scan::noted;

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
    noted(format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

/// The same, padded, as AWS load balancers write it.
pub fn sign_padded(key: &SigningKey, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", BASE64_URL_SAFE.encode(header), BASE64_URL_SAFE.encode(payload));
    let signature = key.sign(message.as_bytes());
    noted(format!("{message}.{}", BASE64_URL_SAFE.encode(signature)))
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
    noted(parts.join("."))
}

/// The same token with one bit of its signature turned.
///
/// # Panics
///
/// It is not a signed token.
pub fn forge_signature(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let bare = signature.trim_end_matches('=');
    let padding = &signature[bare.len()..];
    let mut signature = BASE64_URL_SAFE_NO_PAD.decode(bare).unwrap();
    signature[7] ^= 1;
    noted(format!("{message}.{}{padding}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

/// An unsigned token (RFC 7519 section 6) with `alg` in the given spelling.
pub fn unsigned(alg: &str, claims: &Value) -> String {
    noted(format!("{}.", signing_input(&json!({ "alg": alg }).to_string(), &claims.to_string())))
}

/// An HS256 token under any bytes, such as a public key, which is no secret.
pub fn hs256_under(secret: &[u8], kid: &str, claims: &Value) -> String {
    let message = signing_input(&json!({"alg": "HS256", "kid": kid}).to_string(), &claims.to_string());
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    noted(format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

/// A JWE (RFC 7516 section 7.1) of these claims: `dir` with `A256CBC-HS512` (RFC 7518 section 5.2.5), as ms-users makes it.
///
/// # Panics
///
/// The cryptography fails.
pub fn encrypted(key: &[u8; 64], kid: &str, claims: &str) -> String {
    encrypted_as(key, &json!({"alg": "dir", "enc": "A256CBC-HS512", "kid": kid}), claims)
}

/// The same with this header.
///
/// # Panics
///
/// The cryptography fails.
pub fn encrypted_as(key: &[u8; 64], header: &Value, claims: &str) -> String {
    let header = header.to_string();
    let aad = BASE64_URL_SAFE_NO_PAD.encode(header);
    let (mac_key, enc_key) = key.split_at(32);
    let cipher =
        PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, enc_key).unwrap()).unwrap();
    let mut text = claims.as_bytes().to_vec();
    let context = cipher.encrypt(&mut text).unwrap();
    let iv: &[u8] = (&context).try_into().unwrap();
    let length = u64::try_from(aad.len() * 8).unwrap().to_be_bytes();
    let message = [aad.as_bytes(), iv, &text, &length].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, mac_key), &message);
    let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    noted(format!("{aad}..{}.{}.{}", part(iv), part(&text), part(&tag.as_ref()[..32])))
}

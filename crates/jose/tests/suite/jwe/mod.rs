//! Encrypted tokens, made here, by others and by attackers.

mod attacks;
mod encrypter;
mod keys;
mod properties;
mod round_trips;
mod vectors;

use std::sync::LazyLock;

use jose::DecryptionKeys;
use serde_json::{Value, json};

pub const CLAIMS: &str = r#"{"sub":"alice","n":12345678901234567890}"#;

/// The form of a signed token; its signature is not looked at here.
pub const SIGNED: &str = "eyJhbGciOiJIUzI1NiJ9.e30.AAAA";

/// Keys of every type and size and tokens of other libraries.
pub static INTEROP: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../data/jwe.json")).unwrap());

pub static ALL_KEYS: LazyLock<DecryptionKeys> = LazyLock::new(|| parse(&json!({"keys": INTEROP["keys"]})));

/// The private or secret JWK of that `kid`.
pub fn jwk(kid: &str) -> Value {
    INTEROP["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap().clone()
}

/// The JWK with further members.
pub fn jwk_with(kid: &str, members: Value) -> Value {
    let mut jwk = jwk(kid);
    jwk.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    jwk
}

pub fn parse(source: &Value) -> DecryptionKeys {
    let keys = DecryptionKeys::parse(source.to_string().as_bytes()).unwrap();
    assert_eq!(keys.skipped(), []);
    keys
}

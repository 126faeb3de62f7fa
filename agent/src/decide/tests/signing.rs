//! Tokens, and the keys that sign them: a key is told by one byte.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use jose::{KeyOrigin, KeyRules, KeySet, Profile, Thumbprint};

/// The key that signs, and another one of the same name.
pub const KEY: u8 = 1;
pub const OTHER_KEY: u8 = 2;

fn pair(key: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[key; 32]).unwrap()
}

/// What the key is published as.
pub fn document(key: u8) -> String {
    let x = base64url(pair(key).public_key().as_ref());
    format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}]}}"#)
}

/// The set of this key alone.
pub fn keys(key: u8) -> KeySet {
    let rules = KeyRules {
        origin: KeyOrigin::File,
        profile: Profile::Standard,
        allow_short_secrets: false,
        allow_mixed_keys: false,
    };
    KeySet::parse(document(key).as_bytes(), &rules).unwrap()
}

/// A token of these claims, which this key has signed.
pub fn token(key: u8, payload: &str) -> String {
    token_of("k", key, payload)
}

/// One that names its key so.
pub fn token_of(kid: &str, key: u8, payload: &str) -> String {
    signed(&format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#), payload, key)
}

/// What a client's key is called in its tokens (`jkt`, RFC 7638).
pub fn thumbprint(key: u8) -> String {
    let x = base64url(pair(key).public_key().as_ref());
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    base64url(Thumbprint::of(members.as_bytes()).as_bytes())
}

/// A proof of these claims by this key.
pub fn proof(key: u8, payload: &str) -> String {
    let x = base64url(pair(key).public_key().as_ref());
    let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
    signed(&format!(r#"{{"typ":"dpop+jwt","alg":"EdDSA","jwk":{jwk}}}"#), payload, key)
}

fn signed(header: &str, payload: &str, key: u8) -> String {
    let input = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    let signature = base64url(pair(key).sign(input.as_bytes()).as_ref());
    format!("{input}.{signature}")
}

/// RFC 4648 section 5, without padding.
pub fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, index| bits << 8 | usize::from(*chunk.get(index).unwrap_or(&0)));
        for index in 0..=chunk.len() {
            text.push(LETTERS[bits >> (18 - 6 * index) & 63].into());
        }
    }
    text
}

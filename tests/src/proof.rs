//! Clients that hold a key, and prove it for each request (DPoP, RFC 9449). Written apart from what reads the proofs.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};

use crate::keys::key;
use crate::token::{now, signing_input, token};

/// A client with a key on P-256.
pub struct Holder(EcdsaKeyPair);

impl fmt::Debug for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Holder").field(&self.thumbprint()).finish()
    }
}

impl Default for Holder {
    fn default() -> Self {
        Self::new()
    }
}

fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Holder {
    /// One with a new key.
    ///
    /// # Panics
    ///
    /// No key can be made.
    pub fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    /// Its public key.
    ///
    /// # Panics
    ///
    /// The key is no point on the curve.
    pub fn jwk(&self) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        json!({"crv": "P-256", "kty": "EC", "x": base64url(x), "y": base64url(y)})
    }

    /// What tokens call that key (`cnf`, `jkt`).
    pub fn thumbprint(&self) -> String {
        // The members stand in the order that RFC 7638 asks for.
        base64url(digest(&SHA256, self.jwk().to_string().as_bytes()).as_ref())
    }

    /// A good token that is bound to its key.
    pub fn token(&self, mut changes: Value) -> String {
        changes["cnf"] = json!({"jkt": self.thumbprint()});
        token(key("ES256"), changes)
    }

    /// The claims of a proof for a request with this token, of which no other one has been made.
    pub fn claims(&self, token: &str, method: &str, uri: &str) -> Value {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let jti = format!("{}-{}", self.thumbprint(), MADE.fetch_add(1, Ordering::Relaxed));
        let hash = base64url(digest(&SHA256, token.as_bytes()).as_ref());
        json!({"jti": jti, "htm": method, "htu": uri, "iat": now(), "ath": hash})
    }

    /// A proof of these claims.
    pub fn prove(&self, claims: &Value) -> String {
        self.sign(&json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()}), claims)
    }

    /// Anything, signed.
    ///
    /// # Panics
    ///
    /// The key does not sign.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let input = signing_input(&header.to_string(), &claims.to_string());
        let signature = self.0.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", base64url(signature.as_ref()))
    }
}

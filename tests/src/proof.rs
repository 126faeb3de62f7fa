//! Clients that hold a key, and prove it for each request (DPoP, RFC 9449). Written apart from what reads the proofs.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Map, Value, json};

use crate::keys::{SigningKey, key};
use crate::token::{now, sign_raw, token};

/// A client with a key.
pub struct Holder(SigningKey);

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
    /// One with a new key on P-256.
    pub fn new() -> Self {
        Self::of("ES256")
    }

    /// One with a new key on the curve of this algorithm.
    pub fn of(algorithm: &'static str) -> Self {
        Self(SigningKey::generate(algorithm, "of the client"))
    }

    /// Its public key, of the members that RFC 7638 counts.
    pub fn jwk(&self) -> Value {
        let all = self.0.jwk();
        let member = |name: &str| Some((name.to_owned(), all.get(name)?.clone()));
        Value::Object(["crv", "kty", "x", "y"].into_iter().filter_map(member).collect::<Map<_, _>>())
    }

    /// The same as SubjectPublicKeyInfo.
    pub fn spki(&self) -> Vec<u8> {
        self.0.spki()
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
        self.sign(&json!({"typ": "dpop+jwt", "alg": self.0.algorithm, "jwk": self.jwk()}), claims)
    }

    /// Anything, signed.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        sign_raw(&self.0, &header.to_string(), &claims.to_string())
    }
}

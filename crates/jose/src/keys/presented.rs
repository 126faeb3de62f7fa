//! A key that a client shows beside a signature by it (RFC 9449 section 4.2): public, of its own members alone, and good for
//! one algorithm. It is no trusted key: what it is worth is said by a token that names its thumbprint.

use std::sync::Arc;

use super::components::{Admitted, Tolerance};
use super::jwk::{AKP, PRIVATE, akp, ec, may_verify, okp, rsa, text};
use super::key::{Key, Reach};
use super::skip::{Excerpt, SkipReason};
use super::thumbprint::Thumbprints;
use crate::Algorithm;
use crate::json::Object;

/// The member of a shared secret (RFC 7518 section 6.4.1).
const SECRET: &str = "k";

/// A stranger's key is judged without any tolerance.
const STRICT: Tolerance = Tolerance { short_secrets: false, small_rsa: false, mixed_kinds: false };

/// Reads such a key. The caller has bounded the nesting.
///
/// [`SkipReason::PrivateHalf`] is returned for any private or secret member, whatever it holds. Certificates (`x5c`) are not
/// read, since they do not count for the thumbprint.
pub(crate) fn presented(jwk: &str, algorithm: Algorithm) -> Result<Key, SkipReason> {
    let jwk = Object::parse(jwk).map_err(|_| SkipReason::Malformed)?;
    if PRIVATE.iter().chain(&[SECRET]).any(|name| jwk.get(name).is_some()) {
        return Err(SkipReason::PrivateHalf);
    }
    may_verify(&jwk)?;
    if text(&jwk, "alg")?.is_some_and(|declared| declared.parse() != Ok(algorithm)) {
        return Err(SkipReason::Algorithm(algorithm));
    }
    let kty = text(&jwk, "kty")?.ok_or(SkipReason::Parameter("kty"))?;
    let components = match kty.as_str() {
        "RSA" => rsa(&jwk),
        "EC" => ec(&jwk),
        "OKP" => okp(&jwk),
        AKP => akp(&jwk),
        _ => Err(SkipReason::KeyType(Excerpt::of(&kty))),
    }?;
    let Admitted { kind, algorithms, material, identity, .. } = components.admit(Some(algorithm), STRICT)?;
    Ok(Key {
        kid: None,
        kind,
        algorithms,
        reach: Reach::Named,
        thumbprints: Thumbprints::default(),
        issuer: None,
        identity,
        material: Arc::new(material),
    })
}

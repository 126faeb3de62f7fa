//! One JSON Web Key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).
//!
//! `use`, `key_ops`, `alg` and `crv` bind. `x5c` must hold the same key as the other members, or stands in for them where
//! they are absent; `x5t` and `x5u` are not read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::components::{Admitted, Components, Tolerance};
use super::skip::{Doubt, Excerpt, SkipReason};
use super::{Candidate, Curve, pem};
use crate::json::{Object, string};
use crate::{Algorithm, base64url};

/// Parameters that belong to the owner of the key alone.
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// Judges one JWK. The caller has bounded the nesting.
pub(super) fn candidate(json: &str, tolerance: Tolerance) -> Candidate {
    let Ok(jwk) = Object::parse(json) else {
        return Candidate::skipped(None, SkipReason::Malformed);
    };
    match text(&jwk, "kid") {
        Ok(kid) => Candidate::named(kid, admit(&jwk, tolerance)),
        Err(reason) => Candidate::skipped(None, reason),
    }
}

fn admit(jwk: &Object<'_>, tolerance: Tolerance) -> Result<Admitted, SkipReason> {
    let kty = text(jwk, "kty")?.ok_or(SkipReason::Parameter("kty"))?;
    let read: fn(&Object<'_>) -> Result<Components, SkipReason> = match kty.as_str() {
        "RSA" => rsa,
        "EC" => ec,
        "OKP" => okp,
        "oct" => oct,
        _ => return Err(SkipReason::KeyType(Excerpt::of(&kty))),
    };
    may_verify(jwk)?;
    let declared = declared_algorithm(jwk)?;
    let has_private = PRIVATE.iter().any(|name| jwk.get(name).is_some());

    let components = match (read(jwk), certified(jwk)) {
        (Ok(own), Ok(Some(certified))) if own != certified => Err(SkipReason::Certificate),
        // A certificate that cannot be read is not needed where the key itself is given.
        (Ok(own), _) => Ok(own),
        (Err(SkipReason::Parameter(name)), Ok(None)) if has_private && jwk.get(name).is_none() => {
            Err(SkipReason::PrivateOnly)
        }
        (Err(SkipReason::Parameter(name)), Ok(Some(certified))) if jwk.get(name).is_none() => {
            if certified.kty() == kty { Ok(certified) } else { Err(SkipReason::Certificate) }
        }
        (Err(SkipReason::Parameter(name)), Err(reason)) if jwk.get(name).is_none() => Err(reason),
        (Err(reason), _) => Err(reason),
    }?;
    let mut admitted = components.admit(declared, tolerance)?;
    if has_private {
        admitted.doubts.push(Doubt::PrivateParameters);
    }
    Ok(admitted)
}

/// The key in the first certificate of `x5c`, which is standard base64 (RFC 7517 section 4.7).
fn certified(jwk: &Object<'_>) -> Result<Option<Components>, SkipReason> {
    let Some(chain) = jwk.get("x5c") else {
        return Ok(None);
    };
    let unreadable = SkipReason::Parameter("x5c");
    let first = serde_json::from_str::<Vec<String>>(chain).ok().and_then(|chain| chain.into_iter().next());
    let der = first.and_then(|first| STANDARD.decode(first).ok()).ok_or_else(|| unreadable.clone())?;
    pem::certificate(&der).map(Some).map_err(|_| unreadable)
}

fn may_verify(jwk: &Object<'_>) -> Result<(), SkipReason> {
    if let Some(usage) = text(jwk, "use")?
        && usage != "sig"
    {
        return Err(SkipReason::Use(Excerpt::of(&usage)));
    }
    if let Some(operations) = jwk.get("key_ops") {
        let operations: Vec<String> =
            serde_json::from_str(operations).map_err(|_| SkipReason::Parameter("key_ops"))?;
        if !operations.iter().any(|operation| operation == "verify") {
            return Err(SkipReason::KeyOps);
        }
    }
    Ok(())
}

fn declared_algorithm(jwk: &Object<'_>) -> Result<Option<Algorithm>, SkipReason> {
    match text(jwk, "alg")? {
        None => Ok(None),
        Some(alg) => alg.parse().map(Some).map_err(|_| SkipReason::UnknownAlgorithm(Excerpt::of(&alg))),
    }
}

pub(crate) fn rsa(jwk: &Object<'_>) -> Result<Components, SkipReason> {
    Ok(Components::Rsa { n: octets(jwk, "n")?, e: octets(jwk, "e")? })
}

pub(crate) fn ec(jwk: &Object<'_>) -> Result<Components, SkipReason> {
    let crv = text(jwk, "crv")?.ok_or(SkipReason::Parameter("crv"))?;
    let curve = Curve::ALL
        .into_iter()
        .find(|curve| curve.as_str() == crv)
        .ok_or_else(|| SkipReason::Curve(Excerpt::of(&crv)))?;
    let mut point = vec![4];
    for name in ["x", "y"] {
        let coordinate = octets(jwk, name)?;
        if coordinate.len() != curve.coordinate_len() {
            return Err(SkipReason::Parameter(name));
        }
        point.extend(coordinate);
    }
    Ok(Components::Ec { curve, point })
}

fn okp(jwk: &Object<'_>) -> Result<Components, SkipReason> {
    let crv = text(jwk, "crv")?.ok_or(SkipReason::Parameter("crv"))?;
    match crv.as_str() {
        "Ed25519" => Ok(Components::Ed25519 { x: octets(jwk, "x")? }),
        _ => Err(SkipReason::Curve(Excerpt::of(&crv))),
    }
}

fn oct(jwk: &Object<'_>) -> Result<Components, SkipReason> {
    Ok(Components::Oct { k: octets(jwk, "k")? })
}

/// A parameter that must be a string where it is present.
pub(crate) fn text(jwk: &Object<'_>, name: &'static str) -> Result<Option<String>, SkipReason> {
    match jwk.get(name) {
        None => Ok(None),
        Some(raw) => string(raw).map(|text| Some(text.into_owned())).ok_or(SkipReason::Parameter(name)),
    }
}

/// A parameter that must be there as base64url.
pub(crate) fn octets(jwk: &Object<'_>, name: &'static str) -> Result<Vec<u8>, SkipReason> {
    let text = text(jwk, name)?.ok_or(SkipReason::Parameter(name))?;
    base64url::decode(&text).map_err(|_| SkipReason::Parameter(name))
}

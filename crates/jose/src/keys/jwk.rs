//! One JSON Web Key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2, RFC 9964 section 3).
//!
//! `use`, `key_ops`, `alg` and `crv` bind. `x5c` must hold the same key as the other members, or stands in for them where
//! they are absent; `x5t` and `x5t#S256` name the key; `x5u` is not read.
//!
//! What can be read in one way only is read: a member that is `null` or an empty list is absent, a number is a name, and
//! the parameters of a key may be padded, of the other base64 alphabet, and with or without leading zeros.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::candidate::Candidate;
use super::components::{Admitted, Components, Tolerance, trimmed};
use super::curve::Curve;
use super::ml_dsa::MlDsa;
use super::pem;
use super::skip::{Doubt, Excerpt, SkipReason};
use super::thumbprint::Thumbprints;
use crate::algorithm::is_registered_elsewhere;
use crate::json::{Object, name, string};
use crate::{Algorithm, base64url};

/// Parameters that belong to the owner of the key alone.
pub(super) const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// The type of keys whose `alg` tells everything else about them.
pub(super) const AKP: &str = "AKP";

/// Examines one JWK. The caller has bounded the nesting.
pub(super) fn candidate(json: &str, tolerance: Tolerance) -> Candidate {
    let Ok(jwk) = Object::parse(json) else {
        return Candidate::skipped(None, SkipReason::Malformed);
    };
    match kid(&jwk) {
        Ok(kid) => Candidate::named(kid, admit(&jwk, tolerance))
            .with_thumbprints(thumbprints(&jwk))
            .of_issuer(issuer(&jwk)),
        Err(reason) => Candidate::skipped(None, reason),
    }
}

/// Whose key it says it is. What is no text is no tenant's name.
fn issuer(jwk: &Object<'_>) -> Option<String> {
    present(jwk, "issuer").map(|raw| string(raw).map_or_else(|| raw.to_owned(), Cow::into_owned))
}

fn admit(jwk: &Object<'_>, tolerance: Tolerance) -> Result<Admitted, SkipReason> {
    let kty = text(jwk, "kty")?.ok_or(SkipReason::Parameter("kty"))?;
    let has_private = PRIVATE.iter().any(|name| present(jwk, name).is_some());
    let read: fn(&Object<'_>) -> Result<Components, SkipReason> = match kty.as_str() {
        "RSA" => rsa,
        "EC" => ec,
        "OKP" => okp,
        "oct" => oct,
        AKP if has_private => return Err(SkipReason::PrivateHalf),
        AKP => akp,
        _ => return Err(SkipReason::KeyType(Excerpt::of(&kty))),
    };
    may_verify(jwk)?;
    let (declared, unregistered) = declared_algorithm(jwk, &kty)?;

    let certified = certified(jwk);
    let is_unreadable = certified.is_err();
    let components = match (read(jwk), certified) {
        (Ok(own), Ok(Some(certified))) if !own.is_same_key_as(&certified) => Err(SkipReason::Certificate),
        // A certificate that cannot be read is not needed where the key itself is given.
        (Ok(own), _) => Ok(own),
        (Err(SkipReason::Parameter(name)), Ok(None)) if has_private && present(jwk, name).is_none() => {
            Err(SkipReason::PrivateOnly)
        }
        (Err(SkipReason::Parameter(name)), Ok(Some(certified))) if present(jwk, name).is_none() => {
            if certified.kty() == kty {
                Ok(certified)
            } else {
                Err(SkipReason::Certificate)
            }
        }
        (Err(SkipReason::Parameter(name)), Err(reason)) if present(jwk, name).is_none() => Err(reason),
        (Err(reason), _) => Err(reason),
    }?;
    let mut admitted = components.admit(declared, tolerance)?;
    if has_private {
        admitted.doubts.push(Doubt::PrivateParameters);
    }
    admitted.doubts.extend(unregistered.map(Doubt::UnregisteredAlgorithm));
    if is_unreadable {
        admitted.doubts.push(Doubt::UnreadableCertificate);
    }
    Ok(admitted)
}

/// The name of a key; a number is its JSON text.
pub(crate) fn kid(jwk: &Object<'_>) -> Result<Option<String>, SkipReason> {
    match present(jwk, "kid") {
        None => Ok(None),
        Some(raw) => name(raw).map(|kid| Some(kid.into_owned())).ok_or(SkipReason::Parameter("kid")),
    }
}

/// The key in the first certificate of `x5c`, which is standard base64 (RFC 7517 section 4.7).
fn certified(jwk: &Object<'_>) -> Result<Option<Components>, SkipReason> {
    if present(jwk, "x5c").is_none() {
        return Ok(None);
    }
    let unreadable = SkipReason::Parameter("x5c");
    let der = first_certificate(jwk).ok_or_else(|| unreadable.clone())?;
    pem::certificate(&der).map(Some).map_err(|_| unreadable)
}

/// The first certificate of `x5c` in DER.
fn first_certificate(jwk: &Object<'_>) -> Option<Vec<u8>> {
    let chain: Vec<String> = serde_json::from_str(present(jwk, "x5c")?).ok()?;
    STANDARD.decode(chain.first()?).ok()
}

/// By what hashes of its certificate a token may name the key. One that cannot be read names nothing.
fn thumbprints(jwk: &Object<'_>) -> Thumbprints {
    let mut thumbprints = first_certificate(jwk).map(|der| Thumbprints::of(&der)).unwrap_or_default();
    for name in Thumbprints::MEMBERS {
        if let Ok(hash) = octets(jwk, name) {
            thumbprints.add(hash);
        }
    }
    thumbprints
}

pub(super) fn may_verify(jwk: &Object<'_>) -> Result<(), SkipReason> {
    if let Some(usage) = text(jwk, "use")?
        && usage != "sig"
    {
        return Err(SkipReason::Use(Excerpt::of(&usage)));
    }
    if let Some(operations) = present(jwk, "key_ops") {
        let operations: Vec<String> =
            serde_json::from_str(operations).map_err(|_| SkipReason::Parameter("key_ops"))?;
        if !operations.iter().any(|operation| operation == "verify") {
            return Err(SkipReason::KeyOps);
        }
    }
    Ok(())
}

/// `alg`, or its text where it is registered for nothing: such a word binds a public key to nothing. A secret with one is
/// not taken, since nothing else tells what it is for; nor is a key of type `AKP`, which must have one.
fn declared_algorithm(
    jwk: &Object<'_>,
    kty: &str,
) -> Result<(Option<Algorithm>, Option<Excerpt>), SkipReason> {
    let Some(alg) = text(jwk, "alg")? else {
        return if kty == AKP { Err(SkipReason::Parameter("alg")) } else { Ok((None, None)) };
    };
    match alg.parse() {
        Ok(algorithm) => Ok((Some(algorithm), None)),
        Err(_) if kty == "oct" || kty == AKP || is_registered_elsewhere(&alg) => {
            Err(SkipReason::UnknownAlgorithm(Excerpt::of(&alg)))
        }
        Err(_) => Ok((None, Some(Excerpt::of(&alg)))),
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
        let octets = octets(jwk, name)?;
        let coordinate = trimmed(&octets);
        let zeros = curve.coordinate_len().checked_sub(coordinate.len()).filter(|_| !octets.is_empty());
        point.extend(vec![0; zeros.ok_or(SkipReason::Parameter(name))?]);
        point.extend(coordinate);
    }
    Ok(Components::Ec { curve, point })
}

pub(crate) fn okp(jwk: &Object<'_>) -> Result<Components, SkipReason> {
    let crv = text(jwk, "crv")?.ok_or(SkipReason::Parameter("crv"))?;
    match crv.as_str() {
        "Ed25519" => Ok(Components::Ed25519 { x: octets(jwk, "x")? }),
        _ => Err(SkipReason::Curve(Excerpt::of(&crv))),
    }
}

pub(super) fn akp(jwk: &Object<'_>) -> Result<Components, SkipReason> {
    let alg = text(jwk, "alg")?.ok_or(SkipReason::Parameter("alg"))?;
    let algorithm = alg.parse().map_err(|_| SkipReason::UnknownAlgorithm(Excerpt::of(&alg)))?;
    let set = MlDsa::of_algorithm(algorithm).ok_or(SkipReason::Algorithm(algorithm))?;
    Ok(Components::MlDsa { set, public: octets(jwk, "pub")? })
}

fn oct(jwk: &Object<'_>) -> Result<Components, SkipReason> {
    Ok(Components::Oct { k: octets(jwk, "k")? })
}

/// A parameter that must be a string where it is present.
pub(crate) fn text(jwk: &Object<'_>, name: &'static str) -> Result<Option<String>, SkipReason> {
    match present(jwk, name) {
        None => Ok(None),
        Some(raw) => string(raw).map(|text| Some(text.into_owned())).ok_or(SkipReason::Parameter(name)),
    }
}

/// A parameter that must be there as base64url, or in one of its near spellings.
pub(crate) fn octets(jwk: &Object<'_>, name: &'static str) -> Result<Vec<u8>, SkipReason> {
    let text = text(jwk, name)?.ok_or(SkipReason::Parameter(name))?;
    base64url::decode_tolerantly(&text).map_err(|_| SkipReason::Parameter(name))
}

/// A member as JSON. `null` and an empty list are how some libraries write one that is absent.
pub(crate) fn present<'a>(jwk: &'a Object<'_>, name: &str) -> Option<&'a str> {
    let is_empty_list = |raw: &str| raw.strip_prefix('[').is_some_and(|rest| rest.trim_ascii_start() == "]");
    jwk.get(name).filter(|raw| *raw != "null" && !is_empty_list(raw))
}

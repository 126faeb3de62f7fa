//! The parts of a key, whatever form they came in, and what makes them good enough.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    EcdsaVerificationAlgorithm, ParsedPublicKey, RsaPublicKeyComponents,
};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::curve::Curve;
use super::identity::Identity;
use super::key::KeyKind;
use super::material::Material;
use super::ml_dsa::MlDsa;
use super::roca;
use super::skip::{Doubt, SkipReason};
use crate::json::Object;
use crate::{Algorithm, AlgorithmSet};

/// Below this, factoring is within reach of a state (NIST SP 800-131A).
const MIN_RSA_BITS: usize = 2048;

/// The least that the legacy list may hold; shorter ones have been factored in public.
const MIN_LEGACY_RSA_BITS: usize = 1024;

/// Larger moduli cost time at each token and are refused by aws-lc-rs as well.
const MAX_RSA_BITS: usize = 8192;

/// How every block of PEM begins; no secret holds it.
pub(super) const PEM_BEGIN: &str = "-----BEGIN ";

/// What a source may bring though it is weak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tolerance {
    pub(crate) short_secrets: bool,
    pub(crate) small_rsa: bool,
    pub(crate) mixed_kinds: bool,
}

/// The public parts of a key, or a secret.
pub(crate) enum Components {
    /// Modulus and public exponent, big-endian.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point: 4, then both coordinates.
    Ec { curve: Curve, point: Vec<u8> },
    /// The 32 bytes of RFC 8032 section 5.1.5.
    Ed25519 { x: Vec<u8> },
    /// The encoding of FIPS 204 section 7.2.
    MlDsa { set: MlDsa, public: Vec<u8> },
    /// A shared secret.
    Oct { k: Vec<u8> },
}

/// A key that passed.
pub(crate) struct Admitted {
    pub(super) kind: KeyKind,
    pub(super) algorithms: AlgorithmSet,
    pub(super) material: Material,
    pub(super) identity: Identity,
    pub(super) doubts: Vec<Doubt>,
}

impl Components {
    /// The JWK key type of such a key.
    pub(super) const fn kty(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RSA",
            Self::Ec { .. } => "EC",
            Self::Ed25519 { .. } => "OKP",
            Self::MlDsa { .. } => "AKP",
            Self::Oct { .. } => "oct",
        }
    }

    /// Whether both are one key, however each is spelled: numbers may have leading zeros, points may be compressed.
    pub(super) fn is_same_key_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rsa { n, e }, Self::Rsa { n: other_n, e: other_e }) => {
                trimmed(n) == trimmed(other_n) && trimmed(e) == trimmed(other_e)
            }
            (Self::Ec { curve, point }, Self::Ec { curve: other_curve, point: other }) => {
                let len = curve.coordinate_len();
                curve == other_curve && compressed(point, len) == compressed(other, len)
            }
            (Self::Ed25519 { x }, Self::Ed25519 { x: other }) => x == other,
            (Self::MlDsa { set, public }, Self::MlDsa { set: other_set, public: other }) => {
                set == other_set && public == other
            }
            (Self::Oct { .. }, Self::Oct { .. })
            | (
                Self::Rsa { .. }
                | Self::Ec { .. }
                | Self::Ed25519 { .. }
                | Self::MlDsa { .. }
                | Self::Oct { .. },
                _,
            ) => false,
        }
    }

    /// Examines the parts; `declared` is the `alg` that the key was given.
    pub(crate) fn admit(
        self,
        declared: Option<Algorithm>,
        tolerance: Tolerance,
    ) -> Result<Admitted, SkipReason> {
        match self {
            Self::Rsa { n, e } => admit_rsa(trimmed(&n), trimmed(&e), declared, tolerance),
            Self::Ec { curve, point } => admit_ec(curve, &point, declared),
            Self::Ed25519 { x } => admit_ed25519(&x, declared),
            Self::MlDsa { set, public } => admit_ml_dsa(set, &public, declared),
            Self::Oct { k } => admit_secret(&k, declared, tolerance),
        }
    }
}

fn admit_rsa(
    n: &[u8],
    e: &[u8],
    declared: Option<Algorithm>,
    tolerance: Tolerance,
) -> Result<Admitted, SkipReason> {
    let bits = bit_len(n);
    let min = if tolerance.small_rsa { MIN_LEGACY_RSA_BITS } else { MIN_RSA_BITS };
    if !(min..=MAX_RSA_BITS).contains(&bits) {
        return Err(SkipReason::ModulusSize { bits, min, max: MAX_RSA_BITS });
    }
    if !is_sane_exponent(e) {
        return Err(SkipReason::Exponent);
    }
    let is_odd = n.last().is_some_and(|byte| byte & 1 == 1);
    if !is_odd || roca::is_marked(n) {
        return Err(SkipReason::WeakModulus);
    }

    let parts = RsaPublicKeyComponents { n: n.to_vec(), e: e.to_vec() };
    let (algorithms, material, doubts) = if bits < MIN_RSA_BITS {
        let algorithms = bound(AlgorithmSet::of(&[Algorithm::RS256, Algorithm::RS512]), declared)?;
        (algorithms, Material::small_rsa(&parts, algorithms), vec![Doubt::SmallModulus { bits }])
    } else {
        let algorithms = bound(AlgorithmSet::RSA, declared)?;
        (algorithms, Material::rsa(&parts, algorithms), Vec::new())
    };
    let material = material.ok_or(SkipReason::WeakModulus)?;
    let identity = Identity::of_rsa(n, e);
    Ok(Admitted { kind: KeyKind::Rsa { bits }, algorithms, material, identity, doubts })
}

fn admit_ec(curve: Curve, point: &[u8], declared: Option<Algorithm>) -> Result<Admitted, SkipReason> {
    let algorithms = bound(AlgorithmSet::of(&[curve.algorithm()]), declared)?;
    // aws-lc-rs also takes compressed points and whole SubjectPublicKeyInfos: other spellings of the same key.
    let is_uncompressed = point.first() == Some(&4) && point.len() == 1 + 2 * curve.coordinate_len();
    let verifier: &'static EcdsaVerificationAlgorithm = match curve {
        Curve::P256 => &ECDSA_P256_SHA256_FIXED,
        Curve::P384 => &ECDSA_P384_SHA384_FIXED,
        Curve::P521 => &ECDSA_P521_SHA512_FIXED,
    };
    let parsed = ParsedPublicKey::new(verifier, point).ok().filter(|_| is_uncompressed);
    let parsed = parsed.ok_or(SkipReason::Point(curve))?;
    let material = Material::single(curve.algorithm(), parsed);
    let identity = Identity::of_ec(curve, point);
    Ok(Admitted { kind: KeyKind::Ec(curve), algorithms, material, identity, doubts: Vec::new() })
}

fn admit_ed25519(x: &[u8], declared: Option<Algorithm>) -> Result<Admitted, SkipReason> {
    let algorithms = bound(AlgorithmSet::of(&[Algorithm::EdDSA]), declared)?;
    // aws-lc-rs also takes whole SubjectPublicKeyInfos.
    let parsed = ParsedPublicKey::new(&ED25519, x).ok().filter(|_| x.len() == 32);
    let material = Material::single(Algorithm::EdDSA, parsed.ok_or(SkipReason::Parameter("x"))?);
    let identity = Identity::of_ed25519(x);
    Ok(Admitted { kind: KeyKind::Ed25519, algorithms, material, identity, doubts: Vec::new() })
}

fn admit_ml_dsa(set: MlDsa, public: &[u8], declared: Option<Algorithm>) -> Result<Admitted, SkipReason> {
    let algorithms = bound(AlgorithmSet::of(&[set.algorithm()]), declared)?;
    // aws-lc-rs also takes whole SubjectPublicKeyInfos, whose length is none of these.
    let bytes = public.len();
    if bytes != set.public_key_len() {
        return Err(SkipReason::PublicKeySize { set, bytes });
    }
    let parsed = ParsedPublicKey::new(set.verifier(), public).map_err(|_| SkipReason::Parameter("pub"))?;
    let material = Material::ml_dsa(set, parsed);
    let identity = Identity::of_ml_dsa(set, public);
    Ok(Admitted { kind: KeyKind::MlDsa(set), algorithms, material, identity, doubts: Vec::new() })
}

fn admit_secret(k: &[u8], declared: Option<Algorithm>, tolerance: Tolerance) -> Result<Admitted, SkipReason> {
    let wanted = bound(AlgorithmSet::HMAC, declared)?;
    if k.is_empty() {
        return Err(SkipReason::EmptySecret);
    }
    if is_key_text(k) {
        return Err(SkipReason::SecretIsKey);
    }
    let bits = k.len().saturating_mul(8);
    let min = wanted.iter().map(hash_bits).min().unwrap_or_default();
    if bits < min && !tolerance.short_secrets {
        return Err(SkipReason::ShortSecret { bits, min });
    }
    let algorithms: AlgorithmSet =
        wanted.iter().filter(|algorithm| tolerance.short_secrets || bits >= hash_bits(*algorithm)).collect();
    let doubts = if bits < min { vec![Doubt::ShortSecret { bits }] } else { Vec::new() };
    let material = Material::secret(k, algorithms).ok_or(SkipReason::Parameter("k"))?;
    let identity = Identity::of_secret(bits);
    Ok(Admitted { kind: KeyKind::Oct, algorithms, material, identity, doubts })
}

/// What the key can do and was meant for.
fn bound(capable: AlgorithmSet, declared: Option<Algorithm>) -> Result<AlgorithmSet, SkipReason> {
    match declared {
        None => Ok(capable),
        Some(algorithm) if capable.contains(algorithm) => Ok(AlgorithmSet::of(&[algorithm])),
        Some(algorithm) => Err(SkipReason::Algorithm(algorithm)),
    }
}

/// Output size of an HMAC algorithm's hash.
fn hash_bits(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::HS512 => 512,
        Algorithm::HS384 => 384,
        _ => 256,
    }
}

/// Whether a "secret" is a key that was meant to be read by others: then anybody could sign with it.
fn is_key_text(secret: &[u8]) -> bool {
    let is_jwk = || {
        let text = std::str::from_utf8(secret).ok()?;
        Object::members_of(text)?.get("kty")
    };
    let is_pem = || secret.windows(PEM_BEGIN.len()).any(|window| window == PEM_BEGIN.as_bytes());
    is_pem() || is_jwk().is_some() || SubjectPublicKeyInfo::from_der(secret).is_ok()
}

/// Odd, at least 3, at most 33 bits: aws-lc's own bound, and wide enough for every exponent in use.
fn is_sane_exponent(e: &[u8]) -> bool {
    let value = e.iter().try_fold(0_u64, |value, byte| value.checked_mul(256)?.checked_add(u64::from(*byte)));
    value.is_some_and(|value| value & 1 == 1 && (3..1 << 33).contains(&value))
}

/// A point as x and the parity of y (SEC 1 section 2.3.3), however it is spelled; a text that is neither stays as it is.
fn compressed(point: &[u8], coordinate_len: usize) -> Vec<u8> {
    match point {
        [4, coordinates @ ..] if coordinates.len() == 2 * coordinate_len => {
            let parity = coordinates.last().map_or(2, |last| 2 + (last & 1));
            let x = coordinates.iter().take(coordinate_len);
            std::iter::once(&parity).chain(x).copied().collect()
        }
        other => other.to_vec(),
    }
}

/// Without leading zero bytes, which some issuers write though RFC 7518 section 2 forbids them.
pub(crate) fn trimmed(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}

/// Bits of a number without leading zero bytes.
fn bit_len(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |byte| byte.leading_zeros());
    (number.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsa(n: &[u8], e: &[u8]) -> Components {
        Components::Rsa { n: n.to_vec(), e: e.to_vec() }
    }

    /// A point whose x is all of one byte; with one byte for the last of y it is written out.
    fn ec(curve: Curve, first: u8, x: u8, y: Option<u8>) -> Components {
        let len = curve.coordinate_len();
        let y = y.map(|last| [vec![9; len - 1], vec![last]].concat()).unwrap_or_default();
        Components::Ec { curve, point: [vec![first], vec![x; len], y].concat() }
    }

    #[test]
    fn a_key_is_the_same_however_it_is_spelled_and_no_other_is() {
        let ed25519 = |x: u8| Components::Ed25519 { x: vec![x; 32] };
        let ml_dsa = |set, byte: u8| Components::MlDsa { set, public: vec![byte; 4] };
        let secret = || Components::Oct { k: vec![7; 32] };
        for (what, one, other, expected) in [
            ("RSA", rsa(&[5, 6], &[3]), rsa(&[5, 6], &[3]), true),
            ("RSA, leading zeros", rsa(&[0, 0, 5, 6], &[3]), rsa(&[5, 6], &[0, 3]), true),
            ("RSA, another modulus", rsa(&[5, 6], &[3]), rsa(&[5, 7], &[3]), false),
            ("RSA, another exponent", rsa(&[5, 6], &[3]), rsa(&[5, 6], &[5]), false),
            ("EC", ec(Curve::P256, 4, 1, Some(8)), ec(Curve::P256, 4, 1, Some(8)), true),
            ("EC, compressed, even", ec(Curve::P256, 4, 1, Some(8)), ec(Curve::P256, 2, 1, None), true),
            ("EC, compressed, odd", ec(Curve::P256, 3, 1, None), ec(Curve::P256, 4, 1, Some(7)), true),
            ("EC, P-521", ec(Curve::P521, 3, 1, None), ec(Curve::P521, 4, 1, Some(7)), true),
            ("EC, the other y", ec(Curve::P256, 4, 1, Some(8)), ec(Curve::P256, 3, 1, None), false),
            ("EC, the other y, odd", ec(Curve::P256, 4, 1, Some(7)), ec(Curve::P256, 2, 1, None), false),
            ("EC, another x", ec(Curve::P256, 4, 1, Some(8)), ec(Curve::P256, 2, 2, None), false),
            ("EC, another x, compressed", ec(Curve::P256, 2, 1, None), ec(Curve::P256, 2, 2, None), false),
            ("EC, another curve", ec(Curve::P256, 4, 1, Some(8)), ec(Curve::P384, 4, 1, Some(8)), false),
            ("EC, cut", ec(Curve::P256, 4, 1, None), ec(Curve::P256, 4, 1, Some(8)), false),
            (
                "EC, nothing that differs",
                Components::Ec { curve: Curve::P256, point: vec![4, 1] },
                Components::Ec { curve: Curve::P256, point: vec![4, 2] },
                false,
            ),
            ("Ed25519", ed25519(1), ed25519(1), true),
            ("Ed25519, another", ed25519(1), ed25519(2), false),
            ("ML-DSA", ml_dsa(MlDsa::Set44, 1), ml_dsa(MlDsa::Set44, 1), true),
            ("ML-DSA, another", ml_dsa(MlDsa::Set44, 1), ml_dsa(MlDsa::Set44, 2), false),
            ("ML-DSA, another set", ml_dsa(MlDsa::Set44, 1), ml_dsa(MlDsa::Set65, 1), false),
            ("a secret has no certificate", secret(), secret(), false),
            ("another type", ed25519(1), ml_dsa(MlDsa::Set44, 1), false),
        ] {
            assert_eq!(one.is_same_key_as(&other), expected, "{what}");
            assert_eq!(other.is_same_key_as(&one), expected, "{what}, the other way round");
        }
    }
}

//! Public keys and certificates in PEM (RFC 7468). Each block is a key of its own, without a `kid`.
//!
//! Of a certificate only the key is taken. Names, dates and chains are not judged: whoever put the certificate there
//! trusts its key.

use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::Oid;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION,
    OID_SIG_ED25519,
};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::components::{Components, Tolerance};
use super::skip::{Excerpt, SkipReason};
use super::{Candidate, Curve};

/// How every block begins.
pub(super) const BEGIN: &str = "-----BEGIN ";

/// The blocks of a text, each from its beginning to the next one, so that a block without an end spoils no other. What
/// stands between blocks is a comment.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut starts = text.match_indices(BEGIN).map(|(start, _)| start).peekable();
    std::iter::from_fn(move || {
        let start = starts.next()?;
        let end = starts.peek().copied().unwrap_or(text.len());
        text.get(start..end)
    })
}

/// Judges one block.
pub(super) fn candidate(block: &str, tolerance: Tolerance) -> Candidate {
    Candidate::named(None, components(block).and_then(|components| components.admit(None, tolerance)))
}

/// The key in a text that holds exactly one block.
pub(super) fn single(text: &str) -> Result<Components, SkipReason> {
    let mut blocks = blocks(text);
    match (blocks.next(), blocks.next()) {
        (Some(block), None) => components(block),
        (None, _) | (Some(_), Some(_)) => Err(SkipReason::Pem),
    }
}

fn components(block: &str) -> Result<Components, SkipReason> {
    let block = pem::parse(block).map_err(|_| SkipReason::Pem)?;
    let der = block.contents();
    match block.tag() {
        "PUBLIC KEY" => subject_public_key(&whole::<SubjectPublicKeyInfo<'_>, _>(der)?),
        "CERTIFICATE" => certificate(der),
        "RSA PUBLIC KEY" => Ok(rsa(&whole::<RSAPublicKey<'_>, _>(der)?)),
        label if label.ends_with("PRIVATE KEY") => Err(SkipReason::PrivateOnly),
        _ => Err(SkipReason::Pem),
    }
}

/// The key of a certificate in DER.
pub(super) fn certificate(der: &[u8]) -> Result<Components, SkipReason> {
    subject_public_key(whole::<X509Certificate<'_>, _>(der)?.public_key())
}

/// Reads a structure that fills the bytes.
fn whole<'a, T: FromDer<'a, E>, E>(der: &'a [u8]) -> Result<T, SkipReason> {
    match T::from_der(der) {
        Ok(([], structure)) => Ok(structure),
        Ok(_) | Err(_) => Err(SkipReason::Pem),
    }
}

/// A SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7; RFC 3279, 5480 and 8410 for the algorithms).
fn subject_public_key(info: &SubjectPublicKeyInfo<'_>) -> Result<Components, SkipReason> {
    let algorithm = &info.algorithm.algorithm;
    let bits = info.subject_public_key.data.as_ref();
    if *algorithm == OID_PKCS1_RSAENCRYPTION {
        Ok(rsa(&whole::<RSAPublicKey<'_>, _>(bits)?))
    } else if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        let named = info
            .algorithm
            .parameters
            .as_ref()
            .and_then(|parameters| parameters.as_oid().ok())
            .ok_or(SkipReason::Pem)?;
        Ok(Components::Ec { curve: curve(&named)?, point: bits.to_vec() })
    } else if *algorithm == OID_SIG_ED25519 {
        Ok(Components::Ed25519 { x: bits.to_vec() })
    } else {
        Err(SkipReason::PublicKeyAlgorithm)
    }
}

fn rsa(key: &RSAPublicKey<'_>) -> Components {
    Components::Rsa { n: key.modulus.to_vec(), e: key.exponent.to_vec() }
}

fn curve(named: &Oid<'_>) -> Result<Curve, SkipReason> {
    [(OID_EC_P256, Curve::P256), (OID_NIST_EC_P384, Curve::P384), (OID_NIST_EC_P521, Curve::P521)]
        .into_iter()
        .find_map(|(oid, curve)| (oid == *named).then_some(curve))
        .ok_or_else(|| SkipReason::Curve(Excerpt::of(&named.to_id_string())))
}

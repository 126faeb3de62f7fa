//! Public keys and certificates in PEM (RFC 7468). Each block is a key of its own, without a `kid`.
//!
//! Of a certificate only the key is taken. Names, dates and signatures are not judged: the one who put the certificate
//! there trusts its key. The certificates of authorities that stand beside it as its chain sign certificates and no tokens.

use std::collections::HashSet;

use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::Oid;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION,
    OID_SIG_ED25519,
};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::candidate::Candidate;
use super::components::{Components, PEM_BEGIN, Tolerance};
use super::curve::Curve;
use super::ml_dsa::MlDsa;
use super::skip::{Excerpt, SkipReason};
use super::thumbprint::Thumbprints;

/// The blocks of a text, each from its beginning to the next one, so that a block without an end spoils no other. What
/// stands between blocks is a comment.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut starts = text.match_indices(PEM_BEGIN).map(|(start, _)| start).peekable();
    std::iter::from_fn(move || {
        let start = starts.next()?;
        let end = starts.peek().copied().unwrap_or(text.len());
        text.get(start..end)
    })
}

/// What a block holds, before it is judged.
pub(super) struct PemKey {
    components: Result<Components, SkipReason>,
    thumbprints: Thumbprints,
}

impl PemKey {
    fn of(block: &Result<pem::Pem, SkipReason>) -> Self {
        let block = match block {
            Ok(block) => block,
            Err(reason) => return Self::refused(reason.clone()),
        };
        let thumbprints = match block.tag() {
            CERTIFICATE => Thumbprints::of(block.contents()),
            _ => Thumbprints::default(),
        };
        Self { components: components(block), thumbprints }
    }

    fn refused(reason: SkipReason) -> Self {
        Self { components: Err(reason), thumbprints: Thumbprints::default() }
    }

    /// The key's parts.
    pub(super) fn into_components(self) -> Result<Components, SkipReason> {
        self.components
    }

    /// As a key without a name.
    pub(super) fn judge(self, tolerance: Tolerance) -> Candidate {
        self.candidate(None, tolerance)
    }

    /// As a key that is called so.
    pub(super) fn named(self, kid: String, tolerance: Tolerance) -> Candidate {
        self.candidate(Some(kid), tolerance)
    }

    fn candidate(self, kid: Option<String>, tolerance: Tolerance) -> Candidate {
        let outcome = self.components.and_then(|components| components.admit(None, tolerance));
        Candidate::named(kid, outcome).with_thumbprints(self.thumbprints)
    }
}

/// The keys of all blocks. A certificate that has issued another one of the text, which is not itself its own issuer, is
/// part of that one's chain and no key.
pub(super) fn keys(text: &str) -> Vec<PemKey> {
    let blocks: Vec<_> = blocks(text).map(|block| pem::parse(block).map_err(|_| SkipReason::Pem)).collect();
    let certificates: Vec<_> = blocks.iter().map(|block| block.as_ref().ok().and_then(read)).collect();
    let issuers: HashSet<_> = certificates
        .iter()
        .flatten()
        .map(|certificate| (certificate.issuer().as_raw(), certificate.subject().as_raw()))
        .filter_map(|(issuer, subject)| (issuer != subject).then_some(issuer))
        .collect();
    let is_issuer = |certificate: &Option<X509Certificate<'_>>| {
        certificate.as_ref().is_some_and(|certificate| issuers.contains(certificate.subject().as_raw()))
    };
    blocks
        .iter()
        .zip(&certificates)
        .map(
            |(block, certificate)| {
                if is_issuer(certificate) { PemKey::refused(SkipReason::Issuer) } else { PemKey::of(block) }
            },
        )
        .collect()
}

/// The key of a text that holds one block, or one chain of certificates, of which the first is meant.
pub(super) fn single(text: &str) -> PemKey {
    let mut keys = keys(text).into_iter();
    let first = keys.next().unwrap_or_else(|| PemKey::refused(SkipReason::Pem));
    if keys.all(|further| matches!(further.components, Err(SkipReason::Issuer))) {
        first
    } else {
        PemKey::refused(SkipReason::Pem)
    }
}

/// The label of a certificate.
const CERTIFICATE: &str = "CERTIFICATE";

fn read(block: &pem::Pem) -> Option<X509Certificate<'_>> {
    (block.tag() == CERTIFICATE).then(|| whole(block.contents()).ok()).flatten()
}

fn components(block: &pem::Pem) -> Result<Components, SkipReason> {
    let der = block.contents();
    match block.tag() {
        "PUBLIC KEY" => subject_public_key(&whole::<SubjectPublicKeyInfo<'_>, _>(der)?),
        CERTIFICATE => certificate(der),
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

/// A SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7; RFC 3279, 5480, 8410 and 9881 for the algorithms).
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
    } else if let Some(set) = MlDsa::of_identifier(algorithm) {
        match info.algorithm.parameters {
            None => Ok(Components::MlDsa { set, public: bits.to_vec() }),
            Some(_) => Err(SkipReason::Pem),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_names_its_key_by_its_hashes_and_a_key_alone_has_none() {
        let certificate = pem::parse(include_str!("../../tests/suite/data/rsa2048.crt.pem")).unwrap();
        let of = Thumbprints::of(certificate.contents());
        assert_eq!(PemKey::of(&Ok(certificate)).thumbprints, of);
        let key = pem::Pem::new("PUBLIC KEY", vec![0]);
        assert_eq!(PemKey::of(&Ok(key)).thumbprints, Thumbprints::default());
    }
}

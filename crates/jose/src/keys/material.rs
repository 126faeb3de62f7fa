//! The cryptography behind a key, by aws-lc-rs: one verifier for each algorithm that the key may verify, made when the
//! key is read.
//!
//! To parse an RSA key again for each token costs 3 us, a fifth of the verification, so no library stands in between
//! that would.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents,
};

use super::ml_dsa::MlDsa;
use crate::{Algorithm, AlgorithmSet};

/// What verifies signatures.
pub(super) struct Material {
    verifiers: Vec<(Algorithm, Verifier)>,
}

enum Verifier {
    Hmac(Box<hmac::Key>),
    PublicKey(ParsedPublicKey),
    MlDsa(MlDsa, ParsedPublicKey),
}

impl Material {
    /// A secret; `None` if one of the algorithms is no HMAC.
    pub(super) fn secret(secret: &[u8], algorithms: AlgorithmSet) -> Option<Self> {
        let verifier = |algorithm| Some(Verifier::Hmac(Box::new(hmac::Key::new(hash(algorithm)?, secret))));
        Self::of(algorithms, verifier)
    }

    /// An RSA key; `None` if one of the algorithms is no RSA or aws-lc-rs refuses the key.
    pub(super) fn rsa(key: &RsaPublicKeyComponents<Vec<u8>>, algorithms: AlgorithmSet) -> Option<Self> {
        Self::of_rsa(key, algorithms, rsa_parameters)
    }

    /// An RSA key of under 2048 bits, which the legacy list may hold.
    pub(super) fn small_rsa(key: &RsaPublicKeyComponents<Vec<u8>>, algorithms: AlgorithmSet) -> Option<Self> {
        Self::of_rsa(key, algorithms, small_rsa_parameters)
    }

    /// A key that was parsed for its one algorithm.
    pub(super) fn single(algorithm: Algorithm, key: ParsedPublicKey) -> Self {
        Self { verifiers: vec![(algorithm, Verifier::PublicKey(key))] }
    }

    /// An ML-DSA key of this parameter set.
    pub(super) fn ml_dsa(set: MlDsa, key: ParsedPublicKey) -> Self {
        Self { verifiers: vec![(set.algorithm(), Verifier::MlDsa(set, key))] }
    }

    fn of_rsa(
        key: &RsaPublicKeyComponents<Vec<u8>>,
        algorithms: AlgorithmSet,
        parameters: fn(Algorithm) -> Option<&'static RsaParameters>,
    ) -> Option<Self> {
        let parsed = |algorithm| key.to_parsed_public_key(parameters(algorithm)?).ok();
        Self::of(algorithms, |algorithm| parsed(algorithm).map(Verifier::PublicKey))
    }

    fn of(algorithms: AlgorithmSet, verifier: impl Fn(Algorithm) -> Option<Verifier>) -> Option<Self> {
        let verifiers = algorithms.iter().map(|algorithm| Some((algorithm, verifier(algorithm)?)));
        Some(Self { verifiers: verifiers.collect::<Option<_>>()? })
    }

    /// Whether the signature is over the message, under an algorithm of this key.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let verifier = self.verifiers.iter().find(|(verified, _)| *verified == algorithm);
        verifier.is_some_and(|(_, verifier)| match verifier {
            Verifier::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Verifier::PublicKey(key) => key.verify_sig(message, signature).is_ok(),
            Verifier::MlDsa(set, key) => {
                signature.len() == set.signature_len() && key.verify_sig(message, signature).is_ok()
            }
        })
    }
}

fn hash(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::HS256 => Some(hmac::HMAC_SHA256),
        Algorithm::HS384 => Some(hmac::HMAC_SHA384),
        Algorithm::HS512 => Some(hmac::HMAC_SHA512),
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512
        | Algorithm::ES256
        | Algorithm::ES384
        | Algorithm::ES512
        | Algorithm::EdDSA
        | Algorithm::MlDsa44
        | Algorithm::MlDsa65
        | Algorithm::MlDsa87 => None,
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::HS256
        | Algorithm::HS384
        | Algorithm::HS512
        | Algorithm::ES256
        | Algorithm::ES384
        | Algorithm::ES512
        | Algorithm::EdDSA
        | Algorithm::MlDsa44
        | Algorithm::MlDsa65
        | Algorithm::MlDsa87 => None,
    }
}

/// aws-lc-rs takes short moduli for these two only.
fn small_rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        Algorithm::RS512 => Some(&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        Algorithm::HS256
        | Algorithm::HS384
        | Algorithm::HS512
        | Algorithm::RS384
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512
        | Algorithm::ES256
        | Algorithm::ES384
        | Algorithm::ES512
        | Algorithm::EdDSA
        | Algorithm::MlDsa44
        | Algorithm::MlDsa65
        | Algorithm::MlDsa87 => None,
    }
}

//! The cryptography behind a key: jsonwebtoken where it can, aws-lc-rs itself where it cannot.

use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RsaParameters, RsaPublicKeyComponents,
};
use jsonwebtoken::{DecodingKey, crypto};

use crate::Algorithm;
use crate::token::Signature;

/// What verifies signatures.
pub(super) enum Material {
    /// Everything that jsonwebtoken has a verifier for.
    Common(DecodingKey),
    /// ES512, which it lacks.
    P521(ParsedPublicKey),
    /// RSA under 2048 bits, which it rightly refuses and the legacy list needs.
    SmallRsa(RsaPublicKeyComponents<Vec<u8>>),
}

impl Material {
    /// Whether the signature is over the message. The caller has bound the algorithm to the key.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &Signature<'_>) -> bool {
        match self {
            Self::Common(key) => counterpart(algorithm).is_some_and(|algorithm| {
                crypto::verify(signature.encoded, message, key, algorithm).unwrap_or(false)
            }),
            Self::P521(key) => {
                algorithm == Algorithm::ES512 && key.verify_sig(message, &signature.bytes).is_ok()
            }
            Self::SmallRsa(key) => small_rsa_parameters(algorithm)
                .is_some_and(|parameters| key.verify(parameters, message, &signature.bytes).is_ok()),
        }
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
        | Algorithm::EdDSA => None,
    }
}

/// The same algorithm in jsonwebtoken's words.
fn counterpart(algorithm: Algorithm) -> Option<jsonwebtoken::Algorithm> {
    Some(match algorithm {
        Algorithm::HS256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::HS384 => jsonwebtoken::Algorithm::HS384,
        Algorithm::HS512 => jsonwebtoken::Algorithm::HS512,
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::RS384 => jsonwebtoken::Algorithm::RS384,
        Algorithm::RS512 => jsonwebtoken::Algorithm::RS512,
        Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::PS384 => jsonwebtoken::Algorithm::PS384,
        Algorithm::PS512 => jsonwebtoken::Algorithm::PS512,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::ES384 => jsonwebtoken::Algorithm::ES384,
        Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::ES512 => return None,
    })
}

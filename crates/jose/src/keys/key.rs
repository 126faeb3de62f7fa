//! One usable verification key.

use std::fmt;
use std::sync::Arc;

use super::curve::Curve;
use super::identity::Identity;
use super::material::Material;
use super::ml_dsa::MlDsa;
use super::thumbprint::Thumbprints;
use crate::base64url::encode;
use crate::{Algorithm, AlgorithmSet};

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA.
    Rsa {
        /// Size of the modulus.
        bits: usize,
    },
    /// ECDSA.
    Ec(Curve),
    /// EdDSA on Ed25519.
    Ed25519,
    /// ML-DSA.
    MlDsa(MlDsa),
    /// A shared secret.
    Oct,
}

impl KeyKind {
    /// The JWK key type (RFC 7518 section 6.1, RFC 8037 section 2, RFC 9964 section 3).
    pub const fn kty(self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RSA",
            Self::Ec(_) => "EC",
            Self::Ed25519 => "OKP",
            Self::MlDsa(_) => "AKP",
            Self::Oct => "oct",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
            Self::Ec(curve) => write!(f, "EC {curve}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::MlDsa(set) => set.fmt(f),
            Self::Oct => f.write_str("secret"),
        }
    }
}

/// Which tokens a key is tried for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those that name its `kid`, and those that name none.
    Named,
    /// Every token: a PEM has no `kid`, and the legacy list never bound by it.
    Every,
}

/// A usable verification key. Copies share the material.
#[derive(Clone)]
pub struct Key {
    pub(super) kid: Option<String>,
    pub(super) kind: KeyKind,
    pub(super) algorithms: AlgorithmSet,
    pub(super) reach: Reach,
    pub(super) thumbprints: Thumbprints,
    pub(super) issuer: Option<String>,
    pub(super) identity: Identity,
    pub(super) material: Arc<Material>,
}

impl Key {
    /// The key's identifier.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What kind of key it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The algorithms that it may verify: bound by its type, its curve, its size and its own `alg`.
    pub fn algorithms(&self) -> AlgorithmSet {
        self.algorithms
    }

    /// Whose key it says it is (member `issuer`, as Entra writes it). It counts where an issuer is a tenant or many.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// What may be shown of its material.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The hashes of its certificate, as base64url, each with the member that names the key by it (`x5t`, `x5t#S256`).
    pub fn certificate_hashes(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.thumbprints.named().map(|(name, hash)| (name, encode(hash)))
    }

    /// The hashes by which tokens may name it.
    pub(crate) fn thumbprints(&self) -> &Thumbprints {
        &self.thumbprints
    }

    /// Whether it is tried for tokens with another `kid` too.
    pub(crate) fn is_for_every_token(&self) -> bool {
        self.reach == Reach::Every
    }

    /// Whether the signature is the key's over the message.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.algorithms.contains(algorithm) && self.material.verifies(algorithm, message, signature)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("kind", &self.kind)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::{KeyOrigin, KeyRules, KeySet, Profile};

    #[test]
    fn a_key_verifies_no_algorithm_that_it_is_not_bound_to() {
        let rules = KeyRules {
            origin: KeyOrigin::File,
            profile: Profile::Standard,
            allow_short_secrets: false,
            allow_mixed_keys: false,
        };
        let secret = [7; 64];
        let jwk = format!(r#"{{"kty":"oct","alg":"HS256","k":"{}"}}"#, URL_SAFE_NO_PAD.encode(secret));
        let set = KeySet::parse(jwk.as_bytes(), &rules).unwrap();
        for (algorithm, hash, expected) in
            [(Algorithm::HS256, hmac::HMAC_SHA256, true), (Algorithm::HS512, hmac::HMAC_SHA512, false)]
        {
            let tag = hmac::sign(&hmac::Key::new(hash, &secret), b"message");
            let verifies = set.keys()[0].verifies(algorithm, b"message", tag.as_ref());
            assert_eq!(verifies, expected, "{algorithm}");
        }
    }

    #[test]
    fn a_key_is_named_by_the_hashes_of_its_certificate() {
        let rules = KeyRules {
            origin: KeyOrigin::Url,
            profile: Profile::Standard,
            allow_short_secrets: false,
            allow_mixed_keys: false,
        };
        let [sha1, sha256] = [URL_SAFE_NO_PAD.encode([1; 20]), URL_SAFE_NO_PAD.encode([2; 32])];
        let point = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let jwk = format!(
            r##"{{"kty":"OKP","crv":"Ed25519","x":"{point}","x5t":"{sha1}","x5t#S256":"{sha256}"}}"##
        );
        let set = KeySet::parse(jwk.as_bytes(), &rules).unwrap();
        let hashes: Vec<_> = set.keys()[0].certificate_hashes().collect();
        assert_eq!(hashes, [("x5t", sha1), ("x5t#S256", sha256)]);
    }

    #[test]
    fn a_kind_has_the_type_of_its_jwk_and_a_name_for_operators() {
        for (kind, kty, name) in [
            (KeyKind::Rsa { bits: 2048 }, "RSA", "RSA 2048"),
            (KeyKind::Ec(Curve::P384), "EC", "EC P-384"),
            (KeyKind::Ed25519, "OKP", "Ed25519"),
            (KeyKind::MlDsa(MlDsa::Set65), "AKP", "ML-DSA-65"),
            (KeyKind::Oct, "oct", "secret"),
        ] {
            assert_eq!((kind.kty(), kind.to_string().as_str()), (kty, name));
        }
    }
}

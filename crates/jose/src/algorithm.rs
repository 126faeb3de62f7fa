//! The signature algorithms of RFC 7518 section 3, RFC 8037, RFC 9864 and RFC 9964 that this crate verifies, and sets of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Declares [`Algorithm`] with its registered names in one table, so that no list can lose a row.
macro_rules! algorithms {
    ($($(#[$doc:meta])* $name:ident = $registered:literal,)+) => {
        /// A JWS `alg` value. `none` is not among them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Algorithm {
            $($(#[$doc])* #[serde(rename = $registered)] $name,)+
        }

        impl Algorithm {
            /// Every algorithm that this crate verifies.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The registered name, as the `alg` header parameter spells it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $registered,)+ }
            }
        }
    };
}

algorithms! {
    /// HMAC with SHA-256.
    HS256 = "HS256",
    /// HMAC with SHA-384.
    HS384 = "HS384",
    /// HMAC with SHA-512.
    HS512 = "HS512",
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256 = "RS256",
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384 = "RS384",
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512 = "RS512",
    /// RSASSA-PSS with SHA-256.
    PS256 = "PS256",
    /// RSASSA-PSS with SHA-384.
    PS384 = "PS384",
    /// RSASSA-PSS with SHA-512.
    PS512 = "PS512",
    /// ECDSA on P-256 with SHA-256.
    ES256 = "ES256",
    /// ECDSA on P-384 with SHA-384.
    ES384 = "ES384",
    /// ECDSA on P-521 with SHA-512.
    ES512 = "ES512",
    /// EdDSA, of which only Ed25519 is verified. Its fully-specified name `Ed25519` (RFC 9864 section 2.2) means the same.
    EdDSA = "EdDSA",
    /// ML-DSA-44 (FIPS 204), pure and with an empty context.
    MlDsa44 = "ML-DSA-44",
    /// ML-DSA-65.
    MlDsa65 = "ML-DSA-65",
    /// ML-DSA-87.
    MlDsa87 = "ML-DSA-87",
}

/// The text is not the name of an [`Algorithm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a supported signature algorithm")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Exact and case-sensitive (RFC 7515 section 4.1.1).
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        // The one algorithm with two registered names; `Ed448`, which the older one also covers, is not among ours.
        let name = if name == "Ed25519" { Self::EdDSA.as_str() } else { name };
        Self::ALL.iter().copied().find(|algorithm| algorithm.as_str() == name).ok_or(UnknownAlgorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names of the registry "JSON Web Signature and Encryption Algorithms" that are no signature algorithms of ours: those of
/// encryption, and what is not verified here. `none` is registered too.
const REGISTERED_ELSEWHERE: [&str; 16] = [
    "none", "ES256K", "Ed448", "RSA1_5", "dir", "RS1", "HS1", "A128CBC", "A192CBC", "A256CBC", "A128CTR",
    "A192CTR", "A256CTR", "A128GCM", "A192GCM", "A256GCM",
];

/// How the registry's families of such names begin.
const REGISTERED_FAMILIES: [&str; 15] = [
    "RSA-OAEP",
    "ECDH-ES",
    "PBES2-",
    "A128KW",
    "A192KW",
    "A256KW",
    "A128GCMKW",
    "A192GCMKW",
    "A256GCMKW",
    "A128CBC-",
    "A192CBC-",
    "A256CBC-",
    "ML-DSA-",
    "SLH-DSA-",
    "HPKE-",
];

/// Whether the name is registered for something that no key of ours does, so that a key which bears it is none of ours.
pub(crate) fn is_registered_elsewhere(name: &str) -> bool {
    REGISTERED_ELSEWHERE.contains(&name) || REGISTERED_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// A set of algorithms, such as an allow-list.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlgorithmSet(u32);

impl AlgorithmSet {
    /// No algorithm.
    pub const EMPTY: Self = Self(0);

    /// Every algorithm.
    pub const ALL: Self = Self::of(Algorithm::ALL);

    /// HMAC with any of the hashes.
    pub const HMAC: Self = Self::of(&[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512]);

    /// RSA with any padding and hash.
    pub const RSA: Self = Self::of(&[
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
    ]);

    /// The set of the listed algorithms.
    pub const fn of(mut algorithms: &[Algorithm]) -> Self {
        let mut bits = 0;
        while let [first, rest @ ..] = algorithms {
            bits |= bit(*first);
            algorithms = rest;
        }
        Self(bits)
    }

    /// Whether the algorithm is in the set.
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & bit(algorithm) != 0
    }

    /// Whether the set holds nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What both sets hold.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The algorithms in the order of [`Algorithm::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.iter().copied().filter(move |algorithm| self.contains(*algorithm))
    }
}

const fn bit(algorithm: Algorithm) -> u32 {
    1 << algorithm as u32
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        algorithms.into_iter().fold(Self::EMPTY, |set, algorithm| Self(set.0 | bit(algorithm)))
    }
}

impl fmt::Debug for AlgorithmSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_exactly_and_in_no_other_case() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(*algorithm));
            assert_eq!(algorithm.to_string(), algorithm.as_str());
        }
        assert_eq!("Ed25519".parse(), Ok(Algorithm::EdDSA));
        for name in [
            "",
            "none",
            "None",
            "NONE",
            "hs256",
            "Hs256",
            "HS256 ",
            "ES521",
            "ES256K",
            "EDDSA",
            "ed25519",
            "Ed448",
            "RSA-OAEP",
            "ml-dsa-44",
            "ML-DSA-43",
            "ML-DSA-44 ",
            "ML_DSA_44",
            "MlDsa44",
            "ML-DSA",
            "HashML-DSA-44",
            "ML-DSA-44-ES256",
        ] {
            assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm), "{name:?}");
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: AlgorithmSet = [Algorithm::ES256, Algorithm::HS256].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Algorithm::HS256, Algorithm::ES256]);
        assert_eq!(
            [Algorithm::ES256, Algorithm::HS256, Algorithm::ES256].into_iter().collect::<AlgorithmSet>(),
            set
        );
        assert_eq!(AlgorithmSet::of(&[Algorithm::ES256, Algorithm::HS256, Algorithm::ES256]), set);
        assert!(!set.contains(Algorithm::RS256));
        assert!(AlgorithmSet::EMPTY.is_empty() && !set.is_empty());
        assert_eq!(AlgorithmSet::ALL.iter().count(), Algorithm::ALL.len());
        assert!(AlgorithmSet::HMAC.intersection(AlgorithmSet::RSA).is_empty());
        assert_eq!(format!("{set:?}"), "{HS256, ES256}");
    }
}

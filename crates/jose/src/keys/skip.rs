//! Why a key was left out, or taken with a doubt. No text here ever holds key material.

use std::fmt;

use super::curve::Curve;
use super::ml_dsa::MlDsa;
use crate::Algorithm;

/// A key that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey<R = SkipReason> {
    /// Its identifier, if it has a readable one.
    pub kid: Option<String>,
    /// Its place in the source, from 1.
    pub position: usize,
    /// Why.
    pub reason: R,
}

impl<R: fmt::Display> fmt::Display for SkippedKey<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kid {
            Some(kid) => write!(f, "key {}: {}", Excerpt::of(kid), self.reason),
            None => write!(f, "key {} without kid: {}", self.position, self.reason),
        }
    }
}

/// A key that was taken with a doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyWarning {
    /// Its identifier.
    pub kid: Option<String>,
    /// The doubt.
    pub doubt: Doubt,
}

impl fmt::Display for KeyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}: {}", Named(self.kid.as_deref()), self.doubt)
    }
}

/// Why a key was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// Not a JSON object whose members are unique.
    #[error("not a JSON object with unique members")]
    Malformed,
    /// A parameter is missing, of the wrong type, or not in its canonical encoding (RFC 7518 section 6).
    #[error("parameter `{0}` is missing or malformed")]
    Parameter(&'static str),
    /// `kty` is one that nothing here can use, such as `LMS`.
    #[error("key type {0} is not supported")]
    KeyType(Excerpt),
    /// `crv` is not supported for that key type.
    #[error("curve {0} is not supported")]
    Curve(Excerpt),
    /// `use` is not `sig` (RFC 7517 section 4.2).
    #[error("its use is {0}, not \"sig\"")]
    Use(Excerpt),
    /// `key_ops` is there without `verify` (RFC 7517 section 4.3).
    #[error("its key_ops do not contain \"verify\"")]
    KeyOps,
    /// `alg` is no signature algorithm that is known here.
    #[error("algorithm {0} is not a supported signature algorithm")]
    UnknownAlgorithm(Excerpt),
    /// `alg` needs another key type or curve.
    #[error("algorithm {0} does not fit the key's type, curve or size")]
    Algorithm(Algorithm),
    /// Private parameters without the public ones, or a PEM private key.
    #[error("only the private half is given; verification needs the public one")]
    PrivateOnly,
    /// A key of type `AKP` with its private half, which RFC 9964 section 3 keeps out of public keys.
    #[error(
        "holds its private half, so that others may sign with it; not used: make a new key, publish the public half alone"
    )]
    PrivateHalf,
    /// The public key has not the length of its parameter set (FIPS 204 section 4).
    #[error("public key of {bytes} bytes; those of {set} have {}", set.public_key_len())]
    PublicKeySize {
        /// The parameter set.
        set: MlDsa,
        /// The size found.
        bytes: usize,
    },
    /// The coordinates are not a point on the curve.
    #[error("not a point on {0}")]
    Point(Curve),
    /// The RSA modulus is too short or too long.
    #[error("RSA modulus of {bits} bits; {min} to {max} are accepted")]
    ModulusSize {
        /// The size found.
        bits: usize,
        /// The smallest that is accepted.
        min: usize,
        /// The largest that is accepted.
        max: usize,
    },
    /// The RSA public exponent is even, below 3 or beyond 33 bits.
    #[error("RSA public exponent is not an odd number from 3 to 2^33")]
    Exponent,
    /// The RSA modulus is even, or carries the mark of CVE-2017-15361 (ROCA).
    #[error("RSA modulus is even or can be factored (CVE-2017-15361)")]
    WeakModulus,
    /// The first certificate of `x5c` holds another key than the other members (RFC 7517 section 4.7).
    #[error("its x5c certificate holds another key")]
    Certificate,
    /// An empty secret proves nothing.
    #[error("empty secret")]
    EmptySecret,
    /// The secret is shorter than the output of the hash (RFC 7518 section 3.2).
    #[error("secret of {bits} bits; {min} are required")]
    ShortSecret {
        /// The size found.
        bits: usize,
        /// The smallest that is accepted.
        min: usize,
    },
    /// The "secret" is a key in PEM, JWK or DER, which others may know.
    #[error("the secret is the text of a key, such as a PEM; a public key must never be a secret")]
    SecretIsKey,
    /// A symmetric key beside asymmetric ones from a URL: what is published is no secret.
    #[error("symmetric key beside asymmetric ones from a URL")]
    MixedKinds,
    /// A PEM block that is neither a public key nor a certificate, or that cannot be read.
    #[error("not a readable PEM public key or certificate")]
    Pem,
    /// A public key of an algorithm that nothing here can use.
    #[error("public key algorithm is not supported")]
    PublicKeyAlgorithm,
    /// A certificate that issued another one of the source: of a chain only the first certificate is a key.
    #[error("its certificate issued another one here; of a chain only the first certificate is a key")]
    Issuer,
    /// An entry of the legacy list has not exactly one of `secret` and `cert`.
    #[error("exactly one of `secret` and `cert` is needed")]
    LegacyEntry,
    /// The source holds more keys than are taken; this stands for all the others.
    #[error("{more} keys over the limit of {max}")]
    TooMany {
        /// How many were not looked at.
        more: usize,
        /// The limit.
        max: usize,
    },
}

impl SkipReason {
    /// The reason in one word of a closed list, for metrics and programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Parameter(_) => "parameter",
            Self::KeyType(_) => "key_type",
            Self::Curve(_) => "curve",
            Self::Use(_) => "use",
            Self::KeyOps => "key_ops",
            Self::UnknownAlgorithm(_) => "unknown_algorithm",
            Self::Algorithm(_) => "algorithm",
            Self::PrivateOnly => "private_only",
            Self::PrivateHalf => "private_half",
            Self::PublicKeySize { .. } => "public_key_size",
            Self::Point(_) => "point",
            Self::ModulusSize { .. } => "modulus_size",
            Self::Exponent => "exponent",
            Self::WeakModulus => "weak_modulus",
            Self::Certificate => "certificate",
            Self::EmptySecret => "empty_secret",
            Self::ShortSecret { .. } => "short_secret",
            Self::SecretIsKey => "secret_is_key",
            Self::MixedKinds => "mixed_kinds",
            Self::Pem => "pem",
            Self::PublicKeyAlgorithm => "public_key_algorithm",
            Self::Issuer => "issuer",
            Self::LegacyEntry => "legacy_entry",
            Self::TooMany { .. } => "too_many",
        }
    }
}

/// Why a key is in doubt though it was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// A secret shorter than the output of the hash can be guessed from one token.
    #[error("secret of {bits} bits, shorter than its hash; it can be guessed from one token")]
    ShortSecret {
        /// The size found.
        bits: usize,
    },
    /// An RSA modulus under 2048 bits.
    #[error("RSA modulus of {bits} bits; 2048 are the least that is safe")]
    SmallModulus {
        /// The size found.
        bits: usize,
    },
    /// A symmetric key beside asymmetric ones from a URL.
    #[error("symmetric key beside asymmetric ones from a URL; what is published is no secret")]
    MixedKinds,
    /// The JWK holds private parameters, which do not belong where keys are verified.
    #[error("holds private parameters; only the public half is used, and the private one should not be here")]
    PrivateParameters,
    /// `alg` is no registered name, and counts as absent.
    #[error("its algorithm {0} is no registered name and counts as absent")]
    UnregisteredAlgorithm(Excerpt),
    /// `x5c` cannot be read; the other members give the key.
    #[error("its x5c certificate cannot be read; the other members give the key")]
    UnreadableCertificate,
}

/// The beginning of a text from a key source, fit for a log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt(String);

/// Registered names are shorter; a megabyte is not for a log.
const EXCERPT_CHARS: usize = 32;

impl Excerpt {
    pub(crate) fn of(text: &str) -> Self {
        Self(text.chars().take(EXCERPT_CHARS).collect())
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A key's name in a message.
struct Named<'a>(Option<&'a str>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(kid) => Excerpt::of(kid).fmt(f),
            None => f.write_str("without kid"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_one_word_for_programs() {
        for (reason, word) in [
            (SkipReason::Malformed, "malformed"),
            (SkipReason::KeyType(Excerpt::of("LMS")), "key_type"),
            (SkipReason::EmptySecret, "empty_secret"),
            (SkipReason::ShortSecret { bits: 8, min: 256 }, "short_secret"),
            (SkipReason::WeakModulus, "weak_modulus"),
        ] {
            assert_eq!(reason.word(), word);
        }
    }

    #[test]
    fn messages_are_short_and_escape_what_the_source_wrote() {
        let skipped = SkippedKey {
            kid: Some("a\n\"b".to_owned()),
            position: 1,
            reason: SkipReason::KeyType(Excerpt::of("LMS")),
        };
        assert_eq!(skipped.to_string(), r#"key "a\n\"b": key type "LMS" is not supported"#);
        let long =
            SkippedKey { kid: None, position: 7, reason: SkipReason::Curve(Excerpt::of(&"x".repeat(1000))) };
        assert!(long.to_string().starts_with("key 7 without kid: curve") && long.to_string().len() < 100);
        let warning = KeyWarning { kid: None, doubt: Doubt::ShortSecret { bits: 8 } };
        assert!(warning.to_string().starts_with("key without kid: secret of 8 bits"));
    }
}

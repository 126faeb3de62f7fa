//! Why a decryption key was left out. No text here ever holds key material.

use crate::{Excerpt, SkipReason};

/// Why a decryption key was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptionSkipReason {
    /// What would keep out a verification key as well.
    #[error(transparent)]
    Key(#[from] SkipReason),
    /// `use` is not `enc` (RFC 7517 section 4.2).
    #[error("its use is {0}, not \"enc\"")]
    Use(Excerpt),
    /// `key_ops` is there without any of the operations that decrypt (RFC 7517 section 4.3).
    #[error("its key_ops contain none of \"decrypt\", \"unwrapKey\", \"deriveKey\", \"deriveBits\"")]
    KeyOps,
    /// `alg` is neither key management nor content encryption that is known here.
    #[error("algorithm {0} is not a supported encryption algorithm")]
    UnknownAlgorithm(Excerpt),
    /// `enc` is no content encryption that is known here.
    #[error("content encryption {0} is not supported")]
    UnknownContentEncryption(Excerpt),
    /// Type and size fit none of the algorithms that `alg` and `enc` allow.
    #[error("its type and size ({bits} bits) fit no algorithm that its alg and enc allow")]
    Unfit {
        /// The size of the secret, the modulus, or a coordinate of the curve in whole bytes.
        bits: usize,
    },
    /// The private parameters are missing; decryption needs them.
    #[error("only the public half is given; decryption needs the private one")]
    PublicOnly,
    /// The private parameters do not belong to the public ones.
    #[error("its private and public parameters do not belong together")]
    Mismatch,
    /// A secret without `kid` that is not the default: no token may use it.
    #[error("a secret with neither a kid nor the default mark, so that no token can reach it")]
    Unreachable,
}

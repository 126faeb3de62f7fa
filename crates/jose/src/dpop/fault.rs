//! Why a proof proves nothing.

use crate::Reject;

/// Why a proof is not one for this request (RFC 9449 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProofFault {
    /// It is longer than a proof by its algorithm can be.
    #[error("the proof is longer than {max} bytes")]
    TooLong {
        /// The most bytes that are read.
        max: usize,
    },
    /// It is no compact JWS with a strict JSON header and claims.
    #[error("the proof is no signed token in compact form")]
    Malformed,
    /// `typ` is not `dpop+jwt`.
    #[error("the proof's typ is not dpop+jwt")]
    Type,
    /// `alg` is symmetric, unknown, `none`, or not an accepted one.
    #[error("the proof's alg is not an accepted one")]
    Algorithm,
    /// `jwk` is absent or not a key for this `alg`.
    #[error("the proof's jwk is absent, too weak, or not a key for its alg")]
    Key,
    /// `jwk` holds a private or secret member: its owner has given the key away.
    #[error("the proof's jwk holds a private key")]
    PrivateKey,
    /// The token is bound to another key.
    #[error("the proof is made by another key than the token is bound to")]
    OtherKey,
    /// A claim is absent, of another type, or too long.
    #[error("the proof's claim {0} is absent, of another type than it must be, or too long")]
    Claim(&'static str),
    /// `htm` is another method.
    #[error("the proof is for another method")]
    Method,
    /// `htu` is another URI, or none of http or https.
    #[error("the proof is for another URI")]
    Target,
    /// `ath` is the hash of another token.
    #[error("the proof is for another token")]
    TokenHash,
    /// `iat` is too long ago or in the future.
    #[error("the proof is too old, or of a time to come")]
    Time,
    /// `nonce` is absent, no longer accepted, or not one of ours.
    #[error("the proof has no nonce, or not a current one of ours")]
    Nonce,
    /// The key of `jwk` did not make the signature.
    #[error("the proof's signature is not by its jwk")]
    Signature,
    /// It was used before.
    #[error("the proof was used before")]
    Replayed,
    /// No more proofs can be remembered, and one that is not remembered could be used again.
    #[error("as many proofs are remembered as there is room for")]
    NoRoom,
    /// The proxy does not tell over which scheme and to which host the request came.
    #[error("it is not told whether the request came over TLS, or to which host")]
    Untold,
}

impl ProofFault {
    /// What becomes of the request.
    pub const fn reject(self) -> Reject {
        match self {
            Self::OtherKey => Reject::Binding,
            Self::Time => Reject::ProofTime,
            Self::Nonce => Reject::Nonce,
            Self::Replayed => Reject::ProofReplayed,
            Self::NoRoom => Reject::Overloaded,
            Self::Untold => Reject::Argument,
            Self::TooLong { .. }
            | Self::Malformed
            | Self::Type
            | Self::Algorithm
            | Self::Key
            | Self::PrivateKey
            | Self::Claim(_)
            | Self::Method
            | Self::Target
            | Self::TokenHash
            | Self::Signature => Reject::Proof,
        }
    }
}

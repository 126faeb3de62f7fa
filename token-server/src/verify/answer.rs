//! The answer to a question, in words of no transport.

use std::sync::Arc;

use bytes::Bytes;
use jose::{Reason, Reject};

use super::cache::Verified;

/// Whether a request may pass.
pub enum Answer {
    /// It may.
    Pass(Pass),
    /// It may not.
    Refuse {
        /// Why not.
        reject: Reject,
        /// What its client is told; absent where a better token would not help.
        challenge: Option<Challenge>,
    },
}

/// Why a request may pass.
pub enum Pass {
    /// Its token is good.
    Token(Arc<Verified>),
    /// It has none, and the policy asks for none.
    Missing,
    /// It is a CORS preflight.
    Preflight,
}

/// What a refusal asks of the client (RFC 6750 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// A token. Section 3.1: a request that shows none gets no error code.
    Token,
    /// Another token.
    Another {
        /// The error code.
        error: &'static str,
        /// Why, in one word.
        description: &'static str,
    },
}

impl Answer {
    /// A refusal, with what it tells the client.
    pub fn refuse(reject: Reject) -> Self {
        Self::Refuse { reject, challenge: Challenge::of(reject) }
    }
}

impl Pass {
    /// The values of the claims that the application learns, in the order of its policy; absent where there is no token.
    pub fn handed_on(&self) -> Option<&[Bytes]> {
        match self {
            Self::Token(verified) => Some(&verified.handed_on),
            Self::Missing | Self::Preflight => None,
        }
    }

    pub(super) fn detail(&self) -> &'static str {
        match self {
            Self::Token(_) => "ok",
            Self::Missing => "missing",
            Self::Preflight => "preflight",
        }
    }
}

impl Challenge {
    fn of(reject: Reject) -> Option<Self> {
        let description = reject.detail();
        match (reject.reason(), reject) {
            (Reason::Ok | Reason::BackendUnavailable, _) => None,
            (_, Reject::Missing | Reject::Scheme) => Some(Self::Token),
            (Reason::StepUp, _) => {
                Some(Self::Another { error: "insufficient_user_authentication", description })
            }
            (Reason::Forbidden, _) => Some(Self::Another { error: "insufficient_scope", description }),
            (
                Reason::Invalid
                | Reason::Legacy
                | Reason::AccessTokenRequired
                | Reason::TooLarge
                | Reason::AudienceMismatch,
                _,
            ) => Some(Self::Another { error: "invalid_token", description }),
        }
    }
}

//! The answer to a question, in words of no transport.

use std::sync::Arc;

use bytes::Bytes;
use jose::{AuthScheme, Challenges, Reject};

use super::cache::Verified;

/// Whether a request may pass.
pub enum Answer {
    /// It may.
    Pass(Pass),
    /// It may not.
    Refuse {
        /// Why not.
        reject: Reject,
        /// What its client is told (`WWW-Authenticate`); absent where a better token would not help.
        challenge: Option<Box<str>>,
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

impl Answer {
    /// A refusal of what came behind this scheme, with what its policy tells the client.
    pub fn refuse(reject: Reject, scheme: AuthScheme, challenges: Option<&Challenges>) -> Self {
        Self::Refuse {
            reject,
            challenge: challenges.and_then(|texts| texts.of(reject, scheme)).map(Into::into),
        }
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

//! What forward-auth goes by.

use service::sample::LogLines;

use super::claim_headers::ClaimHeaders;
use super::place::TokenPlace;
use super::proxy::Proxy;
use crate::verify::{self, Limits};

/// What forward-auth goes by, beside whom we trust.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which proxy asks, and so which headers describe the original request; absent: none does.
    pub proxy: Option<Proxy>,
    /// Accepted `Authorization` schemes.
    pub schemes: Vec<String>,
    /// Longer tokens are refused.
    pub max_token_bytes: usize,
    /// Which refusals are logged.
    pub log_refusals: LogLines,
    /// How many verified tokens are kept.
    pub cache: Limits,
    /// What is particular to each policy, in the order of [`jose::Trust::policies`].
    pub guards: Vec<Guard>,
}

/// What a policy says beside what its tokens must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Where the token may stand.
    pub places: Vec<TokenPlace>,
    /// Whether a request without a token, or with credentials of another scheme, passes, with empty headers.
    pub allow_missing: bool,
    /// Whether a CORS preflight passes, which never carries a token (Fetch standard, section 3.3.5).
    pub preflight: bool,
    /// What the application learns.
    pub headers: ClaimHeaders,
}

impl Settings {
    /// What of them decides, whatever the transport.
    pub(super) fn for_decisions(&self) -> verify::Settings {
        verify::Settings {
            cache: self.cache,
            log_refusals: self.log_refusals,
            guards: self.guards.iter().map(Guard::for_decisions).collect(),
        }
    }
}

impl Guard {
    /// What of it decides, whatever the transport.
    pub fn for_decisions(&self) -> verify::Guard {
        verify::Guard {
            allow_missing: self.allow_missing,
            preflight: self.preflight,
            handed_on: self.headers.claims(),
        }
    }
}

//! Forward-auth: a proxy asks about each request, and lets it pass on 200 (Traefik `forwardAuth`, nginx `auth_request`,
//! Envoy `ext_authz` over HTTP).
//!
//! The way of a question: [`route`] finds the policy, [`question`] what is asked (by [`proxy`], what the proxy tells of the
//! original request, and [`token`], the one token in it), [`verifier`] judges it (with the [`cache`] for what cannot change
//! between two requests), [`claim_headers`] and [`answer`] say it in HTTP. What is not decided is no 200.

mod answer;
mod cache;
mod claim_headers;
mod metrics;
mod proxy;
mod question;
mod route;
mod token;
mod verifier;

pub use cache::Limits;
pub use claim_headers::{ClaimHeader, ClaimHeaders, HeaderFault};
pub use proxy::Proxy;
pub use question::Question;
pub use token::{MAX_PLACES, TokenPlace};
pub use verifier::Verifier;

pub(crate) use metrics::VerifyMetrics;
pub(crate) use route::ForwardAuth;

use service::refusals::LogRefusals;

/// What the forward-auth routes go by.
#[derive(Debug, Clone)]
pub struct VerifySettings {
    /// Whom we trust, and for what.
    pub trust: jose::Trust,
    /// Which proxy asks, and so which headers describe the original request; absent: none does.
    pub proxy: Option<Proxy>,
    /// Accepted `Authorization` schemes.
    pub schemes: Vec<String>,
    /// Longer tokens are refused.
    pub max_token_bytes: usize,
    /// Which refusals are logged.
    pub log_refusals: LogRefusals,
    /// The `realm` of a challenge.
    pub realm: String,
    /// How many verified tokens are kept.
    pub cache: Limits,
    /// What is particular to each policy, in the order of [`jose::Trust::routes`].
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

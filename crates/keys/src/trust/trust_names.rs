//! What each program calls the flat settings of trust.

use super::challenges::ChallengeNames;
use super::fetch::FetchNames;

/// The names of these settings, as a program's environment has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustNames {
    /// The file of settings, where tables stand.
    pub config: &'static str,
    /// A file of keys.
    pub file: &'static str,
    /// Issuers whose keys are found by discovery.
    pub oidc_issuers: &'static str,
    /// The time between two reloads of the keys.
    pub sync_interval: &'static str,
    /// Whether short secrets are good enough.
    pub allow_short_secrets: &'static str,
    /// Whether a URL may have secrets beside public keys.
    pub allow_mixed_keys: &'static str,
    /// Accepted issuers.
    pub issuers: &'static str,
    /// Accepted audiences.
    pub audiences: &'static str,
    /// Accepted algorithms.
    pub algorithms: &'static str,
    /// Clock skew.
    pub leeway: &'static str,
    /// What becomes of bound tokens.
    pub binding: &'static str,
    /// What becomes of tokens that are no JWT.
    pub opaque: &'static str,
    /// Claims that must be there.
    pub required: &'static str,
    /// What refused clients are told.
    pub challenge: ChallengeNames,
    /// How the URLs are fetched.
    pub fetch: FetchNames,
}

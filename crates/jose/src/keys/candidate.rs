//! A key of a source, before it is known whether it can be used.

use super::components::Admitted;
use super::key::Reach;
use super::skip::SkipReason;
use super::thumbprint::Thumbprints;

/// What became of one key of a source.
pub(super) struct Candidate {
    pub(super) kid: Option<String>,
    pub(super) reach: Reach,
    pub(super) thumbprints: Thumbprints,
    pub(super) issuer: Option<String>,
    pub(super) outcome: Result<Admitted, SkipReason>,
}

impl Candidate {
    /// A key that is tried for tokens with its `kid`, or for all tokens if it has none.
    pub(super) fn named(kid: Option<String>, outcome: Result<Admitted, SkipReason>) -> Self {
        let reach = if kid.is_some() { Reach::Named } else { Reach::Every };
        Self { kid, reach, thumbprints: Thumbprints::default(), issuer: None, outcome }
    }

    /// A key that is tried for tokens with any `kid`.
    pub(super) fn unbound(kid: Option<String>, outcome: Result<Admitted, SkipReason>) -> Self {
        Self { kid, reach: Reach::Every, thumbprints: Thumbprints::default(), issuer: None, outcome }
    }

    /// With hashes by which tokens may name the key.
    pub(super) fn with_thumbprints(self, thumbprints: Thumbprints) -> Self {
        Self { thumbprints, ..self }
    }

    /// With what it says of whose it is.
    pub(super) fn of_issuer(self, issuer: Option<String>) -> Self {
        Self { issuer, ..self }
    }

    pub(super) fn skipped(kid: Option<String>, reason: SkipReason) -> Self {
        Self::named(kid, Err(reason))
    }
}

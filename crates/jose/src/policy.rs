//! What a route asks for: one of the policies by whose names HAProxy, or another proxy, chooses.

use crate::{AlgorithmSet, Challenges, Requirements, Resource};

/// A named policy: what a token must be on top of what its issuer's tokens must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What HAProxy's `policy` argument says.
    pub name: String,
    /// The issuers that are accepted, as indexes of [`Trust::issuers`].
    pub issuers: Vec<usize>,
    /// Accepted algorithms, of those that the issuer may use.
    pub algorithms: AlgorithmSet,
    /// Accepted audiences; empty: those of the issuer are enough.
    pub audiences: Vec<String>,
    /// Further conditions.
    pub requirements: Requirements,
    /// The API that it protects, as clients ask tokens for it.
    pub resource: Option<Resource>,
    /// What clients are told that are refused.
    pub challenges: Challenges,
}

impl Policy {
    /// The name of the one that is applied where none is asked for.
    pub const DEFAULT: &'static str = "default";

    /// One that asks no more than the issuers of these indexes do.
    pub fn of(name: impl Into<String>, issuers: Vec<usize>) -> Self {
        Self {
            name: name.into(),
            issuers,
            algorithms: AlgorithmSet::ALL,
            audiences: Vec::new(),
            requirements: Requirements::default(),
            resource: None,
            challenges: Challenges::default(),
        }
    }
}

//! What a route asks for: one of the policies by whose names HAProxy, or another proxy, chooses.

use crate::{
    AlgorithmSet, Binding, Challenges, Claims, Confirmation, Opaque, Reject, Requirements, Resource,
};

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
    /// Whether tokens must be bound, and proved, where their issuer asks for less; absent: as the issuer has it.
    pub binding: Option<Binding>,
    /// What becomes of tokens that are no JWT.
    pub opaque: Opaque,
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
            binding: None,
            opaque: Opaque::default(),
            requirements: Requirements::default(),
            resource: None,
            challenges: Challenges::default(),
        }
    }

    /// What the client of a token with these claims has to show, where the token's issuer asks for this.
    pub(crate) fn confirmation(&self, issuer: Binding, claims: &Claims) -> Result<Confirmation, Reject> {
        let by_issuer = issuer.confirmation(claims)?;
        let by_policy = self.binding.map_or(Ok(by_issuer), |own| own.confirmation(claims))?;
        // Both are of one claim: they differ only where one of the two does not look at it.
        Ok(if by_policy.is_none() { by_issuer } else { by_policy })
    }
}

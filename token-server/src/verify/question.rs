//! What is asked about one request: what it shows, in words of no transport.

use std::borrow::Cow;

use jose::{AuthScheme, Credentials, Reject, ShownProof};

use super::handed_on::HandedOn;

/// A policy that is configured, by its place in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PolicyId(pub(super) usize);

impl PolicyId {
    /// The default policy.
    pub const DEFAULT: Self = Self(0);

    /// Its place among the policies.
    pub fn place(self) -> usize {
        self.0
    }
}

/// What a policy says beside what its tokens must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Whether a request without a token, or with credentials of another scheme, passes.
    pub allow_missing: bool,
    /// Whether a CORS preflight passes, which never carries a token (Fetch standard, section 3.3.5).
    pub preflight: bool,
    /// What the application learns.
    pub handed_on: HandedOn,
}

/// A request, as far as it decides anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question<'a> {
    /// The policy to decide by; absent: it names one that is not configured.
    pub policy: Option<PolicyId>,
    /// Whether it is a CORS preflight.
    pub is_preflight: bool,
    /// What it shows, or why that cannot be told.
    pub credentials: Result<Credentials<'a>, Reject>,
    /// What it proves, or why that cannot be told; absent where the scheme of its token is not `DPoP`.
    pub proof: Option<Result<ShownProof<'a>, Reject>>,
    /// What the logs of others call the request, for ours; it decides nothing.
    pub request_id: Option<&'a str>,
}

/// What a request shows, by a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown<'a> {
    /// This one token.
    Token(Cow<'a, str>),
    /// None, and its policy lets it pass so.
    Missing,
    /// It is a CORS preflight, which its policy lets pass.
    Preflight,
}

impl<'a> Question<'a> {
    /// About a request of which it cannot be told what it shows.
    pub fn unreadable(policy: Option<PolicyId>, why: Reject, request_id: Option<&'a str>) -> Self {
        Self { policy, is_preflight: false, credentials: Err(why), proof: None, request_id }
    }

    /// The scheme of its token.
    pub fn scheme(&self) -> AuthScheme {
        if self.proof.is_some() { AuthScheme::Dpop } else { AuthScheme::Bearer }
    }

    /// What it shows by a policy with this guard.
    ///
    /// # Errors
    /// It shows no token though it needs one, or it cannot be told which.
    pub fn shown(self, guard: &Guard) -> Result<Shown<'a>, Reject> {
        if guard.preflight && self.is_preflight {
            return Ok(Shown::Preflight);
        }
        match self.credentials? {
            Credentials::Missing | Credentials::OtherScheme if guard.allow_missing => Ok(Shown::Missing),
            found => found.required().map(Shown::Token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_says_what_passes_without_a_token() {
        let token = || Ok(Credentials::Token("a.b.c".into()));
        let shown = || Ok(Shown::Token("a.b.c".into()));
        for (is_preflight, credentials, strict, open) in [
            (false, token(), shown(), shown()),
            (false, Ok(Credentials::Missing), Err(Reject::Missing), Ok(Shown::Missing)),
            (false, Ok(Credentials::OtherScheme), Err(Reject::Scheme), Ok(Shown::Missing)),
            (false, Err(Reject::Ambiguous), Err(Reject::Ambiguous), Err(Reject::Ambiguous)),
            (true, Ok(Credentials::Missing), Err(Reject::Missing), Ok(Shown::Preflight)),
            (true, token(), shown(), Ok(Shown::Preflight)),
            (true, Err(Reject::Ambiguous), Err(Reject::Ambiguous), Ok(Shown::Preflight)),
        ] {
            let question =
                Question { policy: None, is_preflight, credentials, proof: None, request_id: None };
            for (passes, expected) in [(false, strict), (true, open)] {
                let guard =
                    Guard { allow_missing: passes, preflight: passes, handed_on: HandedOn::default() };
                assert_eq!(question.clone().shown(&guard), expected, "{question:?} {passes}");
            }
        }
    }
}

//! Claims as rules are held against them: read once, for every rule that may be looked at.

use std::sync::Arc;
use std::time::Duration;

use jose::{Claims, IssuerPolicy, Profile, Reject, UnixTime};
use rules::{Issued, Token};
use tokio::time::Instant;

use crate::revocations::{Revocations, RulesVerdict};

/// A payload as the rules see it.
#[derive(Debug)]
pub struct Payload {
    claims: rules::Claims,
    dating: Dating,
    subject: Option<String>,
}

impl Payload {
    /// Reads a payload for the rules; `policy` says how far `iat` may be ahead of now.
    ///
    /// # Errors
    /// [`Reject::ClaimType`] and [`Reject::Malformed`] for what no rule could ever be held against.
    pub fn read(claims: &Claims, policy: &IssuerPolicy) -> Result<Self, Reject> {
        let subject = claims.revocable_subject(policy.profile)?;
        let dating = Dating::of(claims, policy);
        Ok(Self { claims: as_rules_read_them(claims)?, dating, subject })
    }

    /// Whose it is; absent when the claims name no subject.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The same, for good.
    pub fn into_subject(self) -> Option<String> {
        self.subject
    }

    /// Whether it says when it was issued.
    pub fn issued(&self, now: UnixTime) -> Issued {
        self.dating.issued(now)
    }

    /// What a rule is held against.
    pub fn token(&self, now: UnixTime) -> Token<'_> {
        Token { claims: &self.claims, issued: self.issued(now) }
    }

    /// Checks it by the rules as they are now, which are waited for until `until`.
    pub async fn check(&self, revocations: &Arc<Revocations>, now: UnixTime, until: Instant) -> RulesVerdict {
        revocations.check(self.token(now), self.subject(), seconds(now), until).await
    }
}

/// What a token says of its time of issue.
///
/// One that does not usably say it is not newer than a rule: without `iat`, not as a number, or in the future by more than
/// clocks may be apart (as milliseconds are). ms-users compares its dates, which are milliseconds, as they are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dating {
    AsItStands,
    /// By its `iat`, unless that cannot be read; how far it may be ahead.
    By(Option<UnixTime>, Duration),
}

impl Dating {
    pub(crate) fn of(claims: &Claims, policy: &IssuerPolicy) -> Self {
        match policy.profile {
            Profile::MsUsers => Self::AsItStands,
            Profile::Standard => Self::By(claims.numeric_date("iat").ok().flatten(), policy.leeway.start),
        }
    }

    pub(crate) fn issued(self, now: UnixTime) -> Issued {
        match self {
            Self::AsItStands => Issued::AsTold,
            Self::By(Some(at), apart) => {
                let ahead = at.as_millis().saturating_sub(now.as_millis());
                let apart = i64::try_from(apart.as_millis()).unwrap_or(i64::MAX);
                if ahead <= apart { Issued::AsTold } else { Issued::Unknown }
            }
            Self::By(None, _) => Issued::Unknown,
        }
    }
}

/// What the rules' JSON reader cannot hold, such as 1e400 or half a surrogate pair, no rule can be held against.
fn as_rules_read_them(claims: &Claims) -> Result<rules::Claims, Reject> {
    serde_json::from_str(claims.as_json()).map_err(|_| Reject::Malformed)
}

/// Unix seconds, rounded down.
pub fn seconds(time: UnixTime) -> i64 {
    time.as_millis().div_euclid(1000)
}

//! What is counted and logged of a decision.

use jose::{Claimed, Reason, Reject, TokenHash};
use keys::refusals::{RefusalLine, RefusalLog, shown_kid};
use service::sample::LogLines;
use service::shown;
use tokio::time::Instant;
use tracing::Level;

use super::answer::Pass;
use super::metrics::VerifyMetrics;

/// Counts decisions, and logs them as far as it is set to.
pub(super) struct Record {
    pub(super) metrics: VerifyMetrics,
    refusals: RefusalLog,
}

/// What is known of a request beside the decision on it.
pub(super) struct Decided<'a> {
    /// What the logs of others call it.
    pub(super) request_id: Option<&'a str>,
    /// The policy's name; absent where none is configured that it names.
    pub(super) policy: Option<&'a str>,
    /// Its one token.
    pub(super) token: Option<&'a str>,
    /// What the token says of itself, if it was refused.
    pub(super) claimed: Claimed<'a>,
}

impl Record {
    pub(super) fn new(metrics: VerifyMetrics, log_refusals: LogLines) -> Self {
        Self { metrics, refusals: RefusalLog::new(log_refusals) }
    }

    /// Counts and logs one decision.
    pub(super) fn decided(&self, of: &Decided<'_>, decision: &Result<Pass, Reject>) {
        let Decided { request_id, policy, token, claimed } = of;
        let (reason, detail) = match decision {
            Ok(pass) => (Reason::Ok, pass.detail()),
            Err(reject) => (reject.reason(), reject.detail()),
        };
        let issuer = issuer(decision, claimed);
        self.metrics.decided(*policy, issuer.as_deref(), reason, detail);
        let id = || token.map(|token| TokenHash::of(token).fingerprint());
        if decision.is_err() && self.refusals.is_on() {
            let (kid, id) = (claimed.kid.as_deref().map(shown_kid), id());
            let refusal = RefusalLine {
                request: *request_id,
                reason: reason.as_str(),
                detail,
                policy: *policy,
                issuer: issuer.as_deref(),
                kid: kid.as_deref(),
                id: id.as_deref(),
            };
            self.refusals.write(&refusal, Instant::now().into_std());
        }
        if tracing::enabled!(Level::DEBUG) {
            let id = id();
            tracing::debug!(
                request = request_id,
                id,
                reason = reason.as_str(),
                detail,
                policy = policy,
                "decided"
            );
        }
    }
}

/// The issuer as far as it is known.
fn issuer(decision: &Result<Pass, Reject>, claimed: &Claimed<'_>) -> Option<String> {
    match decision {
        Ok(Pass::Token(verified)) => verified.issuer.as_deref().map(str::to_owned),
        Ok(Pass::Missing | Pass::Preflight) => None,
        Err(_) => claimed.issuer.map(shown::url),
    }
}

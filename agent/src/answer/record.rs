//! What is counted and logged of a decision: made once, and used for each request that it answers.

use std::time::Instant;

use jose::{Claimed, Reject};
use keys::refusals::{RefusalLine, RefusalLog, shown_kid};
use prometheus_client::metrics::counter::Counter;
use service::shown;

use crate::decision::Decision;
use crate::metrics::Metrics;

/// How one decision is counted, and what the log says of it where it is a refusal.
#[derive(Debug, Default)]
pub struct Record {
    counter: Counter,
    refusal: Option<Box<Refused>>,
}

#[derive(Debug)]
struct Refused {
    reject: Reject,
    policy: Option<String>,
    issuer: Option<String>,
    kid: Option<String>,
    id: Option<String>,
}

impl Record {
    /// Of a decision on a token that says this of itself.
    pub fn new(decision: &Decision, claimed: &Claimed<'_>, metrics: &Metrics, log: &RefusalLog) -> Self {
        let reject = decision.outcome.reject();
        let counter = metrics.decisions(reject, decision.policy.as_deref(), claimed.issuer);
        let refusal = reject.filter(|_| log.is_on()).map(|reject| {
            Box::new(Refused {
                reject,
                policy: decision.policy.clone(),
                issuer: claimed.issuer.map(shown::url),
                kid: claimed.kid.as_deref().map(shown_kid),
                id: decision.id.clone(),
            })
        });
        Self { counter, refusal }
    }

    /// Counts it, and writes it into the log, for one request.
    pub fn note(&self, request: Option<&str>, log: &RefusalLog) {
        self.counter.inc();
        let Some(refused) = &self.refusal else { return };
        let refusal = RefusalLine {
            request,
            reason: refused.reject.reason().as_str(),
            detail: refused.reject.detail(),
            policy: refused.policy.as_deref(),
            issuer: refused.issuer.as_deref(),
            kid: refused.kid.as_deref(),
            id: refused.id.as_deref(),
        };
        log.write(&refusal, Instant::now());
    }
}

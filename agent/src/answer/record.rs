//! What is counted, logged and told of a decision: made once, and used for each request that it answers.

use std::sync::Arc;
use std::time::Instant;

use jose::{Algorithm, Claimed, Signed};
use keys::refusals::{RefusalLine, RefusalLog, shown_kid};
use prometheus_client::metrics::counter::Counter;
use revocation::report::cut;
use service::shown;

use super::told::{About, Teller};
use crate::decision::Decision;
use crate::metrics::Metrics;

/// How one decision is counted, and what is said of it where that is logged or told.
#[derive(Debug, Default)]
pub struct Record {
    counter: Counter,
    about: Option<Arc<About>>,
}

impl Record {
    /// Of a decision on a token that says this of itself.
    pub fn new(
        decision: &Decision,
        claimed: &Claimed<'_>,
        metrics: &Metrics,
        log: &RefusalLog,
        teller: Option<&Teller>,
    ) -> Self {
        let reject = decision.outcome.reject();
        let counter = metrics.decisions(reject, decision.policy.as_deref(), claimed.issuer);
        let is_logged = reject.is_some() && log.is_on();
        let about = (is_logged || teller.is_some()).then(|| {
            let signed = decision.outcome.signed().filter(|_| reject.is_none());
            Arc::new(About {
                reject,
                policy: decision.policy.clone(),
                issuer: claimed.issuer.map(shown::url),
                stranger: claimed.stranger.clone().map(cut),
                kid: claimed.kid.as_deref().map(shown_kid),
                alg: claimed.alg.map(Algorithm::as_str),
                header: teller.and(signed).and_then(Signed::protected_header).map(Box::from),
                id: decision.id.clone(),
                subject: teller.and_then(|teller| teller.subject(decision)).map(cut),
                tally: teller.map(|teller| teller.tally(decision.outcome.reason())).unwrap_or_default(),
            })
        });
        Self { counter, about }
    }

    /// Counts it, tells of it and writes it into the log, for one request.
    pub fn note(&self, request: Option<&str>, log: &RefusalLog, teller: Option<&Teller>) {
        self.counter.inc();
        let Some(about) = &self.about else { return };
        if let Some(teller) = teller {
            teller.tell(about);
        }
        let Some(reject) = about.reject else { return };
        let refusal = RefusalLine {
            request,
            reason: reject.reason().as_str(),
            detail: reject.detail(),
            policy: about.policy.as_deref(),
            issuer: about.issuer.as_deref(),
            kid: about.kid.as_deref(),
            id: about.id.as_deref(),
        };
        log.write(&refusal, Instant::now());
    }

    /// Bytes of what is said of it.
    pub fn bytes(&self) -> usize {
        self.about.as_ref().map_or(0, |about| size_of::<About>().saturating_add(about.bytes()))
    }
}

//! What is noted of good tokens: how many of them rules in shadow mode would have refused, and the claims of some, so that a
//! rule can be previewed.

use std::sync::Arc;

use jose::UnixTime;
use prometheus_client::metrics::counter::Counter;

use crate::annotations::Annotations;
use crate::payload::{Payload, seconds};
use crate::recent::Recent;

/// Where notes of good tokens go.
pub(crate) struct GoodTokens {
    pub(crate) annotations: Arc<Annotations>,
    pub(crate) recent: Arc<Recent>,
    /// Counts what shadow rules would have refused.
    pub(crate) shadow_hits: Counter,
}

impl GoodTokens {
    /// Takes note of a good token, with its claims as JSON. Only what was verified may come here.
    pub(crate) fn note(&self, payload: &Payload, json: &str, now: UnixTime) {
        let subject = payload.subject();
        let hits = self.annotations.shadows().count(payload.token(now), subject, seconds(now));
        if hits > 0 {
            self.shadow_hits.inc_by(hits);
        }
        if let Some(subject) = subject {
            self.recent.remember(subject, json, payload.issued(now), now);
        }
    }
}

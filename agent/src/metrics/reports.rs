//! What is counted of reports to token-servers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::labels::{ByOutcome, ByReason, begin};

/// Why a decision is not told: more refusals than are told in a second, or the server did not take the report.
const RATE: &str = "rate";
const SERVER: &str = "server";

/// Reports of decisions.
#[derive(Debug, Default)]
pub struct ReportMetrics {
    sent: Family<ByOutcome, Counter>,
    untold: Family<ByReason, Counter>,
}

impl ReportMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        begin(&self.sent, ["answered", "busy"].map(|outcome| ByOutcome { outcome }));
        registry.register(
            "decision_reports",
            "Reports of decisions to token-servers, by outcome; busy: not sent, since the one before was under way",
            self.sent.clone(),
        );
        begin(&self.untold, [RATE, SERVER].map(|reason| ByReason { reason }));
        registry.register(
            "decisions_untold",
            "Decisions that were to be told to a token-server and were not, by reason: rate (refusals above 50 a second), server \
             (it did not take the report)",
            self.untold.clone(),
        );
    }

    /// Refusals that are beyond what is told in a second.
    pub fn beyond_rate(&self) -> Counter {
        self.untold.get_or_create_owned(&ByReason { reason: RATE })
    }

    /// Counts a report.
    pub fn count_sent(&self, outcome: &'static str) {
        self.sent.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// Counts decisions of which a server was not told.
    pub fn count_untold(&self, decisions: u64) {
        self.untold.get_or_create(&ByReason { reason: SERVER }).inc_by(decisions);
    }
}

//! What is counted of introspection.

use jose::Reject;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use service::shown;

use super::super::Found;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    issuer: String,
    outcome: &'static str,
}

/// What becomes of a call.
const OUTCOMES: [&str; 5] = ["active", "inactive", "refused", "failed", "overloaded"];

/// The metrics of introspection.
pub(super) struct IntrospectionMetrics {
    calls: Family<CallLabels, Counter>,
    in_flight: Gauge,
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    entries: Gauge,
}

/// Counts as under way until it is dropped.
pub(super) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl IntrospectionMetrics {
    /// Registers everything under `token_server_introspection_`.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            calls: Family::default(),
            in_flight: Gauge::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            entries: Gauge::default(),
        };
        let registry = registry.sub_registry_with_prefix("token_server_introspection");
        registry.register(
            "calls",
            "Questions to authorization servers about opaque tokens, by issuer and outcome: active, inactive, refused (active, \
             and no token that is accepted here), failed (no answer that can be used; the log says why), overloaded (not asked: \
             CONCURRENCY or RATE)",
            metrics.calls.clone(),
        );
        registry.register("calls_in_flight", "Questions under way", metrics.in_flight.clone());
        registry.register("cache_hits", "Opaque tokens of which an answer was kept", metrics.hits.clone());
        registry.register("cache_misses", "Opaque tokens that had to be asked about", metrics.misses.clone());
        registry.register(
            "cache_entries",
            "Answers that are kept, those that have ended and were not replaced included",
            metrics.entries.clone(),
        );
        metrics
    }

    /// Shows each outcome of a server from the beginning: alerts ask for increases.
    pub(super) fn begin(&self, issuer: &str) {
        for outcome in OUTCOMES {
            self.count(issuer, outcome, 0);
        }
    }

    pub(super) fn begin_call(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    pub(super) fn answered(&self, issuer: &str, found: &Found) {
        let outcome = match &found.claims {
            Ok(_) => "active",
            Err(Reject::Inactive) => "inactive",
            Err(_) => "refused",
        };
        self.count(issuer, outcome, 1);
    }

    pub(super) fn failed(&self, issuer: &str) {
        self.count(issuer, "failed", 1);
    }

    pub(super) fn overloaded(&self, issuer: &str) {
        self.count(issuer, "overloaded", 1);
    }

    pub(super) fn show_entries(&self, entries: usize) {
        self.entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    fn count(&self, issuer: &str, outcome: &'static str, by: u64) {
        self.calls.get_or_create(&CallLabels { issuer: shown::url(issuer), outcome }).inc_by(by);
    }

    /// How many calls came to that, for tests.
    #[cfg(test)]
    pub(super) fn counted(&self, issuer: &str, outcome: &'static str) -> u64 {
        self.calls.get_or_create(&CallLabels { issuer: shown::url(issuer), outcome }).get()
    }

    /// Calls under way, for tests.
    #[cfg(test)]
    pub(super) fn in_flight(&self) -> i64 {
        self.in_flight.get()
    }
}

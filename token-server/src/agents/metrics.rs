//! What is counted of agents.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Clones count into the same metrics.
#[derive(Debug, Clone, Default)]
pub(crate) struct AgentMetrics {
    known: Gauge,
    /// Reports that were taken.
    pub(super) reports: Counter,
    /// Decisions that are kept.
    pub(super) kept: Gauge,
    /// Those who read them.
    pub(super) readers: Gauge,
}

impl AgentMetrics {
    /// Registers them under the prefix of `registry`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "agents",
            "Agents that were heard in the last five minutes, at most 256; those without a name count as one",
            metrics.known.clone(),
        );
        registry.register(
            "agent_reports",
            "Reports of agents, which tell of their decisions (JWT_DECISIONS)",
            metrics.reports.clone(),
        );
        registry.register(
            "decisions_kept",
            "Decisions of agents that are kept for GET /v1/decisions, at most 10,000",
            metrics.kept.clone(),
        );
        registry.register(
            "decision_readers",
            "Clients that read GET /v1/decisions, at most 16",
            metrics.readers.clone(),
        );
        metrics
    }

    pub(super) fn show_known(&self, known: usize) {
        self.known.set(i64::try_from(known).unwrap_or(i64::MAX));
    }
}

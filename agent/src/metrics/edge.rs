//! What is counted of the verdicts that HAProxy keeps.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{ByOutcome, ByReason, BySocket, begin};

/// Verdicts inside HAProxy; their names start with `edge_`.
#[derive(Debug)]
pub struct EdgeMetrics {
    /// Verdicts that each HAProxy has.
    pub entries: Family<BySocket, Gauge>,
    /// Whether it uses them now.
    pub leased: Family<BySocket, Gauge>,
    /// Verdicts that were written.
    pub writes: Counter,
    /// Verdicts that were deleted one by one.
    pub deletions: Counter,
    /// How often all were removed.
    pub clears: Counter,
    /// How often a HAProxy that used verdicts had to stop.
    pub lapses: Counter,
    /// Verdicts that HAProxy was not given though they come often.
    pub left_out: Family<ByReason, Counter>,
    /// Connections to stats sockets.
    pub connections: Family<ByOutcome, Counter>,
    /// Time from commands to HAProxy's answer.
    pub seconds: Histogram,
}

impl EdgeMetrics {
    /// With the bounds of times that other metrics have as well.
    pub(super) fn new(seconds: Histogram) -> Self {
        Self {
            entries: Family::default(),
            leased: Family::default(),
            writes: Counter::default(),
            deletions: Counter::default(),
            clears: Counter::default(),
            lapses: Counter::default(),
            left_out: Family::default(),
            connections: Family::default(),
            seconds,
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "edge_entries",
            "Verdicts that HAProxy has in its map, by stats socket",
            self.entries.clone(),
        );
        registry.register(
            "edge_leased",
            "Whether HAProxy uses the verdicts in its map now, by stats socket",
            self.leased.clone(),
        );
        registry.register("edge_writes", "Verdicts written into maps of HAProxy", self.writes.clone());
        registry.register(
            "edge_deletions",
            "Verdicts deleted one by one from maps of HAProxy",
            self.deletions.clone(),
        );
        registry.register(
            "edge_clears",
            "How often all verdicts were removed from a map of HAProxy",
            self.clears.clone(),
        );
        registry.register(
            "edge_lapses",
            "How often a HAProxy that used verdicts in its map had to ask the agent about each request again",
            self.lapses.clone(),
        );
        begin(&self.left_out, ["bound", "form", "full"].map(|reason| ByReason { reason }));
        registry.register(
            "edge_left_out",
            "Verdicts that HAProxy was not given though they come often, by reason",
            self.left_out.clone(),
        );
        begin(&self.connections, ["opened", "failed", "taken_over"].map(|outcome| ByOutcome { outcome }));
        registry.register(
            "edge_connections",
            "Connections to stats sockets over which verdicts are given, by what became of them",
            self.connections.clone(),
        );
        registry.register_with_unit(
            "edge_commands",
            "Time from commands to HAProxy's answer",
            Unit::Seconds,
            self.seconds.clone(),
        );
    }
}

//! What is counted of streams that stay open.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{ByCause, ByReason, begin};

/// Why the stream of a good token is not looked after.
const UNTRACKED: [&str; 4] = ["full", "busy", "unreadable", "unreachable"];

/// Open streams; their names start with `streams_`.
#[derive(Debug, Default)]
pub struct StreamMetrics {
    /// Streams that are remembered.
    pub open: Gauge,
    /// Those of them that should have ended, and whose HAProxy cannot be reached.
    pub unreachable: Gauge,
    /// Those of them that HAProxy was told to end, and still has.
    pub remaining: Gauge,
    /// Streams that the agent ended.
    pub ended: Family<ByCause, Counter>,
    /// Streams that were found to have ended by themselves.
    pub gone: Counter,
    /// Streams that are not remembered, or no more though they may be open.
    pub untracked: Family<ByReason, Counter>,
}

impl StreamMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("streams_open", "Streams that end with their token", self.open.clone());
        registry.register(
            "streams_unreachable",
            "Streams whose token is good no more, and whose HAProxy cannot be reached",
            self.unreachable.clone(),
        );
        registry.register(
            "streams_remaining",
            "Streams whose token is good no more, and which HAProxy was told to end and still has",
            self.remaining.clone(),
        );
        begin(&self.ended, ["expired", "revoked"].map(|cause| ByCause { cause }));
        registry.register(
            "streams_ended",
            "Streams that the agent ended, by cause: why their token is refused, lease (it could not be told any more), or stop",
            self.ended.clone(),
        );
        registry.register("streams_gone", "Streams that ended by themselves", self.gone.clone());
        begin(&self.untracked, UNTRACKED.map(|reason| ByReason { reason }));
        registry.register(
            "streams_untracked",
            "Streams that do not end with their token, by reason",
            self.untracked.clone(),
        );
    }
}

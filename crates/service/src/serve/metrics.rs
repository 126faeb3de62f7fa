//! The connections of each HTTP listener.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::places::Counts;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByListener {
    listener: &'static str,
}

/// Counts of all listeners of a process.
#[derive(Debug, Clone, Default)]
pub struct ConnectionMetrics {
    open: Family<ByListener, Gauge>,
    shed: Family<ByListener, Counter>,
}

impl ConnectionMetrics {
    /// Registers them under the prefix of `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("http_connections", "Open connections, by listener", metrics.open.clone());
        registry.register(
            "http_connections_shed",
            "Connections that had to go since they were idle, all places of their listener were taken, and others came",
            metrics.shed.clone(),
        );
        metrics
    }

    /// Those of one listener.
    pub fn of(&self, listener: &'static str) -> Counts {
        let label = ByListener { listener };
        Counts {
            open: self.open.get_or_create(&label).clone(),
            shed: self.shed.get_or_create(&label).clone(),
        }
    }
}

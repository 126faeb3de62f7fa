//! What is counted about keys and their sources.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct BySource {
    /// What an operator knows the source by.
    pub source: String,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByAlgorithm {
    /// As in a token's header.
    pub algorithm: &'static str,
}

/// The metrics of a ring and its sources.
#[derive(Debug, Clone, Default)]
pub struct KeyMetrics {
    /// Keys in use.
    pub(crate) keys: Family<ByAlgorithm, Gauge>,
    /// Keys of the last good set that were skipped.
    pub(crate) skipped: Family<BySource, Gauge>,
    /// When a source last gave a good set.
    pub(crate) loaded: Family<BySource, Gauge>,
    /// Loads that gave no good set.
    pub(crate) failures: Family<BySource, Counter>,
    /// Loads.
    pub(crate) loads: Family<BySource, Counter>,
}

impl KeyMetrics {
    /// Registers everything in `registry`, whose prefix is the program's name.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("keys", "Keys in use, by algorithm that they may verify", metrics.keys.clone());
        registry.register(
            "keys_skipped",
            "Keys of a source's last good set that were not used",
            metrics.skipped.clone(),
        );
        registry.register(
            "keys_loaded_timestamp_seconds",
            "When a source last gave a good set, seconds since the epoch",
            metrics.loaded.clone(),
        );
        registry.register("key_loads", "Loads of a key source", metrics.loads.clone());
        registry.register(
            "key_load_failures",
            "Loads of a key source that gave no good set; the last one is kept",
            metrics.failures.clone(),
        );
        metrics
    }
}

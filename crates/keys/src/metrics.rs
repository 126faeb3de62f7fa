//! What is counted about keys and their sources.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jose::SkippedKey;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use service::secret_file::SecretMetrics;

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

/// A source and why its keys were left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByReason {
    /// What an operator knows the source by.
    pub source: String,
    /// A word of a closed list.
    pub reason: &'static str,
}

/// The metrics of a ring and its sources.
#[derive(Debug, Clone, Default)]
pub struct KeyMetrics {
    /// Keys in use.
    pub(crate) keys: Family<ByAlgorithm, Gauge>,
    /// Keys of the last document that were left out.
    skipped: Family<ByReason, Gauge>,
    /// The reasons that are shown of each source.
    shown: Arc<Mutex<HashMap<String, BTreeMap<&'static str, i64>>>>,
    /// When a source last gave a good set.
    pub(crate) loaded: Family<BySource, Gauge>,
    /// Loads that gave no good set.
    pub(crate) failures: Family<BySource, Counter>,
    /// How old keys may get before they are loaded again.
    pub(crate) interval: Gauge,
    /// Loads.
    pub(crate) loads: Family<BySource, Counter>,
    /// The files of secrets that fetches need.
    pub(crate) secrets: SecretMetrics,
}

impl KeyMetrics {
    /// The same, with the files of secrets that fetches need shown beside the program's others.
    #[must_use]
    pub fn with_secrets(self, secrets: SecretMetrics) -> Self {
        Self { secrets, ..self }
    }

    /// Registers everything in `registry`, whose prefix is the program's name.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("keys", "Keys in use, by algorithm that they may verify", metrics.keys.clone());
        registry.register(
            "keys_skipped",
            "Keys of a source's last document that were left out, by reason",
            metrics.skipped.clone(),
        );
        registry.register(
            "keys_loaded_timestamp_seconds",
            "When a source last gave a good set, seconds since the epoch",
            metrics.loaded.clone(),
        );
        registry.register(
            "keys_sync_interval_seconds",
            "The time between two loads of a source, as it is configured",
            metrics.interval.clone(),
        );
        registry.register("key_loads", "Loads of a key source", metrics.loads.clone());
        registry.register(
            "key_load_failures",
            "Loads of a key source that gave no good set; the last one is kept",
            metrics.failures.clone(),
        );
        metrics
    }

    pub(crate) fn show_interval(&self, interval: Duration) {
        self.interval.set(i64::try_from(interval.as_secs()).unwrap_or(i64::MAX));
    }

    /// Shows what was left out of a source, instead of what was shown of it before.
    pub(crate) fn show_skipped(&self, source: &str, left_out: &[SkippedKey]) {
        let mut counts = BTreeMap::new();
        for skipped in left_out {
            let count: &mut i64 = counts.entry(skipped.reason.word()).or_default();
            *count = count.saturating_add(1);
        }
        let label = |reason: &&'static str| ByReason { source: source.to_owned(), reason };
        // No number here is wrong after a panic elsewhere.
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shown.remove(source).unwrap_or_default();
        for reason in before.keys().filter(|reason| !counts.contains_key(*reason)) {
            self.skipped.remove(&label(reason));
        }
        for (reason, count) in &counts {
            self.skipped.get_or_create(&label(reason)).set(*count);
        }
        if !counts.is_empty() {
            shown.insert(source.to_owned(), counts);
        }
    }
}

//! What operators see of secret files.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BySetting {
    setting: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    setting: String,
    outcome: &'static str,
}

/// The metrics of all secret files of a program, by the setting that names the file.
#[derive(Debug, Clone, Default)]
pub struct SecretMetrics {
    unusable: Family<BySetting, Gauge>,
    changes: Family<ByOutcome, Counter>,
}

impl SecretMetrics {
    /// Registers everything in `registry`, whose prefix is the program's name.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "secret_file_unusable",
            "Files that cannot be used as they are now, by setting: what they said before is in use. Anything but 0 needs \
             an operator; the log tells the file and the cause",
            metrics.unusable.clone(),
        );
        registry.register(
            "secret_file_changes",
            "Secret files that were found changed, by setting; outcome is applied or refused",
            metrics.changes.clone(),
        );
        metrics
    }

    /// Shows a setting of whose files nothing is to be told yet.
    pub(super) fn begins(&self, setting: &str) {
        self.shows(setting, 0);
        for outcome in ["applied", "refused"] {
            let labels = ByOutcome { setting: setting.to_owned(), outcome };
            self.changes.get_or_create(&labels).inc_by(0);
        }
    }

    /// So many more files of this setting cannot be used.
    pub(super) fn shows(&self, setting: &str, more: i64) {
        self.unusable.get_or_create(&BySetting { setting: setting.to_owned() }).inc_by(more);
    }

    pub(super) fn applied(&self, setting: &str) {
        self.count(setting, "applied");
    }

    pub(super) fn refused(&self, setting: &str) {
        self.count(setting, "refused");
    }

    fn count(&self, setting: &str, outcome: &'static str) {
        self.changes.get_or_create(&ByOutcome { setting: setting.to_owned(), outcome }).inc();
    }
}

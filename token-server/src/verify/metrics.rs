//! What is counted about forward-auth.

use jose::Reason;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    policy: String,
    reason: &'static str,
    detail: &'static str,
    issuer: String,
}

/// The metrics of the forward-auth routes.
#[derive(Debug, Clone, Default)]
pub(crate) struct VerifyMetrics {
    decisions: Family<Decided, Counter>,
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    entries: Gauge,
    proofs_remembered: Gauge,
    pub(super) proofs_unremembered: Counter,
}

impl VerifyMetrics {
    /// Registers everything under `token_server_verify_`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("token_server_verify");
        registry.register(
            "decisions",
            "Requests of proxies decided, by policy (empty for one that is not configured), reason, detail and issuer \
             (empty where the token names none that is configured); with the reason ok the detail is ok, missing (no token, and none is needed) or preflight",
            metrics.decisions.clone(),
        );
        registry.register("cache_hits", "Tokens whose signature was verified before", metrics.hits.clone());
        registry.register(
            "cache_misses",
            "Tokens whose signature had to be verified",
            metrics.misses.clone(),
        );
        registry.register("cache_entries", "Verified tokens that are kept", metrics.entries.clone());
        registry.register(
            "proofs_remembered",
            "Proofs of possession (DPoP) that were used lately and are remembered",
            metrics.proofs_remembered.clone(),
        );
        registry.register(
            "proofs_unremembered",
            "Proofs of possession refused (overloaded) since no more can be remembered: TOKEN_SERVER__VERIFY__DPOP_REPLAY_SIZE",
            metrics.proofs_unremembered.clone(),
        );
        metrics
    }

    /// Counts one decision.
    pub(super) fn decided(
        &self,
        policy: Option<&str>,
        issuer: Option<&str>,
        reason: Reason,
        detail: &'static str,
    ) {
        let text = |name: Option<&str>| name.unwrap_or_default().to_owned();
        let (policy, issuer) = (text(policy), text(issuer));
        self.decisions.get_or_create(&Decided { policy, reason: reason.as_str(), detail, issuer }).inc();
    }

    pub(super) fn show_proofs(&self, proofs: usize) {
        self.proofs_remembered.set(i64::try_from(proofs).unwrap_or(i64::MAX));
    }

    pub(super) fn show_entries(&self, entries: usize) {
        self.entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
    }
}

//! What the agent counts. Names start with `jwt_agent_`; handles are looked up once, not per request.

mod edge;
mod labels;
mod reports;
mod streams;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use jose::{Reason, Reject};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use service::secret_file::SecretMetrics;
use service::{process_metrics, shown};

pub use edge::EdgeMetrics;
pub use labels::{ByCause, ByEjection, ByOutcome, ByReason, ByServer, BySocket, ByStatus};
use labels::{Judged, begin};
pub use reports::ReportMetrics;
pub use streams::StreamMetrics;

/// Upper bounds of the time that one decision takes, seconds: a cached HMAC to a token-server that is late.
const SECONDS: [f64; 11] =
    [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.02, 0.08, 0.5];

/// Upper bounds of the checks in a batch.
const CHECKS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// Every metric of the agent.
#[derive(Debug)]
pub struct Metrics {
    decisions: Family<Judged, Counter>,
    /// Time from the frame to the decision, of requests that no kept verdict answered.
    pub decision_seconds: Histogram,
    /// Reloads of the configuration.
    pub reloads: Family<ByOutcome, Counter>,
    /// Files of secrets.
    pub secrets: SecretMetrics,
    /// Requests that are being decided.
    pub in_flight: Gauge,
    /// Open connections.
    pub connections: Gauge,
    /// Connections that had to go since they were idle and others came.
    pub connections_shed: Counter,
    /// Connections that were closed at once, since there were too many.
    pub connections_refused: Counter,
    /// Connections that we ended since our answers were not read.
    pub connections_unread: Counter,
    /// Connections that we ended for a fault of the peer.
    pub disconnects: Family<ByStatus, Counter>,
    /// Health checks that were told to go elsewhere.
    pub health_checks_failed: Counter,
    /// Claims without a variable since their name is too long.
    pub long_names: Counter,
    /// Requests answered by a verdict that was kept, or found for another request.
    pub cache_hits: Counter,
    /// Requests on which nothing was kept.
    pub cache_misses: Counter,
    /// Requests on which a verdict was kept about which a token-server had to be asked again.
    pub cache_rechecks: Counter,
    /// Verdicts that are kept.
    pub cache_entries: Gauge,
    /// Their bytes.
    pub cache_bytes: Gauge,
    /// Proofs of possession that are remembered.
    pub proofs_remembered: Gauge,
    /// Proofs that were refused since no more could be remembered.
    pub proofs_unremembered: Counter,
    /// Calls to token-servers.
    pub token_server: Family<ByOutcome, Counter>,
    /// Checks of each call.
    pub token_server_batch: Histogram,
    /// Checks that are not answered yet, once for each server that is asked.
    pub token_server_waiting: Gauge,
    /// Checks that were asked a second time since the first server was slow.
    pub token_server_hedges: Counter,
    /// Checks that were asked again since a server failed, or did not know.
    pub token_server_retries: Counter,
    /// How often a server was left out.
    pub token_server_ejections: Counter,
    /// Whether a server is left out now, and why.
    pub token_server_ejected: Family<ByEjection, Gauge>,
    /// Looks for token-servers that told nothing.
    pub token_server_discovery_failures: Counter,
    /// Servers that are known.
    pub token_servers: Gauge,
    /// Those of them that are not left out.
    pub token_servers_up: Gauge,
    /// Polls of token-servers' feeds.
    pub feed_polls: Family<ByOutcome, Counter>,
    /// Groups that feeds told to have changed.
    pub feed_changes: Counter,
    /// Answers of feeds that said that anything may have changed.
    pub feed_gaps: Counter,
    /// When a server's feed last answered.
    pub feed_heard: Family<ByServer, Gauge<f64, AtomicU64>>,
    /// Whether its last answer said that it tells every change.
    pub feed_complete: Family<ByServer, Gauge>,
    /// Verdicts inside HAProxy.
    pub edge: EdgeMetrics,
    /// Streams that stay open.
    pub streams: StreamMetrics,
    /// Reports of decisions.
    pub reports: ReportMetrics,
}

impl Metrics {
    /// Registers everything in `registry`.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        process_metrics::register(registry, "jwt_agent", env!("CARGO_PKG_VERSION"));
        let registry = registry.sub_registry_with_prefix("jwt_agent");
        let decisions = Family::<Judged, Counter>::default();
        registry.register(
            "decisions",
            "Requests decided, by reason, detail, policy (empty for one that is not configured) and issuer (empty where the \
             token names none that is configured)",
            decisions.clone(),
        );
        let metrics = Self {
            decisions,
            decision_seconds: Histogram::new(SECONDS),
            reloads: Family::default(),
            secrets: SecretMetrics::register(registry),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            connections_shed: Counter::default(),
            connections_refused: Counter::default(),
            connections_unread: Counter::default(),
            disconnects: Family::default(),
            health_checks_failed: Counter::default(),
            long_names: Counter::default(),
            cache_hits: Counter::default(),
            cache_misses: Counter::default(),
            cache_rechecks: Counter::default(),
            cache_entries: Gauge::default(),
            cache_bytes: Gauge::default(),
            proofs_remembered: Gauge::default(),
            proofs_unremembered: Counter::default(),
            token_server: Family::default(),
            token_server_batch: Histogram::new(CHECKS),
            token_server_waiting: Gauge::default(),
            token_server_hedges: Counter::default(),
            token_server_retries: Counter::default(),
            token_server_ejections: Counter::default(),
            token_server_ejected: Family::default(),
            token_server_discovery_failures: Counter::default(),
            token_servers: Gauge::default(),
            token_servers_up: Gauge::default(),
            feed_polls: Family::default(),
            feed_changes: Counter::default(),
            feed_gaps: Counter::default(),
            feed_heard: Family::default(),
            feed_complete: Family::default(),
            edge: EdgeMetrics::new(Histogram::new(SECONDS)),
            streams: StreamMetrics::default(),
            reports: ReportMetrics::default(),
        };
        registry.register_with_unit(
            "decision",
            "Time from a request's frame to its decision, of those that no kept verdict answered",
            Unit::Seconds,
            metrics.decision_seconds.clone(),
        );
        begin(&metrics.reloads, ["applied", "refused"].map(|outcome| ByOutcome { outcome }));
        registry.register(
            "reloads",
            "Reloads of the configuration, by outcome; a refused one changes nothing",
            metrics.reloads.clone(),
        );
        registry.register("in_flight", "Requests that are being decided", metrics.in_flight.clone());
        registry.register("connections", "Open connections of HAProxy", metrics.connections.clone());
        registry.register(
            "connections_shed",
            "Connections that had to go since they were idle, all places were taken, and others came",
            metrics.connections_shed.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections closed at once since all others were at work",
            metrics.connections_refused.clone(),
        );
        registry.register(
            "connections_unread",
            "Connections ended by the agent since HAProxy did not read its answers",
            metrics.connections_unread.clone(),
        );
        registry.register(
            "disconnects",
            "Connections ended by the agent, by SPOP status",
            metrics.disconnects.clone(),
        );
        registry.register(
            "health_checks_failed",
            "Health checks answered with AGENT-DISCONNECT since the agent was not ready",
            metrics.health_checks_failed.clone(),
        );
        registry.register(
            "claims_with_long_names",
            "Claims without a variable since HAProxy could not take its name",
            metrics.long_names.clone(),
        );
        registry.register(
            "cache_hits",
            "Requests answered by a verdict that was kept, or found for another request",
            metrics.cache_hits.clone(),
        );
        registry.register(
            "cache_misses",
            "Requests on which no verdict was kept",
            metrics.cache_misses.clone(),
        );
        registry.register(
            "cache_lapses",
            "Requests on which a verdict was kept about which a token-server had to be asked again",
            metrics.cache_rechecks.clone(),
        );
        registry.register("cache_entries", "Verdicts that are kept", metrics.cache_entries.clone());
        registry.register("cache_bytes", "Weight of the kept verdicts, bytes", metrics.cache_bytes.clone());
        registry.register(
            "proofs_remembered",
            "Proofs of possession (DPoP) that were used lately and are remembered",
            metrics.proofs_remembered.clone(),
        );
        registry.register(
            "proofs_unremembered",
            "Proofs of possession refused (overloaded) since no more can be remembered: JWT_DPOP_REPLAY_SIZE",
            metrics.proofs_unremembered.clone(),
        );
        registry.register(
            "token_server_calls",
            "Calls to token-servers, by outcome",
            metrics.token_server.clone(),
        );
        // A fault that happens for the first time is seen as an increase.
        for reject in Reject::ALL {
            metrics.decisions(Some(*reject), None, None);
        }
        metrics.register_token_servers(registry);
        metrics.register_feeds(registry);
        metrics.edge.register(registry);
        metrics.streams.register(registry);
        metrics.reports.register(registry);
        Arc::new(metrics)
    }

    fn register_token_servers(&self, registry: &mut Registry) {
        registry.register(
            "token_server_batch_checks",
            "Checks of each batch that a token-server was asked about",
            self.token_server_batch.clone(),
        );
        registry.register(
            "token_server_waiting",
            "Checks that are not answered yet, once for each token-server that is asked",
            self.token_server_waiting.clone(),
        );
        registry.register(
            "token_server_hedges",
            "Checks asked once more, at a second token-server or over another connection, since the first was slow",
            self.token_server_hedges.clone(),
        );
        registry.register(
            "token_server_retries",
            "Checks asked again since a token-server failed, or did not know",
            self.token_server_retries.clone(),
        );
        registry.register(
            "token_server_ejections",
            "How often a token-server was left out",
            self.token_server_ejections.clone(),
        );
        registry.register(
            "token_server_ejected",
            "Whether a token-server is left out now, by reason",
            self.token_server_ejected.clone(),
        );
        registry.register(
            "token_server_discovery_failures",
            "Failures to resolve a token-server's name, or to read HAProxy's list; those known are kept",
            self.token_server_discovery_failures.clone(),
        );
        registry.register("token_servers", "Token-servers that are known", self.token_servers.clone());
        registry.register(
            "token_servers_up",
            "Token-servers that are known and not left out",
            self.token_servers_up.clone(),
        );
    }

    fn register_feeds(&self, registry: &mut Registry) {
        registry.register("feed_polls", "Polls of token-servers' feeds, by outcome", self.feed_polls.clone());
        registry.register(
            "feed_changes",
            "Groups of rules that feeds told to have changed",
            self.feed_changes.clone(),
        );
        registry.register(
            "feed_gaps",
            "Answers of feeds that said that anything may have changed",
            self.feed_gaps.clone(),
        );
        registry.register(
            "feed_heard_timestamp_seconds",
            "When a token-server's feed last answered, seconds since the epoch",
            self.feed_heard.clone(),
        );
        registry.register(
            "feed_complete",
            "Whether the last answer of a token-server's feed said that it tells every change",
            self.feed_complete.clone(),
        );
    }

    /// Shows a token-server no more that is not asked any more.
    pub fn forget_server(&self, server: &ByServer) {
        self.feed_heard.remove(server);
        self.feed_complete.remove(server);
    }

    /// Where decisions of a kind are counted: accepted, or why not, by a configured policy and issuer.
    pub fn decisions(&self, reject: Option<Reject>, policy: Option<&str>, issuer: Option<&str>) -> Counter {
        let (reason, detail) = reject.map_or((Reason::Ok, "ok"), |reject| (reject.reason(), reject.detail()));
        let text = |name: Option<&str>| name.unwrap_or_default().to_owned();
        let (policy, issuer) = (text(policy), issuer.map(shown::url).unwrap_or_default());
        self.decisions.get_or_create_owned(&Judged { reason: reason.as_str(), detail, policy, issuer })
    }

    /// Shows how many verdicts are kept, and their bytes.
    pub fn show_cache(&self, (entries, bytes): (u64, u64)) {
        self.cache_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.cache_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests;

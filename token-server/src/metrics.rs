//! What is counted. The help texts are the documentation.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jose::{Reason, Reject};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::rulebook::Totals;
use crate::store::Fault;

/// Seconds by which clocks may differ without a warning; time synchronisation keeps them within one.
const MAX_CLOCK_DIFFERENCE: i64 = 5;

/// The first bucket of request durations ends here; 14 buckets, each twice as long as the one before, reach 0.8 s.
const FIRST_BUCKET_SECONDS: f64 = 0.0001;

/// Handles of all metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    checks: Family<CheckLabels, Counter>,
    writes: Family<OutcomeLabels, Counter>,
    requests: Family<RequestLabels, Histogram, fn() -> Histogram>,
    totals: Totals,
    decryptions: Gauge,
    shadow_rules: Gauge,
    shadow_hits: Counter,
    reloads: Family<OutcomeLabels, Counter>,
    store_faults: Family<CauseLabels, Gauge>,
    store_emptied: Counter,
    clock_ahead: Gauge,
    clock_is_off: Arc<AtomicBool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabels {
    cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CheckLabels {
    reason: &'static str,
    detail: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: Cow<'static, str>,
    status: u16,
}

impl Metrics {
    /// Registers every metric under `token_server_`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            checks: Family::default(),
            writes: Family::default(),
            requests: Family::new_with_constructor(request_histogram),
            totals: Totals::default(),
            decryptions: Gauge::default(),
            shadow_rules: Gauge::default(),
            shadow_hits: Counter::default(),
            reloads: Family::default(),
            store_faults: Family::default(),
            store_emptied: Counter::default(),
            clock_ahead: Gauge::default(),
            clock_is_off: Arc::default(),
        };
        service::process_metrics::register(registry, "token_server", env!("CARGO_PKG_VERSION"));
        let registry = registry.sub_registry_with_prefix("token_server");
        registry.register(
            "checks",
            "Verdicts on tokens and payloads; reason is the coarse code, detail says why",
            metrics.checks.clone(),
        );
        registry.register(
            "store_writes",
            "Writes of rules, purges included; outcome is ok or error",
            metrics.writes.clone(),
        );
        registry.register_with_unit(
            "request",
            "Time from a request's head to its answer, by route and status",
            Unit::Seconds,
            metrics.requests.clone(),
        );
        registry.register(
            "decryptions",
            "Tokens that wait for decryption under a private key, or are at it; more than 40 for each thread are refused with \
             the detail overloaded",
            metrics.decryptions(),
        );
        let totals = metrics.totals();
        registry.register("rules", "Rules in memory, unreadable ones included", totals.rules);
        registry.register("rule_groups", "Groups in memory with at least one rule", totals.groups);
        registry.register(
            "unreadable_rules",
            "Rules in memory that are not understood: in a subject's group his tokens get E_BACKEND_UNAVAIL, in g they \
             are left out. Anything but 0 needs an operator: GET /v1/rules shows the groups",
            totals.unreadable,
        );
        registry.register(
            "rules_beyond_limits",
            "Rules in memory that no check looks at since their group has too many: tokens that the group concerns get \
             E_BACKEND_UNAVAIL, in g all tokens. Anything but 0 needs an operator: GET /v1/rules shows the groups",
            totals.beyond,
        );
        registry.register(
            "store_revision",
            "Grows with every change of a rule that is heard of",
            totals.revision,
        );
        registry.register_with_unit(
            "feed_log",
            "Names of groups in the log of changes, which is cut above 4 MiB: agents that have not seen what was cut ask again \
             about all tokens",
            Unit::Bytes,
            totals.feed.bytes,
        );
        registry.register("feed_answers", "Answers to polls of the feed", totals.feed.answers);
        registry.register(
            "feed_answers_written",
            "Answers of the feed that were written for one reader; the others got a copy of one, being at the same place",
            totals.feed.written,
        );
        registry.register(
            "untold_rules",
            "Groups with rules that were found in Redis though no source of changes announced them; then the sources are not \
             relied on until the server starts again. Anything but 0 needs an operator: see TOKEN_SERVER__CONSUL__URL",
            totals.untold,
        );
        registry.register(
            "shadow_rules",
            "Rules in shadow mode, which are counted and refuse no token",
            metrics.shadow_rules.clone(),
        );
        registry.register(
            "shadow_hits",
            "Tokens that were accepted and that rules in shadow mode would have refused, once for each such rule",
            metrics.shadow_hits.clone(),
        );
        metrics.register_store(registry);
        for outcome in ["applied", "refused"] {
            metrics.reloads.get_or_create(&OutcomeLabels { outcome }).inc_by(0);
        }
        registry.register(
            "reloads",
            "Reloads of the configuration, by outcome; a refused one changes nothing",
            metrics.reloads.clone(),
        );
        metrics
    }

    fn register_store(&self, registry: &mut Registry) {
        self.show_store(None, 0);
        registry.register(
            "store_fault",
            "1 while the store must not be relied on though it answers, by cause: evicts (Redis may remove rules when its \
             memory is full), file_gone (the embedded store's file was deleted or replaced). /ready tells the cure",
            self.store_faults.clone(),
        );
        registry.register(
            "store_emptied",
            "How often the store was found without what it had before, or with other data: rules that were in force may be \
             gone",
            self.store_emptied.clone(),
        );
        registry.register_with_unit(
            "store_clock_ahead",
            "By how much this server's clock is ahead of the clock of Redis; negative: behind",
            Unit::Seconds,
            self.clock_ahead.clone(),
        );
    }

    /// Shows why the store must not be relied on, if so, and how often it was emptied.
    pub(crate) fn show_store(&self, fault: Option<&str>, emptied: u64) {
        for cause in Fault::CAUSES {
            self.store_faults.get_or_create(&CauseLabels { cause }).set(i64::from(fault == Some(cause)));
        }
        self.store_emptied.inc_by(emptied.saturating_sub(self.store_emptied.get()));
    }

    /// Shows by how much this server's clock is ahead of the store's. Returns it when it has just become too much.
    pub(crate) fn show_clock(&self, ahead: Option<i64>) -> Option<i64> {
        let ahead = ahead?;
        self.clock_ahead.set(ahead);
        let is_off = ahead.abs() > MAX_CLOCK_DIFFERENCE;
        let was_off = self.clock_is_off.swap(is_off, Ordering::Relaxed);
        (is_off && !was_off).then_some(ahead)
    }

    /// Counts one verdict.
    pub(crate) fn count_check(&self, verdict: Result<(), Reject>) {
        let (reason, detail) = match verdict {
            Ok(()) => (Reason::Ok.as_str(), "ok"),
            Err(reject) => (reject.reason().as_str(), reject.detail()),
        };
        self.checks.get_or_create(&CheckLabels { reason, detail }).inc();
    }

    /// Counts one write.
    pub(crate) fn count_write<T, E>(&self, outcome: &Result<T, E>) {
        let outcome = if outcome.is_ok() { "ok" } else { "error" };
        self.writes.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Counts one reload of the configuration.
    pub(crate) fn count_reload(&self, outcome: &'static str) {
        self.reloads.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// The gauges of what is in memory.
    pub(crate) fn totals(&self) -> Totals {
        self.totals.clone()
    }

    /// The gauge of tokens that are opened with private keys.
    pub(crate) fn decryptions(&self) -> Gauge {
        self.decryptions.clone()
    }

    /// The counter of what shadow rules would have refused.
    pub(crate) fn shadow_hits(&self) -> Counter {
        self.shadow_hits.clone()
    }

    /// The gauge of rules that are only tried.
    pub(crate) fn shadow_rules(&self) -> Gauge {
        self.shadow_rules.clone()
    }

    /// Records one answered request.
    pub(crate) fn observe_request(&self, route: Cow<'static, str>, status: u16, duration: Duration) {
        self.requests.get_or_create(&RequestLabels { route, status }).observe(duration.as_secs_f64());
    }
}

fn request_histogram() -> Histogram {
    Histogram::new(exponential_buckets(FIRST_BUCKET_SECONDS, 2.0, 14))
}

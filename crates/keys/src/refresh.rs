//! When a source is loaded again: by the clock, when its file changes, after a failure with growing delays, and once
//! early when a token asks for a key that is not there.

mod by_kid;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jose::{KeyRules, UnixTime};
use service::shutdown::Shutdown;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::early::Good;
use crate::metrics::BySource;
use crate::ring::KeyRing;
use crate::source::Source;
use crate::timing::Timing;

/// A change of a file is read this much later, so that a writer's several steps cost one load.
const SETTLE: Duration = Duration::from_millis(50);

/// Loads `source`, which is number `index` of the ring, until `shutdown`.
pub async fn keep_fresh(
    source: Source,
    index: usize,
    ring: Arc<KeyRing>,
    rules: KeyRules,
    timing: Timing,
    shutdown: Shutdown,
) {
    if let Source::PerKid(_, client) | Source::Url(_, client) = &source {
        client.report_to(&ring.metrics.secrets);
    }
    if let Source::PerKid(place, client) = source {
        return by_kid::keep_fresh(place, client, index, ring, rules, timing, shutdown).await;
    }
    let name = source.name();
    let label = BySource { source: name.clone() };
    let changed = Arc::new(Notify::new());
    let _watch = source.watch(&changed);
    let mut failures = 0_u32;
    let mut good = Vec::new();
    let mut etag = None;
    let mut notice = None;
    loop {
        let loaded_at = Instant::now();
        let began = Good { began: loaded_at, at: UnixTime::from_system(SystemTime::now()) };
        ring.begins(index);
        ring.metrics.loads.get_or_create(&label).inc();
        let read = tokio::select! {
            read = source.read(etag.as_ref()) => read,
            () = shutdown.cancelled() => return,
        };
        let loaded = read.and_then(|fetched| {
            // The folder's other files change as well; the same keys again are no news.
            if let Some(bytes) = fetched.bytes
                && bytes != good
            {
                ring.publish(index, &name, source.parse(&bytes, &rules)?);
                good = bytes;
            }
            etag = fetched.etag;
            if fetched.notice != notice {
                notice = fetched.notice;
                notice.iter().for_each(|notice| tracing::warn!(source = name, "{notice}"));
            }
            Ok(fetched.fresh_for)
        });
        failures = if loaded.is_ok() { 0 } else { failures.saturating_add(1) };
        let fresh_for = loaded.as_ref().copied().unwrap_or_default();
        let next = loaded_at + timing.delay(failures, fresh_for);
        ring.ends(index, loaded.as_ref().map(|_| began), next);
        match loaded {
            Ok(_) => ring.confirm(&name, began.at),
            Err(error) => {
                ring.metrics.failures.get_or_create(&label).inc();
                ring.explain(index, &name, &error);
                tracing::warn!(source = name, %error, failures, "keys not loaded; the last good set stays in use");
            }
        }
        tokio::select! {
            () = sleep_until(next) => {}
            () = changed.notified() => sleep_until(Instant::now() + SETTLE).await,
            () = ring.wanted(index) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

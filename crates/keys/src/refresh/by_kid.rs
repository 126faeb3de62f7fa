//! Keys by `kid`: fetched as tokens ask for them.

use std::sync::Arc;
use std::time::SystemTime;

use jose::{KeyRules, UnixTime};
use service::shutdown::Shutdown;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::client::Client;
use crate::early::Good;
use crate::load_error::LoadError;
use crate::metrics::BySource;
use crate::per_kid::PerKid;
use crate::ring::KeyRing;
use crate::timing::Timing;

/// Fetches keys as tokens ask for them, and those at hand again and again, until `shutdown`. They are number `index` of the
/// ring.
pub(super) async fn keep_fresh(
    source: PerKid,
    client: Client,
    index: usize,
    ring: Arc<KeyRing>,
    rules: KeyRules,
    timing: Timing,
    shutdown: Shutdown,
) {
    let name = source.name();
    let label = BySource { source: name.clone() };
    let mut failures = 0_u32;
    let mut next = Instant::now();
    // A source without any key is as good as it can be before the first token.
    ring.publish_kids(index, &name, Vec::new());
    loop {
        let at = Instant::now();
        let began = Good { began: at, at: UnixTime::from_system(SystemTime::now()) };
        let due = at >= next;
        let kids = ring.begin_kids(index, due);
        let mut fetches = JoinSet::new();
        for kid in &kids {
            let (source, client, kid) = (source.clone(), client.clone(), *kid);
            fetches.spawn(async move { (kid, source.fetch(&client, kid, &rules).await) });
            ring.metrics.loads.get_or_create(&label).inc();
        }
        let (mut found, mut failure) = (Vec::new(), None);
        loop {
            let fetched = tokio::select! {
                fetched = fetches.join_next() => fetched,
                () = shutdown.cancelled() => return,
            };
            match fetched {
                None => break,
                Some(Ok((kid, Ok(keys)))) => found.push((kid, keys)),
                Some(Ok((_, Err(error)))) => failure = Some(error),
                Some(Err(error)) => failure = Some(LoadError::Fetch(error.to_string())),
            }
        }
        ring.publish_kids(index, &name, found);
        match failure {
            Some(error) => {
                failures = failures.saturating_add(1);
                next = at + timing.delay(failures, None);
                ring.metrics.failures.get_or_create(&label).inc();
                tracing::warn!(source = name, %error, failures, "key not fetched; those at hand stay in use");
                ring.ends(index, Err(&error), next);
            }
            None => {
                if due {
                    next = at + timing.interval;
                }
                if !kids.is_empty() {
                    failures = 0;
                    ring.confirm(&name, began.at);
                }
                // Where nothing was fetched, nothing was learnt of the server.
                if failures == 0 {
                    ring.ends(index, Ok(began), next);
                }
            }
        }
        tokio::select! {
            () = sleep_until(next) => {}
            () = ring.wanted(index) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

//! When a source is loaded again: by the clock, when its file changes, after a failure with growing delays, and once
//! early when a token asks for a key that is not there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jose::{KeyOrigin, KeyRules, KeySet};
use notify::RecommendedWatcher;
use service::shutdown::Shutdown;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::{Client, KeyRing, LoadError, UrlSource, file};
use crate::metrics::BySource;

/// The least time between two early loads of one source. A flood of unknown `kid`s costs one fetch in this time, and
/// a real rotation waits no longer for its own.
const COOL_DOWN: Duration = Duration::from_secs(10);
/// The delay after the first failure; it doubles up to the interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// A change of a file is read this much later, so that a writer's several steps cost one load.
const SETTLE: Duration = Duration::from_millis(50);

/// One source of keys.
#[derive(Debug, Clone)]
pub enum Source {
    /// A watched file.
    File(PathBuf),
    /// A URL or an issuer.
    Url(UrlSource, Client),
}

impl Source {
    /// Loads the source once.
    ///
    /// # Errors
    ///
    /// It gives no usable key set.
    pub async fn load(&self, rules: &KeyRules) -> Result<KeySet, LoadError> {
        self.parse(&self.read().await?, rules)
    }

    async fn read(&self) -> Result<Vec<u8>, LoadError> {
        match self {
            Self::File(path) => file::read(path),
            Self::Url(source, client) => client.fetch(source).await,
        }
    }

    fn parse(&self, bytes: &[u8], rules: &KeyRules) -> Result<KeySet, LoadError> {
        let origin = match self {
            Self::File(_) => KeyOrigin::File,
            Self::Url(..) => KeyOrigin::Url,
        };
        Ok(KeySet::parse(bytes, &KeyRules { origin, ..*rules })?)
    }

    /// What an operator knows it by.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Url(UrlSource::Keys(url), _) => {
                let mut url = url.clone();
                // A query or a password in a key URL is a secret.
                url.set_query(None);
                if url.set_password(None).is_err() || url.set_username("").is_err() {
                    return "url".to_owned();
                }
                url.to_string()
            }
            Self::Url(UrlSource::Issuer(issuer), _) => issuer.clone(),
        }
    }

    fn watch(&self, changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
        let Self::File(path) = self else { return None };
        file::watch(path, Arc::clone(changed))
            .inspect_err(|error| {
                tracing::warn!(path = %path.display(), %error, "the key file is not watched, only reloaded by the clock");
            })
            .ok()
    }
}

/// Loads `source`, which is number `index` of the ring, until `shutdown`.
pub async fn keep_fresh(
    source: Source,
    index: usize,
    ring: Arc<KeyRing>,
    rules: KeyRules,
    interval: Duration,
    shutdown: Shutdown,
) {
    let name = source.name();
    let label = BySource { source: name.clone() };
    let changed = Arc::new(Notify::new());
    let _watch = source.watch(&changed);
    let mut failures = 0_u32;
    let mut good = Vec::new();
    loop {
        let loaded_at = Instant::now();
        ring.metrics.key_loads.get_or_create(&label).inc();
        let read = tokio::select! {
            read = source.read() => read,
            () = shutdown.cancelled() => return,
        };
        let loaded = read.and_then(|bytes| {
            // The folder's other files change as well; the same keys again are no news.
            if bytes != good {
                ring.publish(index, &name, source.parse(&bytes, &rules)?);
                good = bytes;
            }
            Ok(())
        });
        match loaded {
            Ok(()) => {
                failures = 0;
                ring.confirm(&name);
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                ring.metrics.key_failures.get_or_create(&label).inc();
                tracing::warn!(source = name, %error, failures, "keys not loaded; the last good set stays in use");
            }
        }
        let next = loaded_at + delay(failures, interval);
        tokio::select! {
            () = sleep_until(next) => {}
            () = changed.notified() => sleep_until(Instant::now() + SETTLE).await,
            () = wanted(&ring, loaded_at) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Ends when a token has asked for new keys and the cool-down since the last load is over.
async fn wanted(ring: &KeyRing, loaded_at: Instant) {
    ring.wanted.notified().await;
    sleep_until(loaded_at + COOL_DOWN).await;
}

/// The time until the next load, after that many failures in a row.
fn delay(failures: u32, interval: Duration) -> Duration {
    match failures {
        0 => interval,
        failures => FIRST_RETRY
            .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))
            .min(interval.max(FIRST_RETRY)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_retried_sooner_than_the_interval_and_ever_later() {
        let interval = Duration::from_secs(300);
        let delays: Vec<_> = (0..12).map(|failures| delay(failures, interval).as_secs()).collect();
        assert_eq!(delays, [300, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(delay(40, interval), interval);
        assert_eq!(delay(3, Duration::from_millis(10)), FIRST_RETRY);
    }
}

//! When a source is loaded again: by the clock, when its file changes, after a failure with growing delays, and once
//! early when a token asks for a key that is not there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jose::{KeyOrigin, KeyRules, KeySet, UnixTime};
use service::shutdown::Shutdown;
use service::watch::{Watch, folder_of, watch};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::client::{Etag, Fetched};
use crate::early::Good;
use crate::metrics::BySource;
use crate::part::Place;
use crate::{Client, KeyRing, LoadError, PerKid, UrlSource, file, per_kid};

/// In this time a source may be loaded early once more. A flood of unknown `kid`s costs one fetch in it, when the few that
/// are free are spent, and a real rotation waits no longer for its own.
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
    /// A URL for the key of each `kid`.
    PerKid(PerKid, Client),
}

impl Source {
    /// Whether it is the same file, or the same URL behind certificates of the same authorities.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(path), Self::File(other)) => path == other,
            (Self::Url(url, client), Self::Url(other, others)) => url == other && client.trusts_as(others),
            (Self::PerKid(place, client), Self::PerKid(other, others)) => {
                place == other && client.trusts_as(others)
            }
            (Self::File(_) | Self::Url(..) | Self::PerKid(..), _) => false,
        }
    }

    /// Loads the source once.
    ///
    /// # Errors
    ///
    /// It gives no usable key set.
    pub async fn load(&self, rules: &KeyRules) -> Result<KeySet, LoadError> {
        if let Self::PerKid(..) = self {
            // Which keys there are, the server does not tell.
            return Ok(KeySet::empty());
        }
        self.parse(&self.read(None).await?.bytes.unwrap_or_default(), rules)
    }

    /// Reads a key file once.
    pub(crate) fn read_file(path: &Path, rules: &KeyRules) -> Result<KeySet, LoadError> {
        Ok(KeySet::parse(&file::read(path)?, &KeyRules { origin: KeyOrigin::File, ..*rules })?)
    }

    async fn read(&self, etag: Option<&Etag>) -> Result<Fetched, LoadError> {
        match self {
            Self::File(path) => {
                file::read(path).map(|bytes| Fetched { bytes: Some(bytes), ..Fetched::default() })
            }
            Self::Url(source, client) => client.fetch(source, etag).await,
            Self::PerKid(..) => Ok(Fetched::default()),
        }
    }

    fn parse(&self, bytes: &[u8], rules: &KeyRules) -> Result<KeySet, LoadError> {
        let origin = match self {
            Self::File(_) => KeyOrigin::File,
            Self::Url(..) | Self::PerKid(..) => KeyOrigin::Url,
        };
        Ok(KeySet::parse(bytes, &KeyRules { origin, ..*rules })?)
    }

    /// What a ring has to know of it, as a source of that issuer.
    pub fn place(&self, issuer: usize) -> Place {
        Place {
            issuer,
            remote: !matches!(self, Self::File(_)),
            by_kid: matches!(self, Self::PerKid(..)),
            name: self.name(),
        }
    }

    /// What an operator knows it by.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Url(url, _) => url.name(),
            Self::PerKid(place, _) => place.name(),
        }
    }

    fn watch(&self, changed: &Arc<Notify>) -> Option<Watch> {
        let Self::File(path) = self else { return None };
        watch(folder_of(path), Arc::clone(changed))
            .inspect_err(|error| {
                tracing::warn!(path = %path.display(), %error, "the key file is not watched, only reloaded by the clock");
            })
            .ok()
    }
}

/// When sources are loaded again.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The longest time between two loads.
    pub interval: Duration,
    /// The least time between two loads that a server's `max-age` asks for, and that in which tokens may ask for one more.
    pub cool_down: Duration,
}

impl Timing {
    /// With the usual cool-down.
    pub const fn every(interval: Duration) -> Self {
        Self { interval, cool_down: COOL_DOWN }
    }

    /// The time until the next load, after that many failures in a row, or while the last answer is fresh.
    pub(crate) fn delay(&self, failures: u32, fresh_for: Option<Duration>) -> Duration {
        match failures {
            0 => fresh_for.map_or(self.interval, |fresh| fresh.max(self.cool_down).min(self.interval)),
            failures => FIRST_RETRY
                .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))
                .min(self.interval.max(FIRST_RETRY)),
        }
    }
}

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
        return per_kid::keep_fresh(place, client, index, ring, rules, timing, shutdown).await;
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
                ring.explain(&name, &error);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_retried_sooner_than_the_interval_and_ever_later() {
        let timing = Timing::every(Duration::from_secs(300));
        let delays: Vec<_> = (0..12).map(|failures| timing.delay(failures, None).as_secs()).collect();
        assert_eq!(delays, [300, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(timing.delay(40, None), timing.interval);
        assert_eq!(Timing::every(Duration::from_millis(10)).delay(3, None), FIRST_RETRY);
    }

    #[test]
    fn a_servers_max_age_counts_within_bounds() {
        let timing = Timing::every(Duration::from_secs(300));
        for (max_age, expected) in [(0, 10), (9, 10), (60, 60), (300, 300), (86_400, 300)] {
            assert_eq!(timing.delay(0, Some(Duration::from_secs(max_age))).as_secs(), expected, "{max_age}");
        }
        let short = Timing::every(Duration::from_secs(1));
        assert_eq!(short.delay(0, Some(Duration::from_secs(60))), short.interval);
    }
}

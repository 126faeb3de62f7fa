//! The verification keys in use.
//!
//! Each source is loaded by a task of its own, so that a hanging URL cannot keep a changed file from being read. What
//! a source gave last stays in use until it gives something better: an empty or broken answer replaces nothing.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use jose::{Algorithm, KeySet, KeySetError};
use service::readiness::Readiness;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::metrics::{ByAlgorithm, BySource, KeyMetrics};

/// What holds the process back while there is no key.
const CAUSE: &str = "keys";

/// Why a source gave no key set. No text of the source is in it: it could be a secret.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the file: {0}")]
    File(std::io::Error),
    /// The URL cannot be fetched.
    #[error("cannot fetch: {0}")]
    Fetch(String),
    /// The server answered with another status.
    #[error("the server answered {0}")]
    Status(reqwest::StatusCode),
    /// The answer is larger than any key set.
    #[error("the answer is over {0} bytes")]
    TooLarge(usize),
    /// The discovery document is not what OpenID Connect Discovery 1.0 section 4 asks for.
    #[error("the discovery document {0}")]
    Discovery(&'static str),
    /// What was read holds no usable key.
    #[error(transparent)]
    Keys(#[from] KeySetError),
}

/// All keys in use; swapped whole when a source changes.
pub struct KeyRing {
    parts: Mutex<Vec<Part>>,
    merged: ArcSwap<Keys>,
    pub(crate) wanted: Notify,
    ended: Notify,
    readiness: Readiness,
    pub(crate) metrics: KeyMetrics,
}

/// The keys at one moment.
#[derive(Debug)]
pub struct Keys {
    /// Another number for each change.
    pub version: u64,
    /// The keys of each issuer.
    pub sets: Vec<KeySet>,
}

/// What one source gave last.
#[derive(Debug, Clone)]
struct Part {
    issuer: usize,
    set: Option<KeySet>,
    /// When an early load may begin; absent while a load is under way.
    early_from: Option<Instant>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("KeyRing").field("issuers", &self.current().sets.len()).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// A ring without keys: `sources` says whose keys each source has, of `issuers` issuers. With any source the process
    /// is not ready until one has given a key.
    pub fn new(issuers: usize, sources: &[usize], readiness: Readiness, metrics: KeyMetrics) -> Self {
        if !sources.is_empty() {
            readiness.block(CAUSE, "no key is loaded");
        }
        let parts =
            sources.iter().map(|issuer| Part { issuer: *issuer, set: None, early_from: None }).collect();
        Self {
            parts: Mutex::new(parts),
            merged: ArcSwap::from_pointee(Keys { version: 0, sets: vec![KeySet::empty(); issuers] }),
            wanted: Notify::new(),
            ended: Notify::new(),
            readiness,
            metrics,
        }
    }

    /// A ring for another configuration, which begins with what this one's sources gave last: `sources` says whose keys
    /// each source has, of `issuers` issuers, and which of this ring's sources it is, if it is one of them.
    #[must_use]
    pub fn successor(&self, issuers: usize, sources: &[(usize, Option<usize>)]) -> Self {
        let before = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let parts: Vec<_> = sources
            .iter()
            .map(|(issuer, same)| {
                let set = same.and_then(|index| before.get(index)?.set.clone());
                Part { issuer: *issuer, set, early_from: None }
            })
            .collect();
        if parts.is_empty() {
            self.readiness.clear(CAUSE);
        }
        let version = u64::from(parts.iter().any(|part| part.set.is_some()));
        Self {
            merged: ArcSwap::from_pointee(Keys { version, sets: merge(&parts, issuers) }),
            parts: Mutex::new(parts),
            wanted: Notify::new(),
            ended: Notify::new(),
            readiness: self.readiness.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// Whether any source has given keys.
    pub fn has_keys(&self) -> bool {
        self.current().version != 0
    }

    /// Ends when each source has been loaded once, well or not.
    pub async fn settled(&self) {
        loop {
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            if !self.is_loading() {
                return;
            }
            ended.await;
        }
    }

    fn is_loading(&self) -> bool {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().any(|part| part.early_from.is_none())
    }

    /// Shows a source no more that is not loaded any more.
    pub fn forget(&self, source: &str) {
        let source = BySource { source: source.to_owned() };
        self.metrics.skipped.remove(&source);
        self.metrics.loaded.remove(&source);
        self.metrics.failures.remove(&source);
        self.metrics.loads.remove(&source);
    }

    /// The keys at this moment.
    pub fn current(&self) -> Arc<Keys> {
        self.merged.load_full()
    }

    /// A token could not be verified, but might with newer keys: asks the sources for one early load, at most one for
    /// each cool-down, however often this is called.
    pub fn refresh_soon(&self) {
        self.wanted.notify_waiters();
    }

    /// The keys after those of `version`, for a token that newer ones might verify: asks for an early load, and waits for
    /// it no longer than `patience`. While no source may be loaded early, nobody waits: a flood of unknown `kid`s is
    /// answered at once, but for one load in each cool-down.
    pub async fn newer_than(&self, version: u64, patience: Duration) -> Option<Arc<Keys>> {
        let deadline = Instant::now() + patience;
        loop {
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            let current = self.current();
            if current.version != version {
                return Some(current);
            }
            self.refresh_soon();
            if !self.load_is_near() {
                return None;
            }
            timeout_at(deadline, ended).await.ok()?;
        }
    }

    /// Whether a load is under way, or may begin now.
    fn load_is_near(&self) -> bool {
        let now = Instant::now();
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().any(|part| part.early_from.is_none_or(|from| from <= now))
    }

    /// A load of one source begins.
    pub(crate) fn begins(&self, index: usize) {
        self.allow_early(index, None);
    }

    /// A load of one source has ended, and its next early one may begin at `early_from`.
    pub(crate) fn ends(&self, index: usize, early_from: Instant) {
        self.allow_early(index, Some(early_from));
        self.ended.notify_waiters();
    }

    fn allow_early(&self, index: usize, from: Option<Instant>) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = parts.get_mut(index) {
            part.early_from = from;
        }
    }

    /// Puts the new keys of one source in use.
    pub(crate) fn publish(&self, index: usize, name: &str, set: KeySet) {
        for skipped in set.skipped() {
            let kid = skipped.kid.as_deref().unwrap_or("-");
            tracing::warn!(source = name, kid, reason = %skipped.reason, "key skipped");
        }
        for warning in set.warnings() {
            tracing::warn!(source = name, %warning, "weak key");
        }
        tracing::info!(source = name, keys = set.len(), skipped = set.skipped().len(), "keys loaded");
        let source = BySource { source: name.to_owned() };
        self.metrics.skipped.get_or_create(&source).set(count(set.skipped().len()));
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = parts.get_mut(index) {
            part.set = Some(set);
        }
        let before = self.current();
        let sets = merge(&parts, before.sets.len());
        for algorithm in Algorithm::ALL {
            let able = sets
                .iter()
                .flat_map(KeySet::keys)
                .filter(|key| key.algorithms().contains(*algorithm))
                .count();
            let label = ByAlgorithm { algorithm: algorithm.as_str() };
            self.metrics.keys.get_or_create(&label).set(count(able));
        }
        self.merged.store(Arc::new(Keys { version: before.version.wrapping_add(1), sets }));
        self.readiness.clear(CAUSE);
    }

    /// The source has just given a good set, new or not.
    pub(crate) fn confirm(&self, name: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let source = BySource { source: name.to_owned() };
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        self.metrics.loaded.get_or_create(&source).set(seconds);
    }
}

/// The keys of each issuer, of all its sources.
fn merge(parts: &[Part], issuers: usize) -> Vec<KeySet> {
    let of =
        |issuer| parts.iter().filter(move |part| part.issuer == issuer).filter_map(|part| part.set.as_ref());
    (0..issuers).map(|issuer| KeySet::merge(of(issuer))).collect()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

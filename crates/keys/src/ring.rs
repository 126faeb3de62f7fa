//! The verification keys in use.
//!
//! Each source is loaded by a task of its own, so that a hanging URL cannot keep a changed file from being read. What
//! a source gave last stays in use until it gives something better: an empty or broken answer replaces nothing.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jose::{Algorithm, Hint, KeySet, KeySetError, SkippedKey, Trust, UnixTime, Uuid};
use service::readiness::{Cause, Readiness};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::early::{Good, is_credible};
use crate::kids::Kids;
use crate::load_error::LoadError;
use crate::metrics::{ByAlgorithm, BySource, KeyMetrics};
use crate::outlook::{Loads, Outlook};
use crate::part::{Failure, Part, Place, State};
use crate::view::{KeysView, shortened};

/// Tokens that wait for newer keys at a time. What comes on top is answered at once: a flood while a key server hangs must
/// not hold memory and connections.
const MAX_WAITING: usize = 1_024;

/// All keys in use; swapped whole when a source changes.
pub struct KeyRing {
    parts: Mutex<Vec<Part>>,
    merged: ArcSwap<Keys>,
    ended: Notify,
    waiting: Semaphore,
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

/// What can be said of a token that the keys at hand did not verify.
#[derive(Debug, Clone)]
pub enum Newer {
    /// These keys are newer: try again.
    Keys(Arc<Keys>),
    /// No load can change the answer: the token is older than the last good one.
    Final,
    /// The keys are as new as can be; the next request may find newer ones.
    Current,
    /// There may be newer keys, and they could not be had in time: the token cannot be judged.
    Unknown,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("KeyRing").field("issuers", &self.current().sets.len()).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// A ring without keys: `sources` says whose keys each source has, of `issuers` issuers. With any source that is not
    /// optional the process is not ready until one of those has given a key. Each source may be loaded early once more in each `refill`.
    pub fn new(
        issuers: usize,
        sources: &[Place],
        refill: Duration,
        readiness: Readiness,
        metrics: KeyMetrics,
    ) -> Self {
        if sources.iter().any(|place| !place.optional) {
            readiness.block(Cause::Keys, "no key is loaded");
        }
        let parts = sources.iter().map(|place| Part::new(place.clone(), refill)).collect();
        Self::with(parts, Keys { version: 0, sets: vec![KeySet::empty(); issuers] }, readiness, metrics)
    }

    fn with(parts: Vec<Part>, keys: Keys, readiness: Readiness, metrics: KeyMetrics) -> Self {
        Self {
            parts: Mutex::new(parts),
            merged: ArcSwap::from_pointee(keys),
            ended: Notify::new(),
            waiting: Semaphore::new(MAX_WAITING),
            readiness,
            metrics,
        }
    }

    /// A ring for another configuration, which begins with what this one's sources gave last: `sources` says whose keys
    /// each source has, of `issuers` issuers, and which of this ring's sources it is, if it is one of them.
    #[must_use]
    pub fn successor(&self, issuers: usize, sources: &[(Place, Option<usize>)], refill: Duration) -> Self {
        let before = self.lock();
        let parts: Vec<_> = sources
            .iter()
            .map(|(place, same)| {
                let same = same.and_then(|index| before.get(index));
                let mut part = Part::new(place.clone(), refill);
                if let Some(same) = same {
                    (part.set, part.good) = (same.set.clone(), same.good);
                    part.kids = same.kids.as_ref().map(Kids::heir);
                }
                part
            })
            .collect();
        if parts.iter().all(|part| part.place.optional) {
            self.readiness.clear(Cause::Keys);
        }
        let version = u64::from(parts.iter().any(|part| part.set.is_some()));
        let keys = Keys { version, sets: merge(&parts, issuers) };
        Self::with(parts, keys, self.readiness.clone(), self.metrics.clone())
    }

    /// Whether any source that is not optional has given keys.
    pub fn has_keys(&self) -> bool {
        any_needed(&self.lock())
    }

    /// Ends when each source has been loaded once, well or not.
    pub async fn settled(&self) {
        loop {
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            if !self.lock().iter().any(|part| part.state == State::Loading) {
                return;
            }
            ended.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Part>> {
        // The parts are whole after each call, so a panic elsewhere leaves nothing half done in them.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a source no more that is not loaded any more.
    pub fn forget(&self, source: &str) {
        self.metrics.show_skipped(source, &[]);
        let source = BySource { source: source.to_owned() };
        self.metrics.loaded.remove(&source);
        self.metrics.failures.remove(&source);
        self.metrics.loads.remove(&source);
    }

    /// The keys at this moment.
    pub fn current(&self) -> Arc<Keys> {
        self.merged.load_full()
    }

    /// Ends when other keys than those of `version` are in use.
    pub async fn changed(&self, version: u64) {
        loop {
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            if self.current().version != version {
                return;
            }
            ended.await;
        }
    }

    /// A token could not be verified with the keys of `version`, but might with newer ones: asks its issuer's sources for
    /// one early load, if they may be loaded now.
    pub fn refresh_soon(&self, version: u64, hint: &Hint) {
        // Whether a load is coming tells the caller nothing that it could wait for.
        let _outlook = self.outlook(version, hint, Instant::now());
    }

    /// The keys after those of `version`, for a token that came `since` then and that newer ones might verify. Waits for
    /// loads of its issuer's sources, until `deadline`: those under way, then one that begins now, if one may. `hint` is
    /// what the token says of itself, unverified; it can cost its bearer a 503 instead of a 401, and nothing else.
    pub async fn newer_than(
        &self,
        version: u64,
        hint: &Hint,
        since: Instant,
        deadline: Instant,
        now: UnixTime,
    ) -> Newer {
        let mut turn = None;
        loop {
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            let outlook = match self.outlook(version, hint, since) {
                Ok(outlook) => outlook,
                Err(newer) => return Newer::Keys(newer),
            };
            if outlook.loads == Loads::Coming {
                turn = turn.or_else(|| self.waiting.try_acquire().ok());
                if turn.is_some() && timeout_at(deadline, ended).await.is_ok() {
                    continue;
                }
            }
            // A load may have ended since.
            let current = self.current();
            return match current.version == version {
                true => without_newer_keys(&outlook, hint, now),
                false => Newer::Keys(current),
            };
        }
    }

    /// Asks the issuer's sources for newer keys than those of `version`, for a token that came `since` then. Gives the newer
    /// ones where they are in use already: in one look, or a load that ends meanwhile would be asked for once more, and the
    /// next rotation would miss it.
    fn outlook(&self, version: u64, hint: &Hint, since: Instant) -> Result<Outlook, Arc<Keys>> {
        let mut parts = self.lock();
        let current = self.current();
        if current.version != version {
            return Err(current);
        }
        Ok(Outlook::of(&mut parts, hint, since, Instant::now()))
    }

    /// Ends when a token asks for a load of one source.
    pub(crate) async fn wanted(&self, index: usize) {
        let Some(wanted) = self.lock().get(index).map(|part| Arc::clone(&part.wanted)) else {
            return std::future::pending().await;
        };
        loop {
            wanted.notified().await;
            // A wish that the clock's load has met meanwhile is none any more.
            let is_open =
                |part: &Part| part.state == State::Wanted || part.kids.as_ref().is_some_and(Kids::is_wanted);
            if self.lock().get(index).is_some_and(is_open) {
                return;
            }
        }
    }

    /// A load of one source begins.
    pub(crate) fn begins(&self, index: usize) {
        if let Some(part) = self.lock().get_mut(index) {
            part.state = State::Loading;
        }
    }

    /// A load of one source has ended: when it began, if it gave keys, or why it gave none. `next` is when the clock asks for
    /// the next one.
    pub(crate) fn ends(&self, index: usize, outcome: Result<Good, &LoadError>, next: Instant) {
        if let Some(part) = self.lock().get_mut(index) {
            part.state = State::Ended(Instant::now());
            part.next = Some(next);
            match outcome {
                Ok(good) => (part.good, part.failures, part.failure) = (Some(good), 0, None),
                Err(error) => {
                    part.failures = part.failures.saturating_add(1);
                    let left_out = match error {
                        LoadError::Keys(KeySetError::NoneUsable(left_out)) => left_out.as_slice(),
                        _ => &[],
                    };
                    // Each is told once, however often the same document is read again.
                    let known = part.failure.take().map(|failure| failure.left_out).unwrap_or_default();
                    let left_out =
                        if *known == *left_out { known } else { self.tell(&part.place.name, left_out) };
                    part.failure = Some(Failure { why: error.to_string(), left_out });
                }
            }
        }
        self.ended.notify_waiters();
    }

    /// Tells of each key that was left out, and counts them.
    fn tell(&self, name: &str, left_out: &[SkippedKey]) -> Arc<[SkippedKey]> {
        for skipped in left_out {
            let kid = skipped.kid.as_deref().map_or_else(|| "-".to_owned(), shortened);
            tracing::warn!(source = name, kid, position = skipped.position, reason = %skipped.reason, "key skipped");
        }
        self.metrics.show_skipped(name, left_out);
        left_out.into()
    }

    /// What operators see of the sources and their keys; `trust` tells whose they are.
    pub fn view(&self, trust: &Trust, now: UnixTime) -> KeysView {
        KeysView::of(&self.lock(), trust, now)
    }

    /// While no source has given a key, a question whether the process is ready is answered with the cause.
    pub(crate) fn explain(&self, index: usize, name: &str, error: &LoadError) {
        if self.lock().get(index).is_some_and(|part| part.place.optional) {
            return;
        }
        self.readiness.explain(Cause::Keys, format!("no key is loaded; {name}: {error}"));
    }

    /// Puts the new keys of one source in use.
    pub(crate) fn publish(&self, index: usize, name: &str, set: KeySet) {
        self.tell(name, set.skipped());
        for warning in set.warnings() {
            tracing::warn!(source = name, %warning, "weak key");
        }
        tracing::info!(source = name, keys = set.len(), skipped = set.skipped().len(), "keys loaded");
        let mut parts = self.lock();
        if let Some(part) = parts.get_mut(index) {
            part.set = Some(Arc::new(set));
        }
        self.swap(&parts);
    }

    /// The keys by `kid` that are to be fetched now: wanted ones, and where they are `due`, those at hand.
    pub(crate) fn begin_kids(&self, index: usize, due: bool) -> Vec<Uuid> {
        let mut parts = self.lock();
        let kids = parts.get_mut(index).and_then(|part| part.kids.as_mut());
        kids.map(|kids| kids.begin(due)).unwrap_or_default()
    }

    /// Puts what was fetched by `kid` in use.
    pub(crate) fn publish_kids(&self, index: usize, name: &str, found: Vec<(Uuid, Option<KeySet>)>) {
        let mut parts = self.lock();
        let Some(part) = parts.get_mut(index) else { return };
        let Some(kids) = part.kids.as_mut() else { return };
        if kids.end(found, Instant::now()) || part.set.is_none() {
            let set = kids.keys();
            tracing::info!(source = name, keys = set.len(), "keys by kid at hand");
            part.set = Some(Arc::new(set));
            self.swap(&parts);
        }
    }

    /// Makes what the sources have what is in use.
    fn swap(&self, parts: &[Part]) {
        let before = self.current();
        let sets = merge(parts, before.sets.len());
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
        if any_needed(parts) {
            self.readiness.clear(Cause::Keys);
        }
        self.ended.notify_waiters();
    }

    /// The source has given a good set, new or not, at that time.
    pub(crate) fn confirm(&self, name: &str, at: UnixTime) {
        let source = BySource { source: name.to_owned() };
        self.metrics.loaded.get_or_create(&source).set(at.as_millis().div_euclid(1000));
    }
}

/// What can be said of a token that gets no newer keys.
fn without_newer_keys(outlook: &Outlook, hint: &Hint, now: UnixTime) -> Newer {
    // A token that does not say when it was issued, or says a time to come, is no sign of newer keys.
    let is_new = || hint.issued.is_some_and(|issued| is_credible(issued, now));
    match outlook.loads {
        _ if outlook.is_older => Newer::Final,
        Loads::Fresh => Newer::Current,
        Loads::Spent if !outlook.lacks_keys && !is_new() => Newer::Current,
        Loads::Spent | Loads::Coming => Newer::Unknown,
    }
}

/// Whether a source that is not optional has given keys.
fn any_needed(parts: &[Part]) -> bool {
    parts.iter().any(|part| !part.place.optional && part.set.is_some())
}

/// The keys of each issuer, of all its sources.
fn merge(parts: &[Part], issuers: usize) -> Vec<KeySet> {
    let of = |issuer| {
        parts.iter().filter(move |part| part.place.issuer == issuer).filter_map(|part| part.set.as_deref())
    };
    (0..issuers).map(|issuer| KeySet::merge(of(issuer))).collect()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

//! Verdicts that were given lately, ready to be sent again.
//!
//! A hit skips the signature and nothing else: what can change between two requests is judged anew (the token's time
//! here, revocation by whoever asks a token-server), and what cannot is part of the key (token, policy, key set).
//! Refused tokens are kept apart, few and briefly, so that garbage cannot push good tokens out. That nobody could decide
//! is never kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jose::{Reject, Signed, TokenHash, Window};
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle, PlaceholderGuard};

/// Refused tokens that are remembered.
const REFUSED: usize = 10_000;
/// How long a refusal is remembered: long enough for a client that repeats itself, short enough for one that is mended.
const REFUSED_FOR: Duration = Duration::from_secs(2);
/// Bytes of an entry beside its texts, by the layout of its types and of the cache's tables.
const OVERHEAD: u64 = 300;

/// What a verdict holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The token.
    pub token: TokenHash,
    /// Which policy, by its place in the configuration.
    pub route: usize,
    /// The version of the key set.
    pub keys: u64,
}

/// A verdict that was given.
#[derive(Debug)]
pub struct Kept {
    /// The encoded actions of its ACK.
    pub actions: Box<[u8]>,
    /// Why it was refused, if it was.
    pub reject: Option<Reject>,
    /// Claims that have no variable.
    pub long_names: u64,
    /// When the token may be used.
    pub window: Window,
    /// What the signature vouches for, where a token-server must be asked about it each time.
    pub signed: Option<Signed>,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Verdicts.
    pub entries: u64,
    /// Bytes of all verdicts.
    pub bytes: u64,
}

/// The verdicts of all connections. With a limit of 0 nothing is kept.
#[derive(Debug)]
pub struct VerdictCache {
    accepted: Option<Accepted>,
    refused: Cache<Key, (Instant, Arc<Kept>)>,
}

type Accepted = Cache<Key, Arc<Kept>, Weight>;

type Guard<'a> = PlaceholderGuard<
    'a,
    Key,
    Arc<Kept>,
    Weight,
    quick_cache::DefaultHashBuilder,
    DefaultLifecycle<Key, Arc<Kept>>,
>;

/// Whose turn it is to find a verdict.
pub enum Turn<'a> {
    /// Somebody has found it meanwhile.
    Found(Arc<Kept>),
    /// The caller's. Others with the same question wait until this is used or dropped.
    Mine(Place<'a>),
}

/// Where a verdict is put that the caller finds.
pub struct Place<'a> {
    cache: &'a VerdictCache,
    key: Key,
    guard: Option<Guard<'a>>,
}

impl Place<'_> {
    /// Keeps the verdict, and gives it to all who wait for it if the token was accepted.
    pub fn keep(self, kept: &Arc<Kept>, at: Instant) {
        match (self.guard, kept.reject) {
            (None, _) => {}
            (Some(guard), None) => {
                // It cannot be put where the entry was removed meanwhile; then it is simply not kept.
                guard.insert(Arc::clone(kept)).ok();
            }
            (Some(_), Some(_)) => self.cache.refused.insert(self.key, (at, Arc::clone(kept))),
        }
    }
}

/// Weighs entries so that both limits hold: none weighs less than its share of the bytes.
#[derive(Debug, Clone)]
pub struct Weight {
    least: u64,
}

impl Weighter<Key, Arc<Kept>> for Weight {
    fn weight(&self, _: &Key, kept: &Arc<Kept>) -> u64 {
        let signed = kept
            .signed
            .as_ref()
            .map_or(0, |signed| signed.header.len().saturating_add(signed.claims.as_json().len()));
        let texts = u64::try_from(kept.actions.len().saturating_add(signed)).unwrap_or(u64::MAX);
        texts.saturating_add(OVERHEAD).max(self.least)
    }
}

impl VerdictCache {
    /// An empty cache.
    pub fn new(limits: Limits) -> Self {
        let accepted = (limits.entries > 0 && limits.bytes > 0).then(|| {
            let items = usize::try_from(limits.entries).unwrap_or(usize::MAX);
            let least = limits.bytes.checked_div(limits.entries).unwrap_or(1).max(1);
            Cache::with_weighter(items, limits.bytes, Weight { least })
        });
        Self { accepted, refused: Cache::new(REFUSED) }
    }

    /// The verdict that was given last, if it is kept.
    pub fn get(&self, key: &Key, at: Instant) -> Option<Arc<Kept>> {
        let accepted = self.accepted.as_ref()?.get(key);
        accepted.or_else(|| {
            let (since, kept) = self.refused.get(key)?;
            (at.saturating_duration_since(since) < REFUSED_FOR).then_some(kept)
        })
    }

    /// Waits until nobody else is finding the verdict: of a thousand requests with one new token, one verifies it.
    pub async fn turn(&self, key: Key) -> Turn<'_> {
        let Some(accepted) = &self.accepted else {
            return Turn::Mine(Place { cache: self, key, guard: None });
        };
        match accepted.get_value_or_guard_async(&key).await {
            Ok(kept) => Turn::Found(kept),
            Err(guard) => Turn::Mine(Place { cache: self, key, guard: Some(guard) }),
        }
    }

    /// Forgets a verdict that does not hold any more.
    pub fn forget(&self, key: &Key) {
        if let Some(accepted) = &self.accepted {
            accepted.remove(key);
        }
    }

    /// Accepted verdicts that are kept, and their weight in bytes.
    pub fn size(&self) -> (u64, u64) {
        self.accepted
            .as_ref()
            .map_or((0, 0), |accepted| (u64::try_from(accepted.len()).unwrap_or(u64::MAX), accepted.weight()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(token: &str) -> Key {
        Key { token: TokenHash::of(token), route: 0, keys: 1 }
    }

    fn kept(bytes: usize, reject: Option<Reject>) -> Arc<Kept> {
        let window = Window { from: None, until: None };
        Arc::new(Kept { actions: vec![0; bytes].into(), reject, long_names: 0, window, signed: None })
    }

    fn cache(entries: u64, bytes: u64) -> VerdictCache {
        VerdictCache::new(Limits { entries, bytes })
    }

    async fn keep(cache: &VerdictCache, token: &str, kept: Arc<Kept>, at: Instant) {
        match cache.turn(key(token)).await {
            Turn::Mine(place) => place.keep(&kept, at),
            Turn::Found(_) => panic!("{token} is kept already"),
        }
    }

    #[tokio::test]
    async fn both_limits_hold_however_large_or_small_the_entries_are() {
        let at = Instant::now();
        for (entries, bytes, each) in [(100, 1 << 20, 10), (1000, 1 << 20, 10_000)] {
            let cache = cache(entries, bytes);
            for index in 0..5000 {
                keep(&cache, &index.to_string(), kept(each, None), at).await;
            }
            let (count, weight) = cache.size();
            assert!(count <= entries && weight <= bytes, "{count} entries, {weight} bytes");
            assert!(count > 0);
        }
    }

    #[tokio::test]
    async fn without_a_limit_nothing_is_kept() {
        let at = Instant::now();
        for (entries, bytes) in [(0, 1), (1, 0)] {
            let cache = cache(entries, bytes);
            keep(&cache, "a", kept(1, None), at).await;
            keep(&cache, "b", kept(1, Some(Reject::Signature)), at).await;
            assert!(cache.get(&key("a"), at).is_none() && cache.get(&key("b"), at).is_none());
        }
    }

    #[tokio::test]
    async fn refusals_are_forgotten_soon_and_push_nothing_out() {
        let at = Instant::now();
        let cache = cache(100, 1 << 20);
        keep(&cache, "good", kept(10, None), at).await;
        for index in 0..100_000 {
            keep(&cache, &format!("bad {index}"), kept(10, Some(Reject::Signature)), at).await;
        }
        assert_eq!(cache.size().0, 1);
        keep(&cache, "bad", kept(10, Some(Reject::Signature)), at).await;
        let has = |token: &str, at| cache.get(&key(token), at).is_some();
        assert!(has("good", at) && has("bad", at));
        assert!(has("good", at + REFUSED_FOR) && !has("bad", at + REFUSED_FOR));
    }

    #[tokio::test]
    async fn another_policy_or_key_set_is_another_question() {
        let at = Instant::now();
        let cache = cache(100, 1 << 20);
        keep(&cache, "a", kept(1, None), at).await;
        for other in [Key { route: 1, ..key("a") }, Key { keys: 2, ..key("a") }, key("b")] {
            assert!(cache.get(&other, at).is_none(), "{other:?}");
        }
    }

    #[tokio::test]
    async fn one_finds_the_verdict_while_the_others_wait() {
        let cache = cache(100, 1 << 20);
        let Turn::Mine(place) = cache.turn(key("a")).await else { panic!("the first has its turn") };
        let mut second = std::pin::pin!(cache.turn(key("a")));
        let waits = std::future::poll_fn(|context| {
            std::task::Poll::Ready(second.as_mut().poll(context).is_pending())
        });
        assert!(waits.await);
        place.keep(&kept(7, None), Instant::now());
        let Turn::Found(found) = second.await else { panic!("the second gets the verdict") };
        assert_eq!(found.actions.len(), 7);
    }

    #[tokio::test]
    async fn a_turn_that_brings_nothing_is_the_next_ones() {
        let cache = cache(100, 1 << 20);
        let Turn::Mine(first) = cache.turn(key("a")).await else { panic!("the first has its turn") };
        drop(first);
        assert!(matches!(cache.turn(key("a")).await, Turn::Mine(_)));
    }
}

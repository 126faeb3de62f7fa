//! Answers that were given lately, by the SHA-256 of the token. Those that say `active` are kept apart from all others, of
//! which there is no end: garbage pushes out no good token.

use jose::TokenHash;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::super::Found;

/// Bytes of an answer that count as one.
const ONE: usize = 2_048;

/// What an answer is about. Another configuration of a server is another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) server: u64,
    pub(super) token: TokenHash,
}

/// What is kept on a token.
#[derive(Debug)]
pub(super) enum Kept {
    /// An answer that may be used.
    Fresh(Found),
    /// One that said `active`, and may not be used any more.
    Ended,
    /// Nothing of use.
    Nothing,
}

pub(super) struct Answers {
    active: Cache<Key, Found, Weight>,
    others: Cache<Key, Found, Weight>,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Key, Found> for Weight {
    fn weight(&self, _: &Key, found: &Found) -> u64 {
        let bytes = found.claims.as_ref().map_or(0, |claims| claims.as_json().len());
        u64::try_from(bytes.div_ceil(ONE).max(1)).unwrap_or(u64::MAX)
    }
}

impl Answers {
    /// So many of each kind.
    pub(super) fn new(size: usize) -> Self {
        let weight = u64::try_from(size).unwrap_or(u64::MAX);
        let cache = || Cache::with_weighter(size, weight, Weight);
        Self { active: cache(), others: cache() }
    }

    pub(super) fn get(&self, key: &Key) -> Kept {
        let is_fresh = |found: &Found| Instant::now() < found.until;
        let active = self.active.get(key);
        match &active {
            Some(found) if is_fresh(found) => return Kept::Fresh(found.clone()),
            Some(_) | None => {}
        }
        match self.others.get(key) {
            Some(found) if is_fresh(&found) => Kept::Fresh(found),
            Some(_) => {
                self.others.remove(key);
                Kept::Nothing
            }
            // It stays until its renewal, which strangers cannot delay.
            None if active.is_some() => Kept::Ended,
            None => Kept::Nothing,
        }
    }

    /// Keeps an answer, in place of what was kept on this token.
    pub(super) fn keep(&self, key: Key, found: Found) {
        if matches!(&found.claims, Err(reject) if !reject.is_lasting()) {
            return;
        }
        let (own, other) = match &found.claims {
            Ok(_) => (&self.active, &self.others),
            Err(_) => (&self.others, &self.active),
        };
        other.remove(&key);
        own.insert(key, found);
    }

    pub(super) fn len(&self) -> usize {
        self.active.len().saturating_add(self.others.len())
    }
}

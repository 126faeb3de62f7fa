//! The proofs that were used lately, each remembered until it is too old for everybody.
//!
//! One that cannot be remembered is not accepted: to forget another one in its place would let that one in again.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::fault::ProofFault;
use super::proof::Proof;
use super::replay::ReplayKey;
use crate::UnixTime;

/// Tables, so that one which grows does not hold up all requests.
const TABLES: usize = 64;
/// Up to here one table is enough.
const SMALL: usize = 10_000;
/// For how long a proxy may ask about a request once more, whose first answer was lost with its connection, milliseconds.
const ASKED_AGAIN_MS: i64 = 2_000;

/// The proofs that were used lately.
#[derive(Debug)]
pub struct SeenProofs {
    tables: Vec<Mutex<Table>>,
    /// What one table holds at most.
    most: usize,
    count: AtomicUsize,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Table {
    uses: HashMap<ReplayKey, Use>,
    /// By the second at which they may be forgotten.
    ends: BTreeMap<i64, Vec<ReplayKey>>,
}

/// The request for which a proof was used.
#[derive(Debug, Clone, Copy)]
struct Use {
    request: Option<u64>,
    at: UnixTime,
}

impl SeenProofs {
    /// A memory of about so many proofs.
    pub fn new(most: usize) -> Self {
        let tables = if most > SMALL { TABLES } else { 1 };
        let most = most.div_ceil(tables);
        let tables = std::iter::repeat_with(Mutex::default).take(tables).collect();
        Self { tables, most, count: AtomicUsize::new(0), hasher: RandomState::new() }
    }

    /// Remembers a proof that is used now, for the request of this name.
    ///
    /// # Errors
    ///
    /// [`ProofFault::Replayed`] for one that was used before, but for the same request within two seconds.
    /// [`ProofFault::NoRoom`].
    pub fn remember(&self, proof: &Proof, request: Option<&str>, now: UnixTime) -> Result<(), ProofFault> {
        let key = proof.replay_key;
        let request = request.map(|name| self.hasher.hash_one(name));
        let table = self.table(key).ok_or(ProofFault::NoRoom)?;
        let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
        self.count.fetch_sub(table.forget(now), Ordering::Relaxed);
        let is_full = table.uses.len() >= self.most;
        match table.uses.entry(key) {
            Entry::Occupied(before) if before.get().is_of(request, now) => return Ok(()),
            Entry::Occupied(_) => return Err(ProofFault::Replayed),
            Entry::Vacant(_) if is_full => return Err(ProofFault::NoRoom),
            Entry::Vacant(free) => free.insert(Use { request, at: now }),
        };
        table.ends.entry(second(proof.forget_at)).or_default().push(key);
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// How many are remembered.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn table(&self, key: ReplayKey) -> Option<&Mutex<Table>> {
        let tables = u64::try_from(self.tables.len()).ok()?;
        let index = self.hasher.hash_one(key).checked_rem(tables)?;
        self.tables.get(usize::try_from(index).ok()?)
    }
}

impl Table {
    /// Forgets what is too old to be accepted, and says how many that were.
    fn forget(&mut self, now: UnixTime) -> usize {
        let before = self.uses.len();
        while let Some(first) = self.ends.first_entry()
            && *first.key() < second(now)
        {
            for key in first.remove() {
                self.uses.remove(&key);
            }
        }
        before.saturating_sub(self.uses.len())
    }
}

impl Use {
    fn is_of(self, request: Option<u64>, now: UnixTime) -> bool {
        let since = now.as_millis().saturating_sub(self.at.as_millis());
        request.is_some() && self.request == request && (0..=ASKED_AGAIN_MS).contains(&since)
    }
}

fn second(time: UnixTime) -> i64 {
    time.as_millis().div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::super::target::TargetUri;
    use super::*;

    /// When the proofs are made.
    const NOW: i64 = 1_700_000_000_000;

    fn at(millis: i64) -> UnixTime {
        UnixTime::from_millis(NOW + millis)
    }

    /// One that is good for 60 seconds, and 5 more.
    fn proof(jti: &str) -> Proof {
        let target = TargetUri::parse("https://api.example/").unwrap();
        Proof { replay_key: ReplayKey::of(&[1; 32], &target, jti), forget_at: at(65_000) }
    }

    #[test]
    fn a_proof_is_used_once_until_it_is_too_old_to_be_accepted() {
        let seen = SeenProofs::new(10);
        assert_eq!(seen.remember(&proof("a"), None, at(0)), Ok(()));
        assert_eq!(seen.remember(&proof("b"), None, at(0)), Ok(()));
        assert_eq!(seen.count(), 2);
        for millis in [0, 1, 59_999, 65_000, 65_999] {
            let again = seen.remember(&proof("a"), None, at(millis));
            assert_eq!(again, Err(ProofFault::Replayed), "{millis}");
        }
        assert_eq!(seen.remember(&proof("a"), None, at(66_000)), Ok(()));
        assert_eq!(seen.count(), 1, "what ended is gone");
    }

    #[test]
    fn the_same_request_may_be_asked_about_again_for_two_seconds() {
        let seen = SeenProofs::new(10);
        assert_eq!(seen.remember(&proof("a"), Some("r"), at(0)), Ok(()));
        for (request, millis, expected) in [
            (Some("r"), 0, Ok(())),
            (Some("r"), 2_000, Ok(())),
            (Some("r"), 2_001, Err(ProofFault::Replayed)),
            (Some("r"), -1, Err(ProofFault::Replayed)),
            (Some("s"), 0, Err(ProofFault::Replayed)),
            (None, 0, Err(ProofFault::Replayed)),
        ] {
            assert_eq!(seen.remember(&proof("a"), request, at(millis)), expected, "{request:?} {millis}");
        }
        let seen = SeenProofs::new(10);
        assert_eq!(seen.remember(&proof("a"), None, at(0)), Ok(()));
        assert_eq!(seen.remember(&proof("a"), None, at(0)), Err(ProofFault::Replayed), "no name is no name");
    }

    #[test]
    fn what_does_not_fit_is_refused_and_nothing_is_forgotten_for_it() {
        let seen = SeenProofs::new(2);
        for jti in ["a", "b"] {
            assert_eq!(seen.remember(&proof(jti), None, at(0)), Ok(()));
        }
        assert_eq!(seen.remember(&proof("c"), None, at(0)), Err(ProofFault::NoRoom));
        for jti in ["a", "b"] {
            assert_eq!(seen.remember(&proof(jti), None, at(0)), Err(ProofFault::Replayed));
        }
        assert_eq!(seen.remember(&proof("c"), None, at(66_000)), Ok(()));
    }

    #[test]
    fn a_large_memory_holds_about_as_many_as_it_is_asked_to() {
        let seen = SeenProofs::new(20_000);
        let proofs: Vec<Proof> = (0..19_000).map(|jti| proof(&jti.to_string())).collect();
        let kept = proofs.iter().filter(|proof| seen.remember(proof, None, at(0)).is_ok()).count();
        assert!((18_000..=19_000).contains(&kept), "{kept}");
        assert_eq!(seen.count(), kept);
        assert!(proofs.iter().all(|proof| seen.remember(proof, None, at(0)).is_err()));
    }

    #[test]
    fn of_many_uses_at_once_one_counts() {
        let seen = SeenProofs::new(100_000);
        let proof = proof("a");
        let used = std::thread::scope(|scope| {
            let uses: Vec<_> = (0..32).map(|_| scope.spawn(|| seen.remember(&proof, None, at(0)))).collect();
            uses.into_iter().map(|used| used.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(used.iter().filter(|used| used.is_ok()).count(), 1);
    }
}

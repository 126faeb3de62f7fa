//! Single flight: of all who ask for the same thing at the same time one finds it, the leader, and the others follow.
//!
//! A leader that is dropped without a result, cancelled or by a panic, leaves no follower waiting: they hear that there is
//! none, and the next who asks leads.

#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

/// What is being found, each by one leader. Clones are the same.
pub struct Flights<K, V>(Arc<Mutex<Open<K, V>>>);

struct Open<K, V> {
    next: u64,
    flights: HashMap<K, Flight<V>>,
}

struct Flight<V> {
    number: u64,
    since: Instant,
    landed: watch::Receiver<Option<V>>,
}

/// Who finds it.
#[derive(Debug)]
pub enum Boarding<K: Eq + Hash, V> {
    /// The caller, and others may wait for it.
    Lead(Leader<K, V>),
    /// Another caller.
    Follow(Follower<V>),
}

/// The caller's turn to find something. Dropped without a result it tells the followers that there is none.
pub struct Leader<K: Eq + Hash, V> {
    flights: Flights<K, V>,
    key: K,
    number: u64,
    landed: watch::Sender<Option<V>>,
}

/// What another caller is finding.
#[derive(Debug, Clone)]
pub struct Follower<V> {
    since: Instant,
    landed: watch::Receiver<Option<V>>,
}

impl<K: Clone + Eq + Hash, V: Clone> Flights<K, V> {
    /// Begins to find something at `now`, or joins who does.
    pub fn board(&self, key: K, now: Instant) -> Boarding<K, V> {
        let mut open = self.lock();
        if let Some(Flight { since, landed, .. }) = open.flights.get(&key) {
            return Boarding::Follow(Follower { since: *since, landed: landed.clone() });
        }
        let (sender, landed) = watch::channel(None);
        let number = open.next;
        open.next = number.wrapping_add(1);
        open.flights.insert(key.clone(), Flight { number, since: now, landed });
        drop(open);
        Boarding::Lead(Leader { flights: self.clone(), key, number, landed: sender })
    }

    /// What is being found is out of date: who waits already gets it, who asks from now on does not. `also` is done before
    /// anybody can ask again, or what was being found be kept.
    pub fn forget<Q, T>(&self, key: &Q, also: impl FnOnce() -> T) -> T
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut open = self.lock();
        open.flights.remove(key);
        also()
    }
}

impl<K, V> Flights<K, V> {
    fn lock(&self) -> MutexGuard<'_, Open<K, V>> {
        // The map is whole after each call, so a panic elsewhere leaves nothing half done in it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V: Clone> Leader<K, V> {
    /// What is to be found.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// A place among those who wait for it.
    pub fn follower(&self, since: Instant) -> Follower<V> {
        Follower { since, landed: self.landed.subscribe() }
    }

    /// Gives the result to all who wait. Unless it was forgotten meanwhile, `keep` is done before it can be asked again.
    pub fn land(self, result: V, keep: impl FnOnce()) {
        let mut open = self.flights.lock();
        if open.leave(&self.key, self.number) {
            keep();
        }
        drop(open);
        self.landed.send_replace(Some(result));
    }
}

impl<K: Eq + Hash, V> Open<K, V> {
    /// Ends this flight; tells whether it was not forgotten.
    fn leave(&mut self, key: &K, number: u64) -> bool {
        let is_open = self.flights.get(key).is_some_and(|flight| flight.number == number);
        if is_open {
            self.flights.remove(key);
        }
        is_open
    }
}

impl<K: Eq + Hash, V> Drop for Leader<K, V> {
    fn drop(&mut self) {
        self.flights.lock().leave(&self.key, self.number);
    }
}

impl<V: Clone> Follower<V> {
    /// When the leader began.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// The result; nothing if the leader gave up.
    pub async fn landing(mut self) -> Option<V> {
        self.landed.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Open { next: 0, flights: HashMap::new() })))
    }
}

impl<K, V> Clone for Flights<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What is asked for stays out of logs: it may name a subject or a token.
impl<K, V> fmt::Debug for Flights<K, V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Flights({})", self.lock().flights.len())
    }
}

impl<K: Eq + Hash, V> fmt::Debug for Leader<K, V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Leader").field("number", &self.number).finish_non_exhaustive()
    }
}

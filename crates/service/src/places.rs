//! A bounded number of connections. Where all places are taken, the connection that has been idle longest gives up its own:
//! silent connections, however many, keep no other out.
//!
//! Connections that have never worked go first: a peer that connects and says nothing is the least missed.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::shutdown::Shutdown;

/// Connections that were asked to go and have not gone. While there are so many no other is asked.
const MAX_LEAVING: usize = 256;

/// What a connection that is at work shows instead of since when it is idle.
const WORKS: u64 = u64::MAX;

/// Set in the time since when a connection is idle that has worked before.
const HAS_WORKED: u64 = 1 << 63;

/// The places of a listener, or of several. Clones are the same.
#[derive(Debug, Clone)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max: usize,
    start: Instant,
    taken: Mutex<Taken>,
    /// Whether a connection waits for a place.
    wanted: AtomicBool,
    freed: Notify,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    connections: HashMap<u64, Arc<State>>,
    leaving: usize,
}

/// Where connections are counted.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Open connections.
    pub open: Gauge,
    /// Connections that had to go since they were idle and others came.
    pub shed: Counter,
}

#[derive(Debug)]
struct State {
    /// Nanoseconds from the start until the connection became idle, with [`HAS_WORKED`]; or [`WORKS`].
    idle: AtomicU64,
    go: Shutdown,
}

/// One connection's place, which others get when this is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    number: u64,
    state: Arc<State>,
}

impl Places {
    /// So many places.
    pub fn new(max: usize, counts: Counts) -> Self {
        Self(Arc::new(Inner {
            max,
            start: Instant::now(),
            taken: Mutex::default(),
            wanted: AtomicBool::new(false),
            freed: Notify::new(),
            counts,
        }))
    }

    /// A place for a connection that was accepted at `now`; absent while all are taken by connections that work.
    pub fn take(&self, now: Instant) -> Option<Place> {
        let mut taken = self.lock();
        if taken.connections.len() >= self.0.max && !self.shed(&mut taken) {
            return None;
        }
        let number = taken.next;
        taken.next = number.wrapping_add(1);
        let state = Arc::new(State { idle: AtomicU64::new(self.since_start(now)), go: Shutdown::new() });
        taken.connections.insert(number, Arc::clone(&state));
        self.0.counts.open.inc();
        Some(Place { places: self.clone(), number, state })
    }

    /// A place, as soon as there is one.
    pub async fn wait(&self, now: Instant) -> Place {
        self.until(|| self.take(now)).await
    }

    /// Ends when there is a place, or a connection that could give up its own.
    pub async fn room(&self) {
        let has_room = || {
            let taken = self.lock();
            (taken.connections.len() < self.0.max || oldest_idle(&taken).is_some()).then_some(())
        };
        self.until(has_room).await;
    }

    /// Looks again whenever a place is freed, or its connection rests.
    async fn until<T>(&self, look: impl Fn() -> Option<T>) -> T {
        loop {
            let mut freed = pin!(self.0.freed.notified());
            freed.as_mut().enable();
            self.0.wanted.store(true, Ordering::SeqCst);
            if let Some(found) = look() {
                return found;
            }
            freed.await;
        }
    }

    /// Asks the connection to go that has been idle longest; tells whether there was one.
    fn shed(&self, taken: &mut Taken) -> bool {
        if taken.leaving >= MAX_LEAVING {
            return false;
        }
        let Some(state) = oldest_idle(taken).and_then(|number| taken.connections.remove(&number)) else {
            return false;
        };
        taken.leaving = taken.leaving.saturating_add(1);
        self.0.counts.shed.inc();
        state.go.cancel();
        true
    }

    fn since_start(&self, now: Instant) -> u64 {
        let nanoseconds = now.saturating_duration_since(self.0.start).as_nanos();
        u64::try_from(nanoseconds).unwrap_or(u64::MAX) & !HAS_WORKED
    }

    fn freed(&self) {
        if self.0.wanted.load(Ordering::SeqCst) && self.0.wanted.swap(false, Ordering::SeqCst) {
            self.0.freed.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // The map is whole after each call, so a panic elsewhere leaves nothing half done in it.
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection that has been idle longest, of those that have never worked if there are such.
fn oldest_idle(taken: &Taken) -> Option<u64> {
    taken
        .connections
        .iter()
        .map(|(number, state)| (state.idle.load(Ordering::SeqCst), *number))
        .filter(|(idle, _)| *idle != WORKS)
        .min()
        .map(|(_, number)| number)
}

impl Place {
    /// The connection has something to do.
    pub fn works(&self) {
        self.state.idle.store(WORKS, Ordering::SeqCst);
    }

    /// The connection has done what it had to do, at `now`.
    pub fn rests(&self, now: Instant) {
        self.state.idle.store(self.places.since_start(now) | HAS_WORKED, Ordering::SeqCst);
        self.places.freed();
    }

    /// Whether the connection is at work.
    pub fn is_working(&self) -> bool {
        self.state.idle.load(Ordering::SeqCst) == WORKS
    }

    /// Whether the connection is at work, or was.
    pub fn has_worked(&self) -> bool {
        self.state.idle.load(Ordering::SeqCst) & HAS_WORKED != 0
    }

    /// Ends when the connection has to go.
    pub async fn shed(&self) {
        self.state.go.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if taken.connections.remove(&self.number).is_none() {
            taken.leaving = taken.leaving.saturating_sub(1);
        }
        drop(taken);
        self.places.0.counts.open.dec();
        self.places.freed();
    }
}

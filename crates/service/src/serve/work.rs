//! Which requests of a connection are in work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use crate::places::Place;

/// The requests of a connection that are in work. One whose answer is being written is not: how long that takes is up to
/// the peer, which could keep its place by not reading.
pub(super) struct Work {
    place: Arc<Place>,
    begun: Arc<AtomicUsize>,
}

/// A request that has not ended, until it is dropped.
pub(super) struct Begun {
    place: Arc<Place>,
    begun: Arc<AtomicUsize>,
}

impl Work {
    pub(super) fn new(place: &Arc<Place>) -> Self {
        Self { place: Arc::clone(place), begun: Arc::default() }
    }

    pub(super) fn begin(&self) -> Begun {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.place.works();
        Begun { place: Arc::clone(&self.place), begun: Arc::clone(&self.begun) }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.begun.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.place.rests(Instant::now());
        }
    }
}

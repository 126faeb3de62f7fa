//! How many calls there may be, at a time and in a second. Tokens that were active before have limits of their own, so that no
//! flood of strangers' texts keeps them from being asked about again.

use std::sync::{Arc, Mutex, PoisonError};

use service::rate::Bucket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// A call may be made until this is dropped.
pub(super) type Place = OwnedSemaphorePermit;

pub(super) struct Limits {
    new: Lane,
    renewals: Lane,
}

struct Lane {
    places: Arc<Semaphore>,
    rate: u32,
    bucket: Mutex<Bucket>,
}

impl Limits {
    pub(super) fn new(concurrency: usize, rate: u32, now: Instant) -> Self {
        let lane = || Lane {
            places: Arc::new(Semaphore::new(concurrency)),
            rate,
            bucket: Mutex::new(Bucket::full(rate, now)),
        };
        Self { new: lane(), renewals: lane() }
    }

    /// A place for one call; absent: there are too many.
    pub(super) fn enter(&self, renews: bool, now: Instant) -> Option<Place> {
        let lane = if renews { &self.renewals } else { &self.new };
        let place = Arc::clone(&lane.places).try_acquire_owned().ok()?;
        let mut bucket = lane.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(lane.rate, now).ok().map(|()| place)
    }
}

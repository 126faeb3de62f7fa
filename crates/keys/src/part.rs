//! One source as the ring knows it: what it gave last, and what it is at.

use std::sync::Arc;
use std::time::Duration;

use jose::KeySet;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::early::{Bucket, Good};

/// The least time between a load that failed after another failed one and the next early one.
const EARLY_RETRY: Duration = Duration::from_secs(1);

/// What a ring knows of one of its sources before it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whose keys it has.
    pub issuer: usize,
    /// Whether it is fetched. A file is watched, so that what it holds is never out of date for long.
    pub remote: bool,
}

/// What one source gave last.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) place: Place,
    pub(crate) set: Option<KeySet>,
    pub(crate) good: Option<Good>,
    pub(crate) failures: u32,
    pub(crate) state: State,
    bucket: Bucket,
    pub(crate) wanted: Arc<Notify>,
}

/// What a source is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// A load is under way, or the first one has not begun.
    Loading,
    /// A token has asked for a load, which will begin.
    Wanted,
    /// The last load has ended then.
    Ended(Instant),
}

impl Part {
    pub(crate) fn new(place: Place, refill: Duration) -> Self {
        Self {
            place,
            set: None,
            good: None,
            failures: 0,
            state: State::Loading,
            bucket: Bucket::full(Instant::now(), refill),
            wanted: Arc::new(Notify::new()),
        }
    }

    pub(crate) fn is_fresh(&self, since: Instant) -> bool {
        self.good.is_some_and(|good| good.began >= since)
    }

    /// Asks for a load now, if one may begin.
    pub(crate) fn ask(&mut self, now: Instant) -> bool {
        match self.state {
            State::Loading | State::Wanted => true,
            State::Ended(at) => {
                let rests = self.failures > 1 && now.saturating_duration_since(at) < EARLY_RETRY;
                let asked = !rests && self.bucket.take(now);
                if asked {
                    self.state = State::Wanted;
                    self.wanted.notify_one();
                }
                asked
            }
        }
    }
}

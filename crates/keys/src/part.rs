//! One source as the ring knows it: what it gave last, and what it is at.

use std::sync::Arc;
use std::time::Duration;

use jose::{KeySet, SkippedKey, Uuid};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::early::{Bucket, Good};
use crate::kids::{Kids, Known};

/// The least time between a load that failed after another failed one and the next early one.
const EARLY_RETRY: Duration = Duration::from_secs(1);

/// What a ring knows of one of its sources before it is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whose keys it has.
    pub issuer: usize,
    /// Whether it is fetched. A file is watched, so that what it holds is never out of date for long.
    pub remote: bool,
    /// Whether each key is fetched by its `kid`, when a token names it.
    pub by_kid: bool,
    /// Whether the process is ready without its keys.
    pub optional: bool,
    /// What an operator knows it by.
    pub name: String,
}

/// What one source gave last.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) place: Place,
    pub(crate) set: Option<Arc<KeySet>>,
    pub(crate) good: Option<Good>,
    pub(crate) failures: u32,
    pub(crate) failure: Option<Failure>,
    /// When it is loaded again by the clock.
    pub(crate) next: Option<Instant>,
    pub(crate) state: State,
    /// Where each key is fetched by its `kid`.
    pub(crate) kids: Option<Kids>,
    bucket: Bucket,
    pub(crate) wanted: Arc<Notify>,
}

/// Why the last load gave no keys.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) why: String,
    /// The keys of a document in which none could be used.
    pub(crate) left_out: Arc<[SkippedKey]>,
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
        let kids = place.by_kid.then(Kids::default);
        Self {
            place,
            kids,
            set: None,
            good: None,
            failures: 0,
            failure: None,
            next: None,
            state: State::Loading,
            bucket: Bucket::full(Instant::now(), refill),
            wanted: Arc::new(Notify::new()),
        }
    }

    pub(crate) fn is_fresh(&self, since: Instant) -> bool {
        self.good.is_some_and(|good| good.began >= since)
    }

    /// Asks for the key of a `kid`, if it may be asked for now. Without one there is nothing to ask.
    pub(crate) fn ask_kid(&mut self, kid: Option<Uuid>, now: Instant) -> Known {
        let Some((kid, kids)) = kid.zip(self.kids.as_mut()) else { return Known::Answered };
        let known = kids.look_up(kid, now);
        if known != Known::Unasked {
            return known;
        }
        let rests = matches!(self.state, State::Ended(at) if self.failures > 1
            && now.saturating_duration_since(at) < EARLY_RETRY);
        if rests || !self.bucket.take(now) {
            return Known::Crowded;
        }
        kids.want(kid);
        self.wanted.notify_one();
        Known::Coming
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

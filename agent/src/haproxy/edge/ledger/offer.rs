//! What the ledger is offered, on which terms, and when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jose::UnixTime;
use revocation::lease::ServerId;

use super::super::entry::Key;

/// How much HAProxy is given, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long what a server vouched for may be used without hearing from it.
    pub lease: Duration,
    /// How long an entry stands at most.
    pub entry: Duration,
    /// Entries.
    pub entries: usize,
}

/// By what verdicts were made: another configuration, or other keys, end all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Basis {
    /// The number of the configuration.
    pub configuration: u64,
    /// The version of its keys.
    pub keys: u64,
}

/// A moment by the clock that only runs, and by the one that HAProxy compares with.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The monotonic clock.
    pub at: Instant,
    /// The time of day.
    pub now: UnixTime,
}

/// A verdict that HAProxy may be given.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What it is found by.
    pub key: Key,
    /// By what it was made.
    pub basis: Basis,
    /// Whose changes end it, beside those for everybody.
    pub subject: Option<Arc<str>>,
    /// The server whose word it rests on.
    pub server: Option<ServerId>,
    /// Not at this moment, nor later.
    pub end: Option<UnixTime>,
    /// Its value before the name of its lease.
    pub fields: Arc<str>,
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// HAProxy will be told.
    Yes,
    /// It has been told, or will be.
    Already,
    /// There are as many as may be, or too many in this second.
    Full,
    /// It may not be used without asking.
    No,
}

impl Moment {
    /// How far the time of day has moved against the monotonic clock since `before`.
    pub(super) fn step(self, before: Self) -> Duration {
        let ran = i64::try_from(self.at.saturating_duration_since(before.at).as_millis()).unwrap_or(i64::MAX);
        let moved = self.now.as_millis().saturating_sub(before.now.as_millis());
        Duration::from_millis(moved.abs_diff(ran))
    }
}

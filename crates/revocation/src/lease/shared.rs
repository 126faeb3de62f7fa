//! One lease for all connections, asked at each hit.

#[cfg(not(all(test, loom)))]
use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};
use std::time::{Duration, Instant};

#[cfg(all(test, loom))]
use loom::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use super::{Lease, ServerId, Stamp, Terms};
use crate::events::{Events, Since};

/// A [`Lease`] that many threads ask while others tell it what they hear.
///
/// A verdict's [`Word`] remembers what the lease said of it: until when it may be used unless something is heard, and how
/// much had been heard by then. So long as that holds a hit costs three loads and no lock, and each verdict comes back
/// to the lease only after an answer of a feed, which is about twice a second.
#[derive(Debug)]
pub struct SharedLease {
    start: Instant,
    terms: Terms,
    lease: Mutex<Lease>,
    /// How often something was heard, and one.
    heard: AtomicU64,
}

/// What a server said about a token, as it is kept.
#[derive(Debug)]
pub struct Word {
    stamp: Stamp,
    subject: Option<Box<str>>,
    /// Nanoseconds after the lease's start before which it may be used, as the lease said when...
    before: AtomicU64,
    /// ...so much had been heard. Zero: never asked.
    heard: AtomicU64,
}

impl Word {
    /// A word on a token of `subject`, whose changes end its use.
    pub fn new(stamp: Stamp, subject: Option<Box<str>>) -> Self {
        Self { stamp, subject, before: AtomicU64::new(0), heard: AtomicU64::new(0) }
    }

    /// Whose word it is.
    pub fn server(&self) -> ServerId {
        self.stamp.server
    }

    /// Whose changes end its use, beside those for everybody.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Bytes of its texts.
    pub fn text_bytes(&self) -> usize {
        self.stamp.epoch.len().saturating_add(self.subject.as_deref().map_or(0, str::len))
    }
}

impl SharedLease {
    /// Nothing has been heard of any server. No time that it is asked about is before `start`.
    pub fn new(terms: Terms, start: Instant) -> Self {
        Self { start, terms, lease: Mutex::new(Lease::new(terms)), heard: AtomicU64::new(1) }
    }

    /// Whether any word may ever be used twice.
    pub fn allows_reuse(&self) -> bool {
        !self.terms.ttl.is_zero()
    }

    /// See [`Lease::since`].
    pub fn since(&self, server: ServerId) -> Option<Since> {
        self.lease.lock().ok()?.since(server)
    }

    /// See [`Lease::hear`]. No verdict that this ends is used any more once it returns.
    pub fn hear(&self, server: ServerId, sent: Instant, received: Instant, events: &Events) {
        self.change(|lease| lease.hear(server, sent, received, events));
    }

    /// See [`Lease::leave`].
    pub fn leave(&self, server: ServerId) {
        self.change(|lease| lease.leave(server));
    }

    /// Whether the word may be used again at `now`.
    pub fn allows(&self, word: &Word, now: Instant) -> bool {
        let since_start = nanoseconds(now.saturating_duration_since(self.start));
        // A thread that finds this number in the word finds what was written before it, or something newer.
        if word.heard.load(Ordering::Acquire) == self.heard.load(Ordering::Acquire) {
            return since_start < word.before.load(Ordering::Relaxed);
        }
        // A lease that broke half-way through a change knows nothing for certain.
        let Ok(lease) = self.lease.lock() else { return false };
        let until = lease.allows(&word.stamp, word.subject.as_deref(), now);
        let before = until
            .map_or(0, |until| nanoseconds(until.saturating_duration_since(self.start)).saturating_add(1));
        // Under the lock, so that what was found later is also written later.
        word.before.store(before, Ordering::Relaxed);
        word.heard.store(self.heard.load(Ordering::Relaxed), Ordering::Release);
        until.is_some()
    }

    /// See [`Lease::term`].
    pub fn term(&self, word: &Word, now: Instant) -> Option<Instant> {
        // A lease that broke half-way through a change knows nothing for certain.
        self.lease.lock().ok()?.term(&word.stamp, word.subject.as_deref(), now)
    }

    fn change(&self, change: impl FnOnce(&mut Lease)) {
        if let Ok(mut lease) = self.lease.lock() {
            change(&mut lease);
            self.heard.fetch_add(1, Ordering::Release);
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

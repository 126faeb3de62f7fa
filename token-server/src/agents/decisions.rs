//! The last decisions that agents told, and those who read them as they come.
//!
//! A reader has a place in the ring and takes what came since; nothing waits for it. What is overwritten before it comes there is
//! lost to it, and it is told how much that was.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use revocation::report::Told;
use serde::Serialize;
use service::shutdown::Shutdown;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

use super::metrics::AgentMetrics;

/// Decisions that are kept.
pub(crate) const MAX_KEPT: usize = 10_000;
/// Their bytes: three times what those of usual length take.
const MAX_KEPT_BYTES: usize = 8 * 1024 * 1024;
/// Clients that read at a time.
pub(crate) const MAX_READERS: usize = 16;
/// Lines that a reader takes at once.
const MAX_TOGETHER: usize = 256;
/// The time of silence after which a reader gets a sign of life.
const SILENCE: Duration = Duration::from_secs(5);

/// The ring.
#[derive(Debug)]
pub(crate) struct Decisions {
    ring: Mutex<Ring>,
    /// The number of the next line.
    told: watch::Sender<u64>,
    places: Arc<Semaphore>,
    end: Shutdown,
    metrics: AgentMetrics,
}

#[derive(Debug, Default)]
struct Ring {
    /// Each ends with a line feed.
    lines: VecDeque<Bytes>,
    bytes: usize,
    /// The number of the first of them; they are counted from the start of the process.
    first: u64,
}

/// What a reader hears.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Lines of JSON.
    Lines(Bytes),
    /// Nothing has come for a while.
    Silence,
}

/// A client that reads. Its place is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    decisions: Arc<Decisions>,
    /// The number of the line that it takes next.
    next: u64,
    told: watch::Receiver<u64>,
    _place: OwnedSemaphorePermit,
}

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    agent: &'a str,
    #[serde(flatten)]
    told: &'a Told,
}

#[derive(Serialize)]
struct Lost {
    lost: u64,
}

impl Decisions {
    /// None yet. Nothing is waited for after `end`.
    pub(super) fn new(end: Shutdown, metrics: AgentMetrics) -> Self {
        let places = Arc::new(Semaphore::new(MAX_READERS));
        Self { ring: Mutex::default(), told: watch::Sender::new(0), places, end, metrics }
    }

    /// Keeps decisions of an agent, and tells those who read.
    pub(super) fn add(&self, agent: &str, told: Vec<Told>) {
        if told.is_empty() {
            return;
        }
        let lines: Vec<Bytes> = told.iter().filter_map(|told| line(&Line { agent, told })).collect();
        let mut ring = self.lock();
        for line in lines {
            ring.push(line);
        }
        let (next, kept) = (ring.next(), ring.lines.len());
        // Under the lock, so that numbers grow.
        self.told.send_replace(next);
        drop(ring);
        self.metrics.kept.set(i64::try_from(kept).unwrap_or(i64::MAX));
    }

    /// A reader that begins with the `last` lines; absent where there are [`MAX_READERS`] already.
    pub(crate) fn read(self: &Arc<Self>, last: u64) -> Option<Reader> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let told = self.told.subscribe();
        let ring = self.lock();
        // What was overwritten before it began is not lost to it.
        let next = ring.next().saturating_sub(last).max(ring.first);
        drop(ring);
        self.metrics.readers.inc();
        Some(Reader { decisions: Arc::clone(self), next, told, _place: place })
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        // A line more or less that is counted wrong after a panic elsewhere harms nothing.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn next(&self) -> u64 {
        self.first.saturating_add(number(self.lines.len()))
    }

    fn push(&mut self, line: Bytes) {
        self.bytes = self.bytes.saturating_add(line.len());
        self.lines.push_back(line);
        while self.lines.len() > MAX_KEPT || self.bytes > MAX_KEPT_BYTES {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.len());
            self.first = self.first.saturating_add(1);
        }
    }

    /// The lines from this number on, at most [`MAX_TOGETHER`], and how many before them are lost.
    fn after(&self, next: u64) -> (u64, Vec<Bytes>) {
        let skipped = usize::try_from(next.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let lines = self.lines.iter().skip(skipped).take(MAX_TOGETHER).cloned().collect();
        (self.first.saturating_sub(next), lines)
    }
}

impl Reader {
    /// What comes next; absent when nothing comes any more, since the process ends.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        loop {
            // Whatever comes after this look is a change.
            self.told.borrow_and_update();
            if let Some(lines) = self.take() {
                return Some(Heard::Lines(lines));
            }
            tokio::select! {
                biased;
                () = self.decisions.end.cancelled() => return None,
                // The sender lives as long as the ring.
                _ = self.told.changed() => {}
                () = sleep(SILENCE) => return Some(Heard::Silence),
            }
        }
    }

    #[cfg(test)]
    pub(super) fn next_number(&self) -> u64 {
        self.next
    }

    fn take(&mut self) -> Option<Bytes> {
        let (lost, lines) = self.decisions.lock().after(self.next);
        if lines.is_empty() {
            return None;
        }
        self.next = self.next.saturating_add(lost).saturating_add(number(lines.len()));
        let lost = (lost > 0).then(|| line(&Lost { lost })).flatten();
        let all: Vec<Bytes> = lost.into_iter().chain(lines).collect();
        Some(all.concat().into())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.decisions.metrics.readers.dec();
    }
}

/// JSON and a line feed. Texts cannot break a line: JSON escapes control characters.
fn line(value: &impl Serialize) -> Option<Bytes> {
    let mut line = serde_json::to_vec(value).ok()?;
    line.push(b'\n');
    Some(line.into())
}

fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

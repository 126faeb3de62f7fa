//! What changed, for programs that keep verdicts: a bounded log with a number for each change.
//!
//! The log is this process's memory. Its epoch is new with each start, so that the numbers of one process are not taken for
//! those of another.

mod answers;
mod telling;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use revocation::events::{Changes, Events, Since};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::answers::{Answers, Reader};
use self::telling::{MAX_ANSWER, Telling};

/// Changes that are remembered: several seconds of the busiest writer, where readers come back within one.
const MAX_CHANGES: usize = 10_000;

/// Bytes of the names that are remembered: ten times what subjects of usual length take.
const MAX_NAME_BYTES: usize = 4 * 1024 * 1024;

/// The log of changes.
#[derive(Debug)]
pub struct Feed {
    epoch: Box<str>,
    log: Mutex<Log>,
    /// The number of the last change.
    latest: AtomicU64,
    telling: Arc<Telling>,
    answers: Answers,
    metrics: FeedMetrics,
    /// Owns what waits to tell readers.
    tasks: TaskTracker,
}

/// What is shown of the feed. Clones count into the same metrics.
#[derive(Debug, Clone, Default)]
pub struct FeedMetrics {
    /// Bytes of the groups' names in the log.
    pub bytes: Gauge,
    /// Answers to readers.
    pub answers: Counter,
    /// Answers that were put into words; the others are copies of them.
    pub written: Counter,
}

#[derive(Debug)]
struct Log {
    revision: u64,
    /// Changes up to this revision are forgotten.
    forgotten: u64,
    changes: VecDeque<(u64, Arc<str>)>,
    /// Bytes of the names in it.
    bytes: usize,
}

impl Feed {
    /// An empty log that goes on counting from `revision`, under a name that no other process has.
    pub fn new(epoch: impl Into<Box<str>>, revision: u64, metrics: FeedMetrics, tasks: TaskTracker) -> Self {
        let log = Log { revision, forgotten: revision, changes: VecDeque::new(), bytes: 0 };
        Self {
            epoch: epoch.into(),
            log: Mutex::new(log),
            latest: AtomicU64::new(revision),
            telling: Arc::new(Telling::new(revision)),
            answers: Answers::default(),
            metrics,
            tasks,
        }
    }

    /// The name of this process's numbers.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The number of the last change.
    pub fn revision(&self) -> u64 {
        self.latest.load(Ordering::Acquire)
    }

    /// Notes that a group changed.
    pub fn changed(&self, group: &str) -> u64 {
        self.changed_all(&[group])
    }

    /// Notes that groups changed together: one change with several names, or one of anything where they are too many to name.
    pub fn changed_all(&self, groups: &[&str]) -> u64 {
        if groups.len() > MAX_ANSWER {
            return self.everything_changed();
        }
        self.note(groups.len(), |log| {
            for group in groups {
                log.changes.push_back((log.revision, (*group).into()));
                log.bytes = log.bytes.saturating_add(group.len());
            }
            while (log.changes.len() > MAX_CHANGES || log.bytes > MAX_NAME_BYTES)
                && let Some((revision, name)) = log.changes.pop_front()
            {
                log.forgotten = revision;
                log.bytes = log.bytes.saturating_sub(name.len());
            }
        })
    }

    /// Notes that anything may have changed.
    pub fn everything_changed(&self) -> u64 {
        self.note(1, |log| {
            log.changes.clear();
            log.bytes = 0;
            log.forgotten = log.revision;
        })
    }

    /// What changed after `since`, and the revision up to which this tells it.
    pub fn after(&self, since: Option<&Since>) -> (u64, Changes) {
        let log = self.lock();
        let Some(since) = since.filter(|since| *since.epoch == *self.epoch) else {
            return (log.revision, Changes::Everything);
        };
        // A reader from the future has another process's numbers, whatever name they carry.
        if since.revision < log.forgotten || since.revision > log.revision {
            return (log.revision, Changes::Everything);
        }
        let groups: BTreeSet<&str> = log
            .changes
            .iter()
            .rev()
            .take_while(|(revision, _)| *revision > since.revision)
            .map(|(_, group)| &**group)
            .collect();
        if groups.len() > MAX_ANSWER {
            return (log.revision, Changes::Everything);
        }
        (log.revision, Changes::Groups(groups.into_iter().map(str::to_owned).collect()))
    }

    /// Ends once there is something to tell a reader who is this far: at once where it is behind what readers were told, and
    /// for a change after silence. Changes that come faster than all readers can be told are gathered; see [`Telling`].
    pub async fn news(&self, since: &Since) {
        // A stranger, and a reader from the future, is told to begin anew.
        if *since.epoch != *self.epoch || since.revision > self.revision() {
            return;
        }
        self.telling.passes(since.revision).await;
    }

    /// The text of the answer to a poll that came at `asked`, as `events` tells it at `now`, or a copy of one that another
    /// reader at the same place has just got.
    ///
    /// # Errors
    /// As `events`.
    pub fn answer<E>(
        &self,
        since: Option<&Since>,
        asked: Instant,
        now: Instant,
        events: impl FnOnce() -> Result<Events, E>,
    ) -> Result<Bytes, E> {
        let since = since.filter(|since| *since.epoch == *self.epoch).map(|since| since.revision);
        let reader = Reader { since, asked, now };
        let body = self.answers.of(&reader, &self.latest, || {
            self.metrics.written.inc();
            events()
        })?;
        self.metrics.answers.inc();
        Ok(body)
    }

    fn note(&self, names: usize, change: impl FnOnce(&mut Log)) -> u64 {
        let mut log = self.lock();
        log.revision = log.revision.saturating_add(1);
        change(&mut log);
        self.metrics.bytes.set(i64::try_from(log.bytes).unwrap_or(i64::MAX));
        let revision = log.revision;
        self.latest.store(revision, Ordering::Release);
        // Readers that are woken look into the log.
        drop(log);
        self.telling.changed(revision, names, &self.tasks);
        revision
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

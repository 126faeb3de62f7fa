//! What changed, for programs that keep verdicts: a bounded log with a number for each change.
//!
//! The log is this process's memory. Its epoch is new with each start, so that the numbers of one process are not taken for
//! those of another.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::gauge::Gauge;
use revocation::events::{Changes, Since};
use tokio::sync::watch;

/// Changes that are remembered: several seconds of the busiest writer, where readers come back within one.
const MAX_CHANGES: usize = 10_000;

/// Bytes of the names that are remembered: ten times what subjects of usual length take.
const MAX_NAME_BYTES: usize = 4 * 1024 * 1024;

/// Groups that one answer names; a reader that is further behind gets everything.
const MAX_ANSWER: usize = 1_000;

/// The log of changes.
#[derive(Debug)]
pub struct Feed {
    epoch: Box<str>,
    log: Mutex<Log>,
    latest: watch::Sender<u64>,
    /// Shows the bytes of the names.
    bytes: Gauge,
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
    /// An empty log that goes on counting from `revision`, under a name that no other process has. `bytes` shows how large it
    /// is.
    pub fn new(epoch: impl Into<Box<str>>, revision: u64, bytes: Gauge) -> Self {
        let log = Log { revision, forgotten: revision, changes: VecDeque::new(), bytes: 0 };
        Self { epoch: epoch.into(), log: Mutex::new(log), latest: watch::Sender::new(revision), bytes }
    }

    /// The name of this process's numbers.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The number of the last change.
    pub fn revision(&self) -> u64 {
        *self.latest.borrow()
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
        self.note(|log| {
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
        self.note(|log| {
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

    /// Tells each new revision.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    fn note(&self, change: impl FnOnce(&mut Log)) -> u64 {
        let mut log = self.lock();
        log.revision = log.revision.saturating_add(1);
        change(&mut log);
        self.bytes.set(i64::try_from(log.bytes).unwrap_or(i64::MAX));
        self.latest.send_replace(log.revision);
        log.revision
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(revision: u64) -> Feed {
        Feed::new("e", revision, Gauge::default())
    }

    fn since(epoch: &str, revision: u64) -> Option<Since> {
        Some(Since { epoch: epoch.to_owned(), revision })
    }

    fn groups(names: &[&str]) -> Changes {
        Changes::Groups(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_reader_gets_what_he_has_not_seen_once_each() {
        let feed = feed(5);
        assert_eq!(feed.after(since("e", 5).as_ref()), (5, groups(&[])));
        assert_eq!(feed.changed("b"), 6);
        feed.changed("a");
        feed.changed("b");
        assert_eq!(feed.after(since("e", 5).as_ref()), (8, groups(&["a", "b"])));
        assert_eq!(feed.after(since("e", 7).as_ref()), (8, groups(&["b"])));
        assert_eq!(feed.after(since("e", 8).as_ref()), (8, groups(&[])));
    }

    #[test]
    fn a_reader_that_may_have_missed_something_is_told_so() {
        let feed = feed(5);
        feed.changed("a");
        for stranger in [None, since("other", 6), since("e", 4), since("e", 7)] {
            assert_eq!(feed.after(stranger.as_ref()).1, Changes::Everything, "{stranger:?}");
        }
        feed.everything_changed();
        assert_eq!(feed.after(since("e", 6).as_ref()), (7, Changes::Everything));
        assert_eq!(feed.after(since("e", 7).as_ref()), (7, groups(&[])));
    }

    #[test]
    fn the_log_is_bounded_and_says_what_it_forgot() {
        let feed = feed(0);
        for number in 0..=MAX_CHANGES {
            feed.changed(if number % 2 == 0 { "a" } else { "b" });
        }
        assert_eq!(feed.after(since("e", 0).as_ref()).1, Changes::Everything);
        assert_eq!(feed.after(since("e", 1).as_ref()).1, groups(&["a", "b"]));
        for number in 0..=MAX_ANSWER {
            feed.changed(&number.to_string());
        }
        let seen = u64::try_from(MAX_CHANGES).unwrap() + 1;
        assert_eq!(feed.after(since("e", seen).as_ref()).1, Changes::Everything, "too many to name");
    }

    #[test]
    fn what_changed_together_is_one_change() {
        let feed = feed(5);
        assert_eq!(feed.changed_all(&["b", "a", "b"]), 6);
        assert_eq!(feed.after(since("e", 5).as_ref()), (6, groups(&["a", "b"])));
        assert_eq!(feed.after(since("e", 6).as_ref()), (6, groups(&[])));
        let names: Vec<String> = (0..=MAX_ANSWER).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(feed.changed_all(&names[1..]), 7);
        assert!(
            matches!(feed.after(since("e", 6).as_ref()).1, Changes::Groups(some) if some.len() == MAX_ANSWER)
        );
        assert_eq!(feed.changed_all(&names), 8);
        assert_eq!(feed.after(since("e", 7).as_ref()), (8, Changes::Everything), "too many to name");
        // The log forgets a part of what changed together only with the whole of it.
        for _ in 0..=MAX_CHANGES / MAX_ANSWER {
            feed.changed_all(&names[1..]);
        }
        feed.changed("1");
        let oldest = feed.lock().changes.front().map(|(revision, _)| *revision).unwrap();
        assert_eq!(feed.after(since("e", oldest - 1).as_ref()).1, Changes::Everything, "one name is missing");
        assert!(matches!(feed.after(since("e", oldest).as_ref()).1, Changes::Groups(_)), "nothing is");
    }

    #[test]
    fn long_names_make_the_log_short() {
        let feed = feed(0);
        let long = "x".repeat(MAX_NAME_BYTES / 4);
        for number in 0..6 {
            feed.changed(&format!("{number}{long}"));
        }
        assert!(feed.lock().bytes <= MAX_NAME_BYTES);
        assert_eq!(feed.after(since("e", 2).as_ref()).1, Changes::Everything, "they are forgotten");
        let names = feed.lock().changes.iter().map(|(_, name)| name.len()).sum::<usize>();
        assert_eq!(feed.lock().bytes, names);
        assert_eq!(usize::try_from(feed.bytes.get()), Ok(names), "it is shown");
        feed.everything_changed();
        assert_eq!((feed.lock().bytes, feed.bytes.get()), (0, 0));
    }
}

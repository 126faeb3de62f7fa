//! How long an agent may use a verdict again: the client's side of `GET /v1/events`.
//!
//! A kept verdict may be used for [`Terms::ttl`] whatever happens, unless it is known to be out of date. It may be used
//! for up to [`Terms::ttl_max`] while its server says that it hears every change, and has said so of a moment that is no
//! further back than `ttl`. Counted on the agent's monotonic clock, from when a question was sent.
//!
//! No I/O and no clock: questions, answers and times go in. `docs/REVOCATION.md` has the argument and the bound.

mod shared;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jose::EVERYBODY;

use crate::check::{CheckResult, MAX_READ_AGE};
use crate::events::{Changes, Events, Since};

pub use shared::{SharedLease, Word};

/// Subjects whose changes are remembered. Beyond that every verdict from before is dropped.
const MAX_CHANGED: usize = 100_000;

/// How long verdicts may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Without hearing from the server; zero: never.
    pub ttl: Duration,
    /// While the server vouches.
    pub ttl_max: Duration,
}

/// Names one of the servers that an agent asks. A server that leaves their set and comes back is another one: a number is
/// never used twice in the life of an agent, so that nothing that was learned of one server is believed of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u64);

/// What has to be kept beside a verdict.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// Who gave it.
    pub server: ServerId,
    /// The epoch of the answer.
    pub epoch: Arc<str>,
    /// The revision of the answer.
    pub revision: u64,
    /// Whether the answer said that the feed covers it.
    pub vouched: bool,
    /// When the question was sent.
    pub asked: Instant,
    /// Not later than when the server read the rules of the subject that it answered from.
    pub read: Instant,
    /// When the verdict ends whatever is heard ([`CheckResult::use_for`]); absent: by the lease alone.
    pub until: Option<Instant>,
}

impl Stamp {
    /// The stamp of one result of an answer, whose question was sent at `asked` or later.
    pub fn of(
        result: &CheckResult,
        server: ServerId,
        epoch: Arc<str>,
        revision: u64,
        asked: Instant,
    ) -> Self {
        // The age is counted from the question, which was before the answer. One that this clock cannot hold is of no read
        // that could be relied on.
        let read = asked.checked_sub(Duration::from_millis(result.read_ago));
        let (vouched, read) = (result.vouched && read.is_some(), read.unwrap_or(asked));
        // An end that this clock cannot hold is at once.
        let end = |for_| asked.checked_add(Duration::from_millis(for_)).unwrap_or(asked);
        let until = result.use_for.map(end);
        Self { server, epoch, revision, vouched, asked, read, until }
    }
}

/// What is known of the changes that the servers tell.
#[derive(Debug)]
pub struct Lease {
    terms: Terms,
    servers: HashMap<ServerId, Server>,
    changed: HashMap<Arc<str>, Changed>,
    /// The groups of `changed` in the order in which they were learned, by [`Changed::number`].
    order: BTreeMap<u64, Arc<str>>,
    next_number: u64,
    /// Verdicts that were asked for before this moment are dropped: too much has changed to remember it one by one.
    overrun: Option<Instant>,
}

#[derive(Debug)]
struct Server {
    epoch: Arc<str>,
    revision: u64,
    /// Verdicts of earlier revisions are not covered: changes may have passed unheard.
    covered_from: u64,
    /// Every change that was acknowledged before this moment has been told.
    complete_as_of: Option<Instant>,
    /// It knows of every change with a smaller number, or was found to have told it.
    caught_up_to: u64,
}

/// A change of one group's rules.
#[derive(Debug)]
struct Changed {
    number: u64,
    learned: Instant,
    /// From which revision on a server's verdicts know of the change; nothing of those of which that is not certain.
    known_from: Vec<(ServerId, Known)>,
}

/// Why a server knows of a change from a revision on.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// It told of the change, and had dropped what it knew before.
    Told(u64),
    /// It has heard every change up to a later moment. A verdict from what it could not read anew is none the wiser: only
    /// those that it vouches for count.
    Complete(u64),
}

/// Until when a server vouches for a verdict.
#[derive(Debug, Clone, Copy)]
struct Coverage {
    /// If it is silent from now on.
    silence: Instant,
    /// However often it is heard.
    term: Instant,
}

impl Lease {
    /// Nothing has been heard of any server.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            servers: HashMap::new(),
            changed: HashMap::new(),
            order: BTreeMap::new(),
            next_number: 0,
            overrun: None,
        }
    }

    /// What to ask a server's feed for next. Nothing before its first answer.
    pub fn since(&self, server: ServerId) -> Option<Since> {
        let server = self.servers.get(&server)?;
        Some(Since { epoch: server.epoch.to_string(), revision: server.revision })
    }

    /// Takes a server's answer to a poll that was `sent` and came back at `received`.
    pub fn hear(&mut self, server: ServerId, sent: Instant, received: Instant, events: &Events) {
        let complete_as_of =
            events.complete_as_of.and_then(|age| sent.checked_sub(Duration::from_millis(age)));
        let before = self.servers.remove(&server).filter(|before| *before.epoch == *events.epoch);
        if before.is_none() {
            // A server that starts again is asked anew what it knows.
            for change in self.changed.values_mut() {
                change.known_from.retain(|(knower, _)| *knower != server);
            }
        }
        let gap = before.is_none() || events.changes == Changes::Everything;
        let (epoch, covered_from, caught_up_to) = match before {
            Some(before) => (before.epoch, before.covered_from, before.caught_up_to),
            None => (events.epoch.as_str().into(), 0, 0),
        };
        let heard = Server {
            epoch,
            revision: events.revision,
            covered_from: if gap { events.revision } else { covered_from },
            complete_as_of,
            caught_up_to,
        };
        self.servers.insert(server, heard);

        if let Changes::Groups(groups) = &events.changes {
            for group in groups {
                self.learn(group, received, (server, Known::Told(events.revision)));
            }
        }
        self.catch_up(server);
        self.forget(received);
    }

    /// A server is asked no more.
    pub fn leave(&mut self, server: ServerId) {
        self.servers.remove(&server);
    }

    /// Until when a verdict about this subject may be used again if nothing more is heard; absent: not at `now`.
    pub fn allows(&self, stamp: &Stamp, subject: Option<&str>, now: Instant) -> Option<Instant> {
        let overrun = self.overrun.is_some_and(|moment| stamp.asked < moment);
        let outdated =
            || [Some(EVERYBODY), subject].into_iter().flatten().any(|group| self.is_outdated(stamp, group));
        if self.terms.ttl.is_zero() || overrun || outdated() {
            return None;
        }
        let short = stamp.asked.checked_add(self.terms.ttl);
        let until = short.max(self.covered_until(stamp))?;
        Some(stamp.until.map_or(until, |end| until.min(end))).filter(|until| now <= *until)
    }

    /// Until when a verdict about this subject may be used at most, as long as its server goes on to vouch and tells of no change
    /// that concerns it; absent: its server does not vouch for it at `now`. What keeps it where this is not asked at each use
    /// has to end it when its server is silent for [`Terms::ttl`], tells of a change, or leaves.
    pub fn term(&self, stamp: &Stamp, subject: Option<&str>, now: Instant) -> Option<Instant> {
        self.allows(stamp, subject, now)?;
        let coverage = self.coverage(stamp)?;
        let term = stamp.until.map_or(coverage.term, |end| coverage.term.min(end));
        (now <= coverage.silence).then_some(term)
    }

    /// The change of a group, which a server has told now.
    fn learn(&mut self, group: &str, learned: Instant, by: (ServerId, Known)) {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        let name: Arc<str> = match self.changed.remove_entry(group) {
            Some((name, before)) => {
                self.order.remove(&before.number);
                name
            }
            None => group.into(),
        };
        self.order.insert(number, Arc::clone(&name));
        self.changed.insert(name, Changed { number, learned, known_from: vec![by] });
    }

    /// Finds the changes that a server knows of, having heard every one up to a later moment. Those that it did not know of
    /// yet are the last ones, so that each change is looked at once for each server.
    fn catch_up(&mut self, id: ServerId) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let Some(complete_as_of) = server.complete_as_of else { return };
        for (number, group) in self.order.range(server.caught_up_to..) {
            let Some(change) = self.changed.get_mut(group) else { continue };
            if complete_as_of < change.learned {
                break;
            }
            if change.known_from.iter().all(|(knower, _)| *knower != id) {
                change.known_from.push((id, Known::Complete(server.revision)));
            }
            server.caught_up_to = number.saturating_add(1);
        }
    }

    fn is_outdated(&self, stamp: &Stamp, group: &str) -> bool {
        let Some(change) = self.changed.get(group) else { return false };
        let known = change.known_from.iter().find(|(knower, _)| *knower == stamp.server);
        let knows = match known {
            Some((_, Known::Told(revision))) => stamp.revision >= *revision,
            Some((_, Known::Complete(revision))) => stamp.vouched && stamp.revision >= *revision,
            None => false,
        };
        !(knows && self.servers.get(&stamp.server).is_some_and(|server| server.epoch == stamp.epoch))
    }

    fn covered_until(&self, stamp: &Stamp) -> Option<Instant> {
        self.coverage(stamp).map(|coverage| coverage.silence.min(coverage.term))
    }

    fn coverage(&self, stamp: &Stamp) -> Option<Coverage> {
        let server = self.servers.get(&stamp.server)?;
        let covered = stamp.vouched && server.epoch == stamp.epoch && stamp.revision >= server.covered_from;
        let silence = server.complete_as_of?.checked_add(self.terms.ttl)?;
        let asked_again = stamp.asked.checked_add(self.terms.ttl_max)?;
        // A rule that no feed tells of is found when it is read; until then no later answer knows more.
        let read_again = stamp.read.checked_add(self.terms.ttl_max.max(MAX_READ_AGE))?;
        covered.then_some(Coverage { silence, term: asked_again.min(read_again) })
    }

    /// A change that is older than any verdict may be needs no memory.
    fn forget(&mut self, now: Instant) {
        let longest = self.terms.ttl.max(self.terms.ttl_max);
        while let Some(first) = self.order.first_entry() {
            let learned = self.changed.get(first.get()).map(|change| change.learned);
            if learned.is_some_and(|learned| now.saturating_duration_since(learned) <= longest) {
                break;
            }
            self.changed.remove(&first.remove());
        }
        if self.changed.len() > MAX_CHANGED {
            self.changed.clear();
            self.order.clear();
            self.overrun = Some(now);
        }
    }
}

#[cfg(all(test, loom))]
mod orders;
#[cfg(all(test, not(loom)))]
mod tests;

//! How long an agent may use a verdict again: the client's side of `GET /v1/events`.
//!
//! A kept verdict may be used for [`Terms::ttl`] whatever happens, unless it is known to be out of date. It may be used
//! for up to [`Terms::ttl_max`] while its server says that it hears every change, and has said so of a moment that is no
//! further back than `ttl`. Counted on the agent's monotonic clock, from when a question was sent.
//!
//! No I/O and no clock: questions, answers and times go in. `docs/REVOCATION.md` has the argument and the bound.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::events::{Changes, Events};

/// Subjects whose changes are remembered. Beyond that every verdict from before is dropped.
const MAX_CHANGED: usize = 100_000;

/// The group whose changes concern every subject.
const EVERYBODY: &str = "g";

/// How long verdicts may be used.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Without hearing from the server; zero: never.
    pub ttl: Duration,
    /// While the server vouches.
    pub ttl_max: Duration,
}

/// What has to be kept beside a verdict.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// Which of the agent's servers gave it.
    pub server: usize,
    /// The epoch of the answer.
    pub epoch: Arc<str>,
    /// The revision of the answer.
    pub revision: u64,
    /// Whether the answer said that the feed covers it.
    pub vouched: bool,
    /// When the question was sent.
    pub asked: Instant,
}

/// What is known of the changes that the servers tell.
#[derive(Debug)]
pub struct Lease {
    terms: Terms,
    servers: Vec<Server>,
    changed: HashMap<Box<str>, Changed>,
    /// Verdicts that were asked for before this moment are dropped: too much has changed to remember it one by one.
    overrun: Option<Instant>,
}

#[derive(Debug, Clone, Default)]
struct Server {
    epoch: Option<Arc<str>>,
    revision: u64,
    /// Verdicts of earlier revisions are not covered: changes may have passed unheard.
    covered_from: u64,
    /// Every change that was acknowledged before this moment has been told.
    complete_as_of: Option<Instant>,
}

/// A change of one group's rules.
#[derive(Debug)]
struct Changed {
    learned: Instant,
    /// For each server, from which revision on its verdicts know of the change; absent while that is not certain.
    known_from: Vec<Option<Known>>,
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

impl Lease {
    /// Nothing has been heard of any of so many servers.
    pub fn new(terms: Terms, servers: usize) -> Self {
        Self { terms, servers: vec![Server::default(); servers], changed: HashMap::new(), overrun: None }
    }

    /// What to ask a server's feed for next: `<epoch>:<revision>`.
    pub fn since(&self, server: usize) -> Option<String> {
        let server = self.servers.get(server)?;
        Some(format!("{}:{}", server.epoch.as_ref()?, server.revision))
    }

    /// Takes a server's answer to a poll that was `sent` and came back at `received`.
    pub fn hear(&mut self, server: usize, sent: Instant, received: Instant, events: &Events) {
        let Some(heard) = self.servers.get_mut(server) else { return };
        let same_epoch = heard.epoch.as_deref() == Some(&*events.epoch);
        if !same_epoch {
            heard.epoch = Some(events.epoch.as_str().into());
            for change in self.changed.values_mut() {
                set(&mut change.known_from, server, None);
            }
        }
        if !same_epoch || events.changes == Changes::Everything {
            heard.covered_from = events.revision;
        }
        heard.revision = events.revision;
        heard.complete_as_of =
            events.complete_as_of.and_then(|age| sent.checked_sub(Duration::from_millis(age)));
        let complete_as_of = heard.complete_as_of;

        if let Changes::Groups(groups) = &events.changes {
            for group in groups {
                let mut known_from = vec![None; self.servers.len()];
                set(&mut known_from, server, Some(Known::Told(events.revision)));
                self.changed.insert(group.as_str().into(), Changed { learned: received, known_from });
            }
        }
        for change in self.changed.values_mut() {
            let unknown = change.known_from.get(server).is_some_and(Option::is_none);
            if unknown && complete_as_of.is_some_and(|moment| moment >= change.learned) {
                set(&mut change.known_from, server, Some(Known::Complete(events.revision)));
            }
        }
        self.forget(received);
    }

    /// Whether a verdict about this subject may be used again at `now`.
    pub fn allows(&self, stamp: &Stamp, subject: Option<&str>, now: Instant) -> bool {
        let age = now.saturating_duration_since(stamp.asked);
        if self.terms.ttl.is_zero() || self.overrun.is_some_and(|moment| stamp.asked < moment) {
            return false;
        }
        if [Some(EVERYBODY), subject].into_iter().flatten().any(|group| self.is_outdated(stamp, group)) {
            return false;
        }
        age <= self.terms.ttl || (age <= self.terms.ttl_max && self.is_covered(stamp, now))
    }

    fn is_outdated(&self, stamp: &Stamp, group: &str) -> bool {
        let Some(change) = self.changed.get(group) else { return false };
        let knows = match change.known_from.get(stamp.server).copied().flatten() {
            Some(Known::Told(revision)) => stamp.revision >= revision,
            Some(Known::Complete(revision)) => stamp.vouched && stamp.revision >= revision,
            None => false,
        };
        !(knows && self.is_of_this_epoch(stamp))
    }

    fn is_covered(&self, stamp: &Stamp, now: Instant) -> bool {
        let Some(server) = self.servers.get(stamp.server) else { return false };
        let heard = server
            .complete_as_of
            .is_some_and(|moment| now.saturating_duration_since(moment) <= self.terms.ttl);
        heard && stamp.vouched && self.is_of_this_epoch(stamp) && stamp.revision >= server.covered_from
    }

    fn is_of_this_epoch(&self, stamp: &Stamp) -> bool {
        let epoch = self.servers.get(stamp.server).and_then(|server| server.epoch.as_deref());
        epoch == Some(&*stamp.epoch)
    }

    /// A change that is older than any verdict may be needs no memory.
    fn forget(&mut self, now: Instant) {
        let longest = self.terms.ttl.max(self.terms.ttl_max);
        self.changed.retain(|_, change| now.saturating_duration_since(change.learned) <= longest);
        if self.changed.len() > MAX_CHANGED {
            self.changed.clear();
            self.overrun = Some(now);
        }
    }
}

fn set(known_from: &mut [Option<Known>], server: usize, knows: Option<Known>) {
    if let Some(known) = known_from.get_mut(server) {
        *known = knows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { ttl: Duration::from_secs(2), ttl_max: Duration::from_secs(300) };

    struct Agent {
        lease: Lease,
        start: Instant,
    }

    impl Agent {
        fn new(terms: Terms) -> Self {
            Self { lease: Lease::new(terms, 2), start: Instant::now() }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        /// A poll that was sent at one second and answered in the same.
        fn hear(&mut self, server: usize, second: u64, revision: u64, age: Option<u64>, changes: Changes) {
            let (sent, epoch) = (self.at(second), format!("epoch{server}"));
            let events = Events { store_id: "s".into(), epoch, revision, complete_as_of: age, changes };
            self.lease.hear(server, sent, sent, &events);
        }

        fn stamp(&self, server: usize, second: u64, revision: u64) -> Stamp {
            let epoch = format!("epoch{server}").into();
            Stamp { server, epoch, revision, vouched: true, asked: self.at(second) }
        }

        fn allows(&self, stamp: &Stamp, second: u64) -> bool {
            self.lease.allows(stamp, Some("anna"), self.at(second))
        }
    }

    fn groups(names: &[&str]) -> Changes {
        Changes::Groups(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn without_a_feed_the_short_time_holds() {
        let agent = Agent::new(TERMS);
        let stamp = agent.stamp(0, 10, 5);
        assert!(agent.allows(&stamp, 12) && !agent.allows(&stamp, 13));
        let never = Agent::new(Terms { ttl: Duration::ZERO, ..TERMS });
        assert!(!never.allows(&never.stamp(0, 10, 5), 10));
    }

    #[test]
    fn a_server_that_is_heard_extends_what_it_vouches_for() {
        let mut agent = Agent::new(TERMS);
        agent.hear(0, 10, 5, Some(500), Changes::Everything);
        let stamp = agent.stamp(0, 10, 5);
        let unvouched = Stamp { vouched: false, ..stamp.clone() };
        let stranger = Stamp { epoch: "other".into(), ..stamp.clone() };
        let earlier = agent.stamp(0, 10, 4);
        agent.hear(0, 100, 5, Some(500), groups(&["ben"]));
        assert!(agent.allows(&stamp, 101) && !agent.allows(&stamp, 102), "silent for longer than the ttl");
        for other in [unvouched, stranger, earlier] {
            assert!(!agent.allows(&other, 101), "{other:?}");
        }
        agent.hear(0, 101, 5, None, groups(&[]));
        assert!(!agent.allows(&stamp, 101), "it may miss changes");
        agent.hear(0, 311, 5, Some(0), groups(&[]));
        assert!(!agent.allows(&stamp, 311), "the longest time has passed");
    }

    #[test]
    fn a_change_ends_what_was_asked_before_it_also_of_other_servers() {
        for changed in ["anna", "g"] {
            let mut agent = Agent::new(TERMS);
            agent.hear(0, 10, 5, Some(0), Changes::Everything);
            agent.hear(1, 10, 70, Some(0), Changes::Everything);
            let (own, other) = (agent.stamp(0, 10, 5), agent.stamp(1, 10, 70));
            assert!(agent.allows(&own, 11) && agent.allows(&other, 11));
            agent.hear(0, 11, 6, Some(0), groups(&[changed]));
            assert!(!agent.allows(&own, 11) && !agent.allows(&other, 11));
            assert!(agent.allows(&agent.stamp(0, 11, 6), 11));
            assert!(!agent.allows(&agent.stamp(1, 11, 70), 11), "the other server may not have heard it");
            agent.hear(1, 12, 71, Some(2_000), groups(&[]));
            assert!(!agent.allows(&agent.stamp(1, 12, 71), 12), "it speaks of an earlier moment");
            agent.hear(1, 13, 71, Some(500), groups(&[]));
            assert!(agent.allows(&agent.stamp(1, 13, 71), 13));
            assert!(!agent.allows(&other, 11));
            let unvouched = |server, revision| Stamp { vouched: false, ..agent.stamp(server, 13, revision) };
            assert!(agent.allows(&unvouched(0, 6), 13), "it told of the change, and read anew");
            assert!(!agent.allows(&unvouched(1, 71), 13), "it may not have been able to read anew");
        }
    }

    #[test]
    fn a_server_that_starts_again_begins_anew() {
        let mut agent = Agent::new(TERMS);
        agent.hear(0, 10, 5, Some(0), Changes::Everything);
        let stamp = agent.stamp(0, 10, 5);
        assert_eq!(agent.lease.since(0).as_deref(), Some("epoch0:5"));
        assert_eq!(agent.lease.since(1), None);
        let events = Events {
            store_id: "s".into(),
            epoch: "another".into(),
            revision: 0,
            complete_as_of: Some(0),
            changes: Changes::Everything,
        };
        agent.lease.hear(0, agent.at(13), agent.at(13), &events);
        assert!(!agent.allows(&stamp, 13));
    }

    #[test]
    fn too_many_changes_to_remember_drop_everything_from_before() {
        let mut agent = Agent::new(TERMS);
        let names: Vec<String> = (0..=MAX_CHANGED).map(|number| number.to_string()).collect();
        let stamp = agent.stamp(0, 10, 5);
        assert!(agent.allows(&stamp, 11));
        agent.hear(0, 11, 6, Some(0), Changes::Groups(names));
        assert!(!agent.allows(&stamp, 11));
        assert!(agent.allows(&agent.stamp(0, 11, 6), 11));
    }
}

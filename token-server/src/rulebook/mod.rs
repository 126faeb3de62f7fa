//! The rules in memory: groups that have been read, for as long as what was read is known to be right.
//!
//! One read at a time for each group, however many checks ask. A change that is heard drops what was read before it, reads that
//! are under way included: no later check gets their answer.

mod group;
mod totals;
mod verdict;

pub use group::{Group, MANY_RULES};
pub use totals::Totals;
pub use verdict::check;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use revocation::check::MAX_READ_AGE;
use service::flights::{self, Flights, Follower, Leader};
use tokio::time::Instant;

use crate::continuity::Session;
use crate::store::EVERYBODY;

/// Memory for groups other than everybody's, unless the operator chooses another.
pub const DEFAULT_BYTES: u64 = 256 * 1024 * 1024;

/// Groups that the cache expects; it sizes its tables by this.
const EXPECTED_GROUPS: usize = 100_000;

/// What was read is read again after this, even while a session vouches for it: Redis does not tell of a FLUSHALL, and a
/// source may be one that does not hear of rules.
const MAX_AGE: Duration = MAX_READ_AGE;

/// How long rules may be used, by what is known of their changes.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Without a session: after that they are read again.
    pub ttl: Duration,
    /// While they cannot be read again: after that they are not known.
    pub max_stale: Duration,
}

/// Groups that have been read.
#[derive(Debug)]
pub struct Rulebook {
    everybody: ArcSwapOption<Known>,
    groups: Cache<Box<str>, Arc<Known>, Bytes>,
    flights: Flights<Box<str>, Landing>,
    lifetimes: Lifetimes,
    totals: Totals,
}

/// A group and since when it is known.
#[derive(Debug)]
struct Known {
    group: Arc<Group>,
    /// When the read was sent off: later changes may be missing.
    read_at: Instant,
    session: Option<Arc<Session>>,
    /// What the cache counts for it, which must stay the same while it is there.
    bytes: usize,
}

/// The caller's turn to read a group.
#[derive(Debug)]
pub(crate) struct Turn {
    leader: Leader<Box<str>, Landing>,
    /// When it was sent off.
    started: Instant,
    session: Option<Arc<Session>>,
}

/// How a read ended.
pub(crate) type Landing = Result<Read, Missed>;

/// Why a read brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    /// Its own time was over; who came later may have more.
    Late,
    /// The store says that it cannot be read.
    Failed,
}

/// A group as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) group: Arc<Group>,
    /// The session in which it was read.
    pub(crate) session: Option<Arc<Session>>,
    /// When the read was sent off.
    pub(crate) at: Instant,
}

/// What a read brought beyond what was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing, or what a source has told of.
    Expected,
    /// Rules that were not there at the last read in the same session, and that no source has told of since.
    Untold,
}

/// Whether the caller has to read, or another check does.
pub(crate) enum Boarding {
    Lead(Turn),
    Follow(Follower<Landing>),
}

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Box<str>, Arc<Known>> for Bytes {
    fn weight(&self, name: &Box<str>, known: &Arc<Known>) -> u64 {
        u64::try_from(name.len().saturating_add(known.bytes)).unwrap_or(u64::MAX)
    }
}

impl Rulebook {
    /// Nothing is known yet. Groups other than everybody's are kept up to this many bytes; least used ones go first.
    pub fn new(lifetimes: Lifetimes, bytes: u64, totals: Totals) -> Self {
        Self {
            everybody: ArcSwapOption::empty(),
            groups: Cache::with_weighter(EXPECTED_GROUPS, bytes, Bytes),
            flights: Flights::default(),
            lifetimes,
            totals,
        }
    }

    /// How much is in it.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Shows the number of the last change.
    pub(crate) fn show_revision(&self, revision: u64) {
        self.totals.revision.set(totals::as_gauge(revision));
    }

    /// The group, if it is known to be right: because the current session vouches for it, or, while there is none, for
    /// the time to live.
    pub(crate) fn fresh(&self, name: &str, now: Instant, current: Option<&Arc<Session>>) -> Option<Read> {
        let known = self.find(name)?;
        let fresh = match current.filter(|session| session.vouches(now)) {
            Some(session) if session.is_exclusive() => known.is_of(session),
            Some(session) => known.is_of(session) && now < known.read_at + MAX_AGE,
            None => now < known.right_until(now) + self.lifetimes.ttl,
        };
        fresh.then(|| known.read())
    }

    /// The group as it was known last, for as long as that may do while it cannot be read.
    pub(crate) fn stale(&self, name: &str, now: Instant) -> Option<Read> {
        let known = self.find(name)?;
        let longest = self.lifetimes.max_stale.max(self.lifetimes.ttl);
        (now < known.right_until(now) + longest).then(|| known.read())
    }

    /// Joins the read of a group that is under way, or begins one under this session.
    pub(crate) fn board(&self, name: &str, session: Option<Arc<Session>>, now: Instant) -> Boarding {
        match self.flights.board(name.into(), now) {
            flights::Boarding::Follow(follower) => Boarding::Follow(follower),
            flights::Boarding::Lead(leader) => Boarding::Lead(Turn { leader, started: now, session }),
        }
    }

    /// Ends a read. What it brought is kept, unless the group has changed since it began.
    pub(crate) fn land(&self, turn: Turn, read: Result<Arc<Group>, Missed>) -> News {
        let Turn { leader, started, session } = turn;
        let name = leader.key().clone();
        let landing = read.map(|group| Read { group, session, at: started });
        let read = landing.clone().ok();
        let mut news = News::Expected;
        leader.land(landing, || {
            let Some(Read { group, session, at }) = read else { return };
            // A change that was told would have dropped what was known.
            let known = self.find(&name).filter(|known| known.is_of_same(session.as_ref()));
            if known.is_some_and(|known| group.has_what_was_not_in(&known.group)) {
                news = News::Untold;
            }
            self.keep(&name, Known::new(&group, at, session));
        });
        news
    }

    /// Drops what is known of a group, and whatever is being read of it.
    pub(crate) fn forget(&self, name: &str) {
        self.flights.forget(name, || self.drop_known(name));
    }

    /// A group of a store that is ours alone was changed there. What is known of it is changed likewise by `amend`, and
    /// kept if that tells that it is as in the store now. A read that is under way may have missed the change.
    pub(crate) fn amend(&self, name: &str, amend: impl FnOnce(&Group) -> bool) {
        self.flights.forget(name, || match self.find(name).filter(|known| known.is_exclusive()) {
            Some(known) if amend(&known.group) => {
                self.keep(name, Known::new(&known.group, known.read_at, known.session.clone()));
            }
            Some(_) | None => self.drop_known(name),
        });
    }

    /// The groups of a store that is ours alone, in which rules that have ended are still.
    pub(crate) fn exclusive(&self) -> Vec<Arc<Group>> {
        let groups = self.groups.iter().map(|(_, known)| known).chain(self.everybody.load_full());
        groups.filter(|known| known.is_exclusive()).map(|known| Arc::clone(&known.group)).collect()
    }

    fn find(&self, name: &str) -> Option<Arc<Known>> {
        if name == EVERYBODY { self.everybody.load_full() } else { self.groups.get(name) }
    }

    fn drop_known(&self, name: &str) {
        if name == EVERYBODY {
            self.everybody.store(None);
        } else {
            self.groups.remove(name);
        }
    }

    fn keep(&self, name: &str, known: Known) {
        let known = Arc::new(known);
        if name == EVERYBODY {
            self.everybody.store(Some(known));
        } else {
            self.groups.insert(name.into(), known);
        }
    }
}

impl Known {
    fn new(group: &Arc<Group>, read_at: Instant, session: Option<Arc<Session>>) -> Self {
        Self { group: Arc::clone(group), read_at, session, bytes: group.bytes() }
    }

    fn is_exclusive(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_exclusive())
    }

    /// Every change before this moment is in it.
    fn right_until(&self, now: Instant) -> Instant {
        self.session.as_ref().map_or(self.read_at, |session| session.as_of(now).max(self.read_at))
    }

    fn is_of(&self, session: &Arc<Session>) -> bool {
        self.session.as_ref().is_some_and(|own| Arc::ptr_eq(own, session))
    }

    fn is_of_same(&self, session: Option<&Arc<Session>>) -> bool {
        session.is_some_and(|session| self.is_of(session))
    }

    fn read(&self) -> Read {
        Read { group: Arc::clone(&self.group), session: self.session.clone(), at: self.read_at }
    }
}

impl Turn {
    /// The group that is to be read.
    pub(crate) fn name(&self) -> &str {
        self.leader.key()
    }

    /// The session that it was sent off in.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        self.session.clone()
    }

    /// A place among those who wait for it.
    pub(crate) fn follower(&self) -> Follower<Landing> {
        self.leader.follower(self.started)
    }
}

#[cfg(test)]
mod tests;

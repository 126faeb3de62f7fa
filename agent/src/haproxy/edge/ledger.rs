//! What one HAProxy has of our verdicts, and what it has yet to be told. No I/O and no clock.
//!
//! HAProxy uses an entry until its end, and only while the lease that it names is ahead of HAProxy's clock. A lease stands
//! for the word of one token-server (or for the agent's own, without any), and is counted from when the poll was sent that
//! vouched, or from the look at the keys if that was before. What may end a verdict before that is told here ([`Ledger::hear`], [`Ledger::leave`], [`Ledger::rely_on`]): an entry
//! of a subject is deleted, and where anything may have changed all leases are, with new names for what comes after.
//!
//! One connection does what it is told in the order in which it was told, and every batch has what ends before what is to be
//! written, and leases last. So no lease is renewed while a deletion is due. What becomes of commands on a
//! connection that is lost is not known: the names of its leases are never used again. All times that HAProxy is told are
//! times of day, so that a command is worth no more the later it is carried out.
//!
//! `docs/REVOCATION.md` has the argument and the bound.

mod batch;
mod leases;
mod offer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jose::{EVERYBODY, UnixTime};
use revocation::events::{Changes, Events};
use revocation::lease::ServerId;

use super::entry::Key;

use self::leases::later;

pub use batch::Batch;
pub use offer::{Basis, Moment, Offer, Taken, Terms};

/// How long a lease of another agent stands after it ended, before it is taken for that of one that is gone.
const FORGIVEN: Duration = Duration::from_secs(10);
/// What ends sooner is not worth its commands.
const SHORTEST_ENTRY: Duration = Duration::from_secs(1);
/// An entry that HAProxy asks about all the same is written anew after this: another agent has cleared the map, or has left
/// an entry of the same key that hides it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Each time so many times longer, as a HAProxy that has no map asks as well...
const IMPATIENCE: u32 = 2;
/// ...up to this.
const MOST_PATIENCE: Duration = Duration::from_secs(8);
/// A time of day that has moved by more against the monotonic clock, since both were first looked at, was set. So two looks differ
/// by twice that at most, by which a lease lasts longer unseen.
const STEP: Duration = Duration::from_millis(250);
/// Entries written in a second: a flood of tokens that come three times each must not keep HAProxy busy.
const MAX_WRITES: u32 = 2_000;
/// Deletions of one batch, so that HAProxy's other work comes in between.
const MAX_DELETES: usize = 100;
/// Bytes that one batch writes at most, beyond a single entry: HAProxy reads a command with its payload into one buffer of
/// 16 KiB.
const MAX_ADDS_BYTES: usize = 7 * 1024;

#[derive(Debug)]
struct Entry {
    subject: Option<Arc<str>>,
    end: UnixTime,
    since: Instant,
    patience: Duration,
}

/// What a server has told.
#[derive(Debug)]
struct Heard {
    epoch: Box<str>,
    complete_as_of: Option<Instant>,
}

#[derive(Debug)]
struct Lease {
    name: String,
    renewed: Option<Instant>,
}

/// The books on one HAProxy.
#[derive(Debug)]
pub struct Ledger {
    terms: Terms,
    /// The agent, by a name that no other one has or had.
    agent: Box<str>,
    /// Goes into the names of leases, so that none is used twice.
    number: u64,
    is_connected: bool,
    /// As of the last look at what there is to tell.
    is_ready: bool,
    /// When both clocks were first looked at, or found apart.
    clocks: Option<Moment>,
    basis: Basis,
    heard: HashMap<ServerId, Heard>,
    leases: BTreeMap<Option<ServerId>, Lease>,
    entries: HashMap<Key, Entry>,
    by_subject: HashMap<Arc<str>, BTreeSet<Key>>,
    by_end: BTreeSet<(UnixTime, Key)>,
    ended: Vec<String>,
    clear: bool,
    voids: BTreeSet<Key>,
    replaces: BTreeSet<Key>,
    deletes: BTreeSet<Key>,
    adds: BTreeMap<Key, String>,
    second: Option<Instant>,
    writes: u32,
}

impl Ledger {
    /// HAProxy has nothing of `agent`, a name that no other agent has, nor this one had in an earlier life.
    pub fn new(agent: impl Into<Box<str>>, terms: Terms) -> Self {
        Self {
            terms,
            agent: agent.into(),
            number: 0,
            is_connected: false,
            is_ready: false,
            clocks: None,
            basis: Basis::default(),
            heard: HashMap::new(),
            leases: BTreeMap::new(),
            entries: HashMap::new(),
            by_subject: HashMap::new(),
            by_end: BTreeSet::new(),
            ended: Vec::new(),
            clear: false,
            voids: BTreeSet::new(),
            replaces: BTreeSet::new(),
            deletes: BTreeSet::new(),
            adds: BTreeMap::new(),
            second: None,
            writes: 0,
        }
    }

    /// A connection is open, to a process that has these leases. Those that we left there before are removed, and those that have
    /// ended; so are all verdicts, of whatever agent: which of them hides another one of the same key is not known.
    pub fn connect(&mut self, found: impl IntoIterator<Item = (String, UnixTime)>, now: UnixTime) {
        self.lose();
        self.is_connected = true;
        let is_ours = |name: &str| name.strip_prefix(&*self.agent).is_some_and(|rest| rest.starts_with('.'));
        let is_void = |(name, until): &(String, UnixTime)| is_ours(name) || later(*until, FORGIVEN) < now;
        self.ended = found.into_iter().filter(is_void).map(|(name, _)| name).collect();
        self.clear = true;
    }

    /// The connection is lost, and what HAProxy has done of what it was told last is not known.
    pub fn lose(&mut self) {
        self.doubt();
        self.is_connected = false;
        self.is_ready = false;
        self.clocks = None;
        self.ended.clear();
        self.clear = false;
    }

    /// Anything may have changed: nothing that HAProxy has is used any more once it is told so.
    pub fn doubt(&mut self) {
        let had = std::mem::take(&mut self.leases).into_values();
        self.ended.extend(had.filter(|lease| lease.renewed.is_some()).map(|lease| lease.name));
        self.clear |= !(self.entries.is_empty() && self.are_removed());
        self.number = self.number.saturating_add(1);
        self.entries.clear();
        self.by_subject.clear();
        self.by_end.clear();
        self.voids.clear();
        self.replaces.clear();
        self.deletes.clear();
        self.adds.clear();
    }

    /// All verdicts are removed, whichever agent wrote them: where the time of day was set, those of one that is dead would count
    /// again when the time of their lease comes again.
    fn clear_all(&mut self) {
        self.clear |= self.is_connected;
    }

    /// Takes an answer of a server's feed to a poll that was `sent` then.
    pub fn hear(&mut self, server: ServerId, sent: Instant, events: &Events) {
        let complete_as_of =
            events.complete_as_of.and_then(|age| sent.checked_sub(Duration::from_millis(age)));
        let heard = Heard { epoch: events.epoch.as_str().into(), complete_as_of };
        let before = self.heard.insert(server, heard);
        match &events.changes {
            Changes::Groups(groups)
                if before.is_some_and(|before| *before.epoch == *events.epoch)
                    && groups.iter().all(|group| group != EVERYBODY) =>
            {
                groups.iter().for_each(|group| self.delete_subject(group));
            }
            Changes::Groups(_) | Changes::Everything => self.doubt(),
        }
    }

    /// A server is asked no more.
    pub fn leave(&mut self, server: ServerId) {
        if self.heard.remove(&server).is_some() {
            self.doubt();
        }
    }

    /// Verdicts are made by this from now on.
    pub fn rely_on(&mut self, basis: Basis) {
        if self.basis != basis {
            self.basis = basis;
            self.doubt();
        }
    }

    /// Compares the clocks; whether the time of day was set, which voids what HAProxy has.
    pub fn compare_clocks(&mut self, moment: Moment) -> bool {
        let is_set = self.clocks.is_some_and(|before| moment.step(before) > STEP);
        if is_set {
            self.doubt();
            self.clear_all();
        }
        if is_set || self.clocks.is_none() {
            self.clocks = Some(moment);
        }
        is_set
    }

    /// Takes a verdict, unless HAProxy has it; `term` says until when its server's word may be used at most, and is asked now.
    pub fn offer(&mut self, offer: &Offer, term: impl FnOnce() -> Option<Instant>, moment: Moment) -> Taken {
        let is_now = self.clocks.is_some_and(|before| moment.step(before) <= STEP);
        let may_be = self.is_connected && self.is_ready && is_now && offer.basis == self.basis;
        if !may_be || self.until(offer.server, moment).is_none() {
            return Taken::No;
        }
        let known = self.entries.get(&offer.key);
        if known.is_some_and(|entry| moment.at.saturating_duration_since(entry.since) < entry.patience) {
            return Taken::Already;
        }
        let is_known = known.is_some();
        let patience =
            known.map_or(PATIENCE, |entry| entry.patience.saturating_mul(IMPATIENCE).min(MOST_PATIENCE));
        if !is_known && self.entries.len() >= self.terms.entries {
            return Taken::Full;
        }
        let longest = match offer.server {
            None => self.terms.entry,
            Some(_) => match term() {
                Some(term) => self.terms.entry.min(term.saturating_duration_since(moment.at)),
                None => return Taken::No,
            },
        };
        let end = later(moment.now, longest);
        let end = offer.end.map_or(end, |own| own.min(end));
        if end < later(moment.now, SHORTEST_ENTRY) {
            return Taken::No;
        }
        if !self.may_write(moment.at) {
            return Taken::Full;
        }
        if is_known {
            self.delete(&offer.key);
            self.deletes.remove(&offer.key);
            self.replaces.insert(offer.key);
        }
        self.write(offer, Entry { subject: offer.subject.clone(), end, since: moment.at, patience });
        Taken::Yes
    }

    /// What HAProxy is to be told next, which it is from then on taken to have been told. Empty while there is no connection.
    /// An agent that is not ready gives nothing.
    pub fn next(&mut self, is_ready: bool, moment: Moment) -> Batch {
        self.is_ready = is_ready;
        self.compare_clocks(moment);
        if !is_ready && !self.leases.is_empty() {
            self.doubt();
        }
        if !self.is_connected {
            return Batch::default();
        }
        while let Some((_, key)) = self.by_end.first().copied().filter(|(end, _)| *end <= moment.now) {
            self.delete(&key);
        }
        let mut batch = Batch {
            ended: std::mem::take(&mut self.ended),
            clear: std::mem::take(&mut self.clear),
            ..Batch::default()
        };
        let mut left = MAX_DELETES;
        batch.voids = first(&mut self.voids, &mut left);
        batch.replaces = first(&mut self.replaces, &mut left);
        batch.deletes = first(&mut self.deletes, &mut left);
        if self.are_removed() && is_ready {
            let mut bytes = 0_usize;
            while bytes < MAX_ADDS_BYTES
                && let Some((key, value)) = self.adds.pop_first()
            {
                bytes = bytes.saturating_add(value.len()).saturating_add(size_of::<Key>());
                batch.adds.push((key, value));
            }
            batch.leases = self.renewals(moment);
        }
        batch
    }

    /// Whether there is more to tell than leases.
    pub fn has_more(&self) -> bool {
        self.clear || !(self.ended.is_empty() && self.are_removed() && self.adds.is_empty())
    }

    /// Entries that HAProxy has, or is about to be given.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Whether HAProxy uses any of our entries now.
    pub fn is_leased(&self, moment: Moment) -> bool {
        self.leases
            .iter()
            .any(|(server, lease)| lease.renewed.is_some() && self.until(*server, moment).is_some())
    }

    /// Whether HAProxy has been told of all that is to be removed one by one.
    fn are_removed(&self) -> bool {
        self.voids.is_empty() && self.replaces.is_empty() && self.deletes.is_empty()
    }

    fn delete_subject(&mut self, subject: &str) {
        for key in self.by_subject.remove(subject).unwrap_or_default() {
            self.delete(&key);
            self.deletes.remove(&key);
            self.replaces.remove(&key);
            self.voids.insert(key);
        }
    }

    fn delete(&mut self, key: &Key) {
        let Some(entry) = self.entries.remove(key) else { return };
        self.by_end.remove(&(entry.end, *key));
        if let Some(subject) = &entry.subject
            && let Some(keys) = self.by_subject.get_mut(subject)
        {
            keys.remove(key);
            if keys.is_empty() {
                self.by_subject.remove(subject);
            }
        }
        self.adds.remove(key);
        self.deletes.insert(*key);
    }

    fn write(&mut self, offer: &Offer, entry: Entry) {
        let key = offer.key;
        let name = self.lease_of(offer.server);
        let value = format!("{}{name}|{}", offer.fields, entry.end.as_millis());
        if let Some(subject) = &entry.subject {
            self.by_subject.entry(Arc::clone(subject)).or_default().insert(key);
        }
        self.by_end.insert((entry.end, key));
        self.entries.insert(key, entry);
        self.adds.insert(key, value);
    }

    fn may_write(&mut self, at: Instant) -> bool {
        let is_new = |second: &Instant| at.saturating_duration_since(*second) >= Duration::from_secs(1);
        if self.second.as_ref().is_none_or(is_new) {
            (self.second, self.writes) = (Some(at), 0);
        }
        self.writes = self.writes.saturating_add(1);
        self.writes <= MAX_WRITES
    }
}

/// Takes the first of the keys, and as many less may be taken after them.
fn first(keys: &mut BTreeSet<Key>, left: &mut usize) -> Vec<Key> {
    let taken: Vec<_> = std::iter::from_fn(|| keys.pop_first()).take(*left).collect();
    *left = left.saturating_sub(taken.len());
    taken
}

#[cfg(test)]
mod tests;

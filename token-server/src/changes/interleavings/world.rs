//! The store, the servers, an agent, and what comes in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jose::{TokenHash, Window};
use jwt_agent::answer::ack::Ack;
use jwt_agent::cache::{self, Found, Key, VerdictCache};
use revocation::check::MAX_READ_AGE;
use revocation::events::{Changes, Events};
use revocation::lease::{ServerId, SharedLease, Stamp, Word};
use rules::{Claims, ExpireAt};
use tokio::time::Instant;

use super::server::{Message, Server};
use super::step::{Fate, Step};
use super::{GROUPS, LIFETIMES, LIMITS, SERVERS, TERMS, TODAY, UNTOLD_LATE};
use crate::changes::{MAX_SILENCE, Session, Source};
use crate::feed::Since;
use crate::rulebook::{Boarding, Group, Missed, Read, Rulebook, check};
use crate::store::{EVERYBODY, StoredRule};

/// A verdict that let a token in, which the agent keeps.
pub(super) struct Kept {
    key: Key,
    subject: &'static str,
    pub(super) vouched: bool,
    judged: Instant,
}

/// A rule that was acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) at: Instant,
    /// Whether the sources of changes tell of it.
    pub(super) is_told: bool,
}

pub(super) struct World {
    pub(super) now: Instant,
    /// When each group's rule was acknowledged, and whether it is told.
    pub(super) written: BTreeMap<&'static str, Written>,
    /// When the agent was first told of each group's change.
    pub(super) learned: BTreeMap<&'static str, Instant>,
    pub(super) servers: Vec<Server>,
    next_id: u64,
    lease: Arc<SharedLease>,
    cache: VerdictCache,
    pub(super) kept: Vec<Kept>,
}

impl World {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let lease = Arc::new(SharedLease::new(TERMS, now.into_std()));
        Self {
            now,
            written: BTreeMap::new(),
            learned: BTreeMap::new(),
            servers: (0..SERVERS).map(|number| Server::start(number, 0)).collect(),
            next_id: u64::try_from(SERVERS).unwrap(),
            cache: VerdictCache::new(LIMITS, Arc::clone(&lease)),
            lease,
            kept: Vec::new(),
        }
    }

    /// What a read that is sent off now brings.
    fn stored(&self, name: &str, book: &Rulebook) -> Arc<Group> {
        let rule = self.written.contains_key(name).then(|| StoredRule {
            group: name.into(),
            json: r#"{"rt":"x"}"#.into(),
            expire_at: ExpireAt::Never,
            revision: None,
        });
        Arc::new(Group::parse_shared(rule.into_iter().collect(), book.totals()))
    }

    pub(super) fn take(&mut self, step: &Step) {
        match *step {
            Step::Pass { milliseconds } => self.now += Duration::from_millis(milliseconds),
            Step::Write { group } => {
                let group = GROUPS[group];
                self.written.entry(group).or_insert(Written { at: self.now, is_told: true });
                for server in self.servers.iter_mut().filter(|server| server.connected) {
                    server.under_way.push_back(Message::Changed(group));
                }
            }
            Step::WriteUntold { group } => {
                self.written.entry(GROUPS[group]).or_insert(Written { at: self.now, is_told: false });
            }
            Step::Beat { server } => {
                let server = &mut self.servers[server];
                if server.connected {
                    server.under_way.push_back(Message::Beat(self.now));
                }
            }
            Step::Deliver { server, messages } => {
                let (server, now) = (&mut self.servers[server], self.now);
                for _ in 0..messages {
                    if let Some(message) = server.under_way.pop_front() {
                        server.take(message, now);
                    }
                }
            }
            Step::Break { server } => {
                self.servers[server].connected = false;
                self.servers[server].under_way.clear();
            }
            Step::Notice { server } => self.servers[server].notice(),
            Step::Reconnect { server } => {
                let server = &mut self.servers[server];
                if !server.connected {
                    server.notice();
                    server.connected = true;
                    server.sessions.joined(Source::OwnChannel, self.now, || server.gap());
                    server.sessions.joined(Source::Keyspace, self.now, || server.gap());
                }
            }
            Step::Restart { server: number } => {
                let (id, starts) = (self.servers[number].id, self.servers[number].starts + 1);
                self.servers[number] = Server { id, ..Server::start(number, starts) };
            }
            Step::Leave { server } => {
                let server = &mut self.servers[server];
                server.answers.clear();
                self.lease.leave(server.id);
                server.id = ServerId(self.next_id);
                self.next_id += 1;
            }
            Step::BeginRead { server, group } => {
                let (server, name) = (&self.servers[server], GROUPS[group]);
                if let Boarding::Fly(flight) = server.book.board(name, server.sessions.current(), self.now) {
                    let brings = self.stored(name, &server.book);
                    let number = self.servers.iter().position(|other| std::ptr::eq(other, server)).unwrap();
                    self.servers[number].reads.push_back((flight, brings));
                }
            }
            Step::EndRead { server, arrives } => {
                let (server, now) = (&mut self.servers[server], self.now);
                if let Some((flight, brings)) = server.reads.pop_front() {
                    server.land(flight, if arrives { Ok(brings) } else { Err(Missed::Failed) }, now);
                }
            }
            Step::Check { server, subject, reachable } => self.check(server, GROUPS[subject], reachable),
            Step::Poll { server, delay, fate } => self.poll(server, delay, fate),
            Step::Arrive { server } => {
                for (sent, events) in std::mem::take(&mut self.servers[server].answers) {
                    self.hear(server, sent, &events);
                }
            }
        }
        self.judge();
    }

    /// As [`crate::revocations::Revocations::check`] does it, with a store that answers at once or not at all.
    fn check(&mut self, number: usize, subject: &'static str, reachable: bool) {
        let server = &self.servers[number];
        let (revision, session) = (server.feed.revision(), server.sessions.current());
        let everybody = self.read(server, EVERYBODY, session.as_ref(), reachable);
        let own = self.read(server, subject, session.as_ref(), reachable);
        let claims: Claims = serde_json::from_str(r#"{"rt":"x"}"#).unwrap();
        let group = |read: &Option<Read>| read.as_ref().map(|read| Arc::clone(&read.group));
        let verdict = check(group(&everybody).as_deref(), group(&own).as_deref(), &claims, 0);
        let is_of = |read: &Option<Read>, session: &Arc<Session>| {
            let own = read.as_ref().and_then(|read| read.session.as_ref());
            own.is_some_and(|own| Arc::ptr_eq(own, session))
        };
        let vouched = session.is_some_and(|session| {
            is_of(&everybody, &session) && is_of(&own, &session) && session.vouches(self.now)
        });
        if verdict.is_ok() {
            let (epoch, asked) = (server.feed.epoch().into(), self.now.into_std());
            let read = own.map_or(asked, |own| own.at.into_std());
            let stamp = Stamp { server: server.id, epoch, revision, vouched, asked, read };
            let token = TokenHash::of(&format!("token {}", self.kept.len()));
            let key = Key { token, policy: 0, keys: 0 };
            let kept = cache::Kept {
                ack: Ack::default(),
                reject: None,
                window: Window::ALWAYS,
                word: Some(Word::new(stamp, Some(subject.into()))),
                signed: None,
            };
            self.cache.keep(key, &Arc::new(kept), asked);
            self.kept.push(Kept { key, subject, vouched, judged: self.now });
        }
    }

    fn read(
        &self,
        server: &Server,
        name: &str,
        session: Option<&Arc<Session>>,
        reachable: bool,
    ) -> Option<Read> {
        if let Some(read) = server.book.fresh(name, self.now, session) {
            return Some(read);
        }
        match server.book.board(name, session.cloned(), self.now) {
            Boarding::Fly(flight) => {
                let landing =
                    if reachable { Ok(self.stored(name, &server.book)) } else { Err(Missed::Failed) };
                server.land(flight, landing.clone(), self.now);
                landing.ok().map(|group| Read { group, session: session.cloned(), at: self.now })
            }
            // It does not land while this check waits.
            Boarding::Join(_) => None,
        }
        .or_else(|| server.book.stale(name, self.now))
    }

    fn poll(&mut self, number: usize, delay: u64, fate: Fate) {
        let sent = self.now;
        let since = self.lease.since(self.servers[number].id).and_then(|since| {
            let (epoch, revision) = since.rsplit_once(':')?;
            Some(Since { epoch: epoch.to_owned(), revision: revision.parse().ok()? })
        });
        self.now += Duration::from_millis(delay);
        let server = &mut self.servers[number];
        let complete_as_of =
            server.complete_for(self.now).map(|age| u64::try_from(age.as_millis()).unwrap() + 1);
        let (revision, changes) = server.feed.after(since.as_ref());
        let epoch = server.feed.epoch().to_owned();
        let events = Events { store_id: "store".into(), epoch, revision, complete_as_of, changes };
        match fate {
            Fate::AtOnce => self.hear(number, sent, &events),
            // An agent has one poll under way at a time; until then it does not hear this server.
            Fate::Later if server.answers.is_empty() => server.answers.push_back((sent, events)),
            Fate::Later | Fate::Never => {}
        }
    }

    fn hear(&mut self, server: usize, sent: Instant, events: &Events) {
        // Of answers that cross, only the first counts: the agent has given up the other poll.
        self.servers[server].answers.clear();
        let id = self.servers[server].id;
        self.lease.hear(id, sent.into_std(), self.now.into_std(), events);
        if let Changes::Groups(groups) = &events.changes {
            for group in GROUPS.into_iter().filter(|group| groups.iter().any(|told| told == group)) {
                self.learned.entry(group).or_insert(self.now);
            }
        }
    }

    /// Everybody's rules are read again by the servers themselves, whoever asks.
    pub(super) fn warm(&self) {
        for server in &self.servers {
            self.read(server, EVERYBODY, server.sessions.current().as_ref(), true);
        }
    }

    /// Whether the agent would let the token in without asking anybody.
    pub(super) fn uses(&self, kept: &Kept) -> bool {
        matches!(self.cache.get(&kept.key, TODAY, self.now.into_std()), Found::Hit(_))
    }

    /// The laws, at every moment.
    fn judge(&self) {
        for kept in &self.kept {
            if !self.uses(kept) {
                continue;
            }
            for group in [EVERYBODY, kept.subject] {
                let Some(written) = self.written.get(group) else { continue };
                let late = self.now.saturating_duration_since(written.at);
                if !written.is_told {
                    let found = TERMS.ttl_max.max(MAX_READ_AGE) + UNTOLD_LATE;
                    // Also where one server has found it: another one that has not, vouches for what it read before.
                    assert!(late <= found, "used {late:?} after the rule of {group}, of which nothing tells");
                    continue;
                }
                let staleness = LIFETIMES.ttl.max(LIFETIMES.max_stale).max(MAX_SILENCE);
                assert!(late <= TERMS.ttl + staleness, "used {late:?} after the rule of {group}");
                if self.now.saturating_duration_since(kept.judged) > TERMS.ttl {
                    assert!(late <= TERMS.ttl, "vouched for, and used {late:?} after the rule of {group}");
                }
                if kept.vouched {
                    assert!(
                        late <= TERMS.ttl + MAX_SILENCE,
                        "from a session, and used {late:?} after the rule"
                    );
                }
                assert!(!self.learned.contains_key(group), "used after the agent was told of {group}");
            }
        }
    }
}

//! Two servers over one store, an agent that keeps verdicts, and everything that can come in between.
//!
//! The parts are the real ones: the server's [`Rulebook`], [`Sessions`] and [`Feed`], the agent's [`VerdictCache`] and
//! [`SharedLease`]. What is modelled is the world around them: writes, messages under way or lost, connections that break
//! unnoticed, reads that are overtaken, polls whose answers never arrive, servers that leave and come back. Whatever happens, no verdict is used longer after a rule than `docs/REVOCATION.md` says.

mod step;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jose::{TokenHash, UnixTime, Window};
use jwt_agent::cache::{self, Found, Key, Limits, VerdictCache};
use proptest::prelude::*;
use rules::{Claims, ExpireAt};
use service::events::{Changes, Events};
use service::lease::{ServerId, SharedLease, Stamp, Terms, Word};
use tokio::time::Instant;

use self::step::{Fate, Step, step};
use super::{MAX_SILENCE, Session, Sessions, Source};
use crate::feed::{Feed, Since};
use crate::rulebook::{Boarding, DEFAULT_BYTES, Flight, Group, Lifetimes, Read, Rulebook, Totals, judge};
use crate::store::{EVERYBODY, StoredRule};

const TERMS: Terms = Terms { ttl: Duration::from_secs(2), ttl_max: Duration::from_secs(300) };
const LIFETIMES: Lifetimes = Lifetimes { ttl: Duration::from_secs(7), max_stale: Duration::from_secs(30) };
const GROUPS: [&str; 3] = [EVERYBODY, "anna", "ben"];
const SERVERS: usize = 2;
/// More than any history brings, so that what is gone is gone for the lease's sake.
const LIMITS: Limits = Limits { entries: 200, bytes: 1_000_000 };
/// No token expires here.
const TODAY: UnixTime = UnixTime::from_secs(1_700_000_000);

enum Message {
    Changed(&'static str),
    Beat(Instant),
}

struct Server {
    /// What the agent calls it.
    id: ServerId,
    book: Rulebook,
    sessions: Sessions,
    feed: Feed,
    connected: bool,
    under_way: VecDeque<Message>,
    reads: VecDeque<(&'static str, Flight, Arc<Group>)>,
    /// Answers to polls that are still on their way to the agent: when the poll was sent, and the answer.
    answers: VecDeque<(Instant, Events)>,
    starts: u32,
}

impl Server {
    fn start(number: usize, starts: u32) -> Self {
        Self {
            id: ServerId(u64::try_from(number).unwrap()),
            book: Rulebook::new(LIFETIMES, DEFAULT_BYTES, Totals::default()),
            sessions: Sessions::shared(),
            feed: Feed::new(format!("server {number}, start {starts}"), 0),
            connected: false,
            under_way: VecDeque::new(),
            reads: VecDeque::new(),
            answers: VecDeque::new(),
            starts,
        }
    }

    fn gap(&self) {
        self.feed.everything_changed();
    }

    fn notice(&mut self) {
        self.connected = false;
        self.under_way.clear();
        self.sessions.lost(Source::OwnChannel, || self.gap());
        self.sessions.lost(Source::Keyspace, || self.gap());
    }

    fn take(&self, message: Message) {
        match message {
            Message::Changed(group) => {
                self.book.forget(group);
                self.feed.changed(group);
            }
            Message::Beat(sent) => {
                self.sessions.heard(Source::OwnChannel, sent);
                self.sessions.heard(Source::Keyspace, sent);
            }
        }
    }

    fn complete_for(&self, now: Instant) -> Option<Duration> {
        let session = self.sessions.current().filter(|session| session.vouches(now))?;
        Some(now.saturating_duration_since(session.as_of(now)))
    }
}

/// A verdict that let a token in, which the agent keeps.
struct Kept {
    key: Key,
    subject: &'static str,
    vouched: bool,
    judged: Instant,
}

struct World {
    now: Instant,
    /// When each group's rule was acknowledged.
    written: BTreeMap<&'static str, Instant>,
    /// When the agent was first told of each group's change.
    learned: BTreeMap<&'static str, Instant>,
    servers: Vec<Server>,
    next_id: u64,
    lease: Arc<SharedLease>,
    cache: VerdictCache,
    kept: Vec<Kept>,
}

impl World {
    fn new() -> Self {
        let lease = Arc::new(SharedLease::new(TERMS));
        Self {
            now: Instant::now(),
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
        Arc::new(Group::parse(rule.into_iter().collect(), book.totals()))
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Pass { milliseconds } => self.now += Duration::from_millis(milliseconds),
            Step::Write { group } => {
                let group = GROUPS[group];
                self.written.entry(group).or_insert(self.now);
                for server in self.servers.iter_mut().filter(|server| server.connected) {
                    server.under_way.push_back(Message::Changed(group));
                }
            }
            Step::Beat { server } => {
                let server = &mut self.servers[server];
                if server.connected {
                    server.under_way.push_back(Message::Beat(self.now));
                }
            }
            Step::Deliver { server, messages } => {
                let server = &mut self.servers[server];
                for _ in 0..messages {
                    if let Some(message) = server.under_way.pop_front() {
                        server.take(message);
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
                    self.servers[number].reads.push_back((name, flight, brings));
                }
            }
            Step::EndRead { server, arrives } => {
                let server = &mut self.servers[server];
                if let Some((name, flight, brings)) = server.reads.pop_front() {
                    server.book.land(name, &flight, arrives.then_some(brings));
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

    /// As [`crate::revocations::Revocations::judge`] does it, with a store that answers at once or not at all.
    fn check(&mut self, number: usize, subject: &'static str, reachable: bool) {
        let server = &self.servers[number];
        let (revision, session) = (server.feed.revision(), server.sessions.current());
        let everybody = self.read(server, EVERYBODY, session.as_ref(), reachable);
        let own = self.read(server, subject, session.as_ref(), reachable);
        let claims: Claims = serde_json::from_str(r#"{"rt":"x"}"#).unwrap();
        let group = |read: &Option<Read>| read.as_ref().map(|read| Arc::clone(&read.group));
        let verdict = judge(group(&everybody).as_deref(), group(&own).as_deref(), &claims, 0);
        let is_of = |read: &Option<Read>, session: &Arc<Session>| {
            let own = read.as_ref().and_then(|read| read.session.as_ref());
            own.is_some_and(|own| Arc::ptr_eq(own, session))
        };
        let vouched = session.is_some_and(|session| {
            is_of(&everybody, &session) && is_of(&own, &session) && session.vouches(self.now)
        });
        if verdict.is_ok() {
            let (epoch, asked) = (server.feed.epoch().into(), self.now.into_std());
            let stamp = Stamp { server: server.id, epoch, revision, vouched, asked };
            let token = TokenHash::of(&format!("token {}", self.kept.len()));
            let key = Key { token, route: 0, keys: 0 };
            let kept = cache::Kept {
                actions: Box::default(),
                reject: None,
                long_names: 0,
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
                let landing = reachable.then(|| self.stored(name, &server.book));
                server.book.land(name, &flight, landing.clone());
                landing.map(|group| Read { group, session: session.cloned() })
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

    /// Whether the agent would let the token in without asking anybody.
    fn uses(&self, kept: &Kept) -> bool {
        matches!(self.cache.get(&kept.key, TODAY, self.now.into_std()), Found::Verdict(_))
    }

    /// The laws, at every moment.
    fn judge(&self) {
        for kept in &self.kept {
            if !self.uses(kept) {
                continue;
            }
            for group in [EVERYBODY, kept.subject] {
                let Some(written) = self.written.get(group) else { continue };
                let late = self.now.saturating_duration_since(*written);
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_verdict_outlives_a_rule_by_more_than_the_bound(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
    }
}

/// Found by the histories above: a server that has heard everything may still answer from what it could not read anew.
#[test]
fn a_server_that_is_complete_but_cannot_read_is_not_believed_about_a_change_that_is_known() {
    let steps = [
        Step::Reconnect { server: 0 },
        Step::Poll { server: 0, delay: 0, fate: Fate::AtOnce },
        Step::Check { server: 1, subject: 1, reachable: true },
        Step::Write { group: 0 },
        Step::Deliver { server: 0, messages: 1 },
        Step::Reconnect { server: 1 },
        Step::Poll { server: 0, delay: 0, fate: Fate::AtOnce },
        Step::Pass { milliseconds: 36 },
        Step::Beat { server: 1 },
        Step::Deliver { server: 1, messages: 1 },
        Step::Poll { server: 1, delay: 0, fate: Fate::AtOnce },
        Step::Check { server: 1, subject: 1, reachable: false },
    ];
    let mut world = World::new();
    steps.iter().for_each(|step| world.take(step));
    assert_eq!(world.kept.len(), 2, "the last check was answered from what was known");
}

/// The laws would hold of an agent that keeps nothing. This one keeps verdicts while all goes well.
#[test]
fn while_all_goes_well_verdicts_are_kept_until_the_rule_and_no_longer() {
    let mut world = World::new();
    for server in 0..SERVERS {
        world.take(&Step::Reconnect { server });
        world.take(&Step::Poll { server, delay: 0, fate: Fate::AtOnce });
    }
    world.take(&Step::Check { server: 0, subject: 1, reachable: true });
    let beat = |world: &mut World| {
        for server in 0..SERVERS {
            world.take(&Step::Beat { server });
            world.take(&Step::Deliver { server, messages: 3 });
            world.take(&Step::Poll { server, delay: 1, fate: Fate::AtOnce });
        }
        world.take(&Step::Pass { milliseconds: 500 });
    };
    let allowed = |world: &World| world.uses(&world.kept[0]);
    for _ in 0..100 {
        beat(&mut world);
        assert!(allowed(&world));
    }
    world.take(&Step::Write { group: 1 });
    beat(&mut world);
    assert!(!allowed(&world));
}

//! The store, the servers, an agent, and what comes in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jose::{TokenHash, Window};
use jwt_agent::answer::ack::Ack;
use jwt_agent::cache::{self, Answers, Found, Key, VerdictCache};

use revocation::check::MAX_READ_AGE;
use revocation::events::{Changes, Events};
use revocation::lease::{ServerId, SharedLease, Word};
use token_server::continuity::MAX_SILENCE;
use token_server::store::EVERYBODY;
use tokio::time::{Instant, sleep};

use super::server::{Answered, Message, Server};
use super::step::{Fate, Step};
use super::store::{Shelf, Way, Written, locked};
use super::{GROUPS, LIFETIMES, LIMITS, SERVERS, TERMS, TODAY, UNTOLD_LATE};

/// So long after something happened all that could come of it has: time stands still while anything is to be done.
const SETTLED: Duration = Duration::from_millis(1);

/// Two agents that poll together are answered within so many milliseconds.
const TOGETHER: u64 = 20;

/// A verdict that let a token in, which the agent keeps.
pub(super) struct Kept {
    key: Key,
    subject: &'static str,
    pub(super) vouched: bool,
    asked: std::time::Instant,
}

pub(super) struct World {
    shelf: Shelf,
    /// When the agent was first told of each group's change.
    pub(super) learned: BTreeMap<&'static str, Instant>,
    pub(super) servers: Vec<Server>,
    next_id: u64,
    lease: Arc<SharedLease>,
    cache: VerdictCache,
    pub(super) kept: Vec<Kept>,
    /// How many answers were copies of another agent's.
    pub(super) shared: usize,
}

impl World {
    pub(super) fn new() -> Self {
        let (shelf, lease) = (Shelf::default(), SharedLease::new(TERMS, Instant::now().into_std()));
        let lease = Arc::new(lease);
        let mut world = Self {
            learned: BTreeMap::new(),
            servers: Vec::new(),
            next_id: 0,
            cache: VerdictCache::new(LIMITS, Arc::clone(&lease)),
            lease,
            kept: Vec::new(),
            shared: 0,
            shelf,
        };
        for _ in 0..SERVERS {
            let id = world.new_id();
            world.servers.push(Server::start(id, &world.shelf));
        }
        world
    }

    fn new_id(&mut self) -> ServerId {
        self.next_id += 1;
        ServerId(self.next_id)
    }

    pub(super) async fn take(&mut self, step: &Step) {
        match *step {
            Step::Pass { milliseconds } => sleep(Duration::from_millis(milliseconds)).await,
            Step::Write { group } => {
                let group = GROUPS[group];
                self.write(group, true);
                for server in self.servers.iter_mut().filter(|server| server.connected) {
                    server.under_way.push_back(Message::Changed(group));
                }
            }
            Step::WriteUntold { group } => self.write(GROUPS[group], false),
            Step::Beat { server } => {
                let server = &mut self.servers[server];
                if server.connected {
                    server.under_way.push_back(Message::Beat(Instant::now()));
                }
            }
            Step::Deliver { server, messages } => {
                let server = &mut self.servers[server];
                let arrived = messages.min(server.under_way.len());
                let arrived: Vec<_> = server.under_way.drain(..arrived).collect();
                arrived.into_iter().for_each(|message| server.take(message));
            }
            Step::Break { server } => {
                self.servers[server].connected = false;
                self.servers[server].under_way.clear();
            }
            Step::Notice { server } => self.servers[server].lose(),
            Step::Reconnect { server } => self.servers[server].connect(Instant::now()),
            Step::Restart { server } => {
                // The agent calls it as before: its address is the same.
                let id = self.servers[server].id;
                self.servers[server].checks.iter().for_each(|check| check.abort());
                self.servers[server] = Server::start(id, &self.shelf);
            }
            Step::Leave { server } => {
                let id = self.new_id();
                let server = &mut self.servers[server];
                server.answers.clear();
                self.lease.leave(server.id);
                server.id = id;
            }
            Step::Ask { server, subject } => {
                let server = &mut self.servers[server];
                server.link.set(Way::Slow);
                server.checks.push(tokio::spawn(server.check(GROUPS[subject])));
                sleep(SETTLED).await;
                server.link.set(Way::Open);
            }
            Step::EndRead { server, arrives } => {
                self.servers[server].link.end_read(arrives);
                sleep(SETTLED).await;
            }
            Step::Check { server, subject, reachable } => {
                let server = &self.servers[server];
                server.link.set(if reachable { Way::Open } else { Way::Cut });
                let answered = server.check(GROUPS[subject]).await;
                server.link.set(Way::Open);
                self.keep(&answered);
            }
            Step::Poll { server, delay, fate } => self.poll(server, delay, fate).await,
            Step::Arrive { server } => {
                for (sent, events) in std::mem::take(&mut self.servers[server].answers) {
                    self.hear(server, sent, &events);
                }
            }
        }
        self.collect().await;
        self.hold();
    }

    fn write(&self, group: &'static str, is_told: bool) {
        locked(&self.shelf).entry(group).or_insert(Written { at: Instant::now(), is_told });
    }

    /// Keeps the answers of checks whose reads have ended.
    async fn collect(&mut self) {
        let mut answers = Vec::new();
        for server in &mut self.servers {
            let (ended, waiting) = server.checks.drain(..).partition(|check| check.is_finished());
            server.checks = waiting;
            answers.extend::<Vec<_>>(ended);
        }
        for answer in answers {
            self.keep(&answer.await.unwrap());
        }
    }

    fn keep(&mut self, answered: &Answered) {
        let Answered { subject, verdict, stamp } = answered;
        if verdict.is_err() {
            return;
        }
        let token = TokenHash::of(&format!("token {}", self.kept.len()));
        let key = Key { token, policy: 0, keys: 0, scheme: jose::AuthScheme::Bearer };
        let mut kept = cache::Kept::new(Answers::Same(Ack::default()), None, Window::ALWAYS);
        kept.word = Some(Word::new(stamp.clone(), Some((*subject).into())));
        self.cache.keep(key, &Arc::new(kept), stamp.asked);
        self.kept.push(Kept { key, subject, vouched: stamp.vouched, asked: stamp.asked });
    }

    async fn poll(&mut self, number: usize, delay: u64, fate: Fate) {
        let sent = Instant::now();
        let since = self.lease.since(self.servers[number].id);
        sleep(Duration::from_millis(delay)).await;
        let server = &mut self.servers[number];
        // Another agent at the same place is answered first. What is one text lies at one place.
        let asked = Instant::now();
        let anothers = server.rules.answer(since.as_ref(), asked, asked).unwrap();
        sleep(Duration::from_millis(delay % TOGETHER)).await;
        let text = server.rules.answer(since.as_ref(), asked, Instant::now()).unwrap();
        self.shared += usize::from(anothers.as_ptr() == text.as_ptr());
        let events: Events = serde_json::from_slice(&text).unwrap();
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
        let (id, now) = (self.servers[server].id, Instant::now());
        self.lease.hear(id, sent.into_std(), now.into_std(), events);
        if let Changes::Groups(groups) = &events.changes {
            for group in GROUPS.into_iter().filter(|group| groups.iter().any(|told| told == group)) {
                self.learned.entry(group).or_insert(now);
            }
        }
    }

    /// Everybody's rules are read again by the servers themselves.
    pub(super) async fn warm(&self) {
        for server in &self.servers {
            server.rules.warm().await;
        }
    }

    /// Whether the agent would let the token in without asking anew.
    pub(super) fn uses(&self, kept: &Kept) -> bool {
        let now = Instant::now().into_std();
        matches!(self.cache.get(&kept.key, TODAY, now), Found::Hit(_))
    }

    /// The laws, at every moment.
    fn hold(&self) {
        let (now, written) = (Instant::now(), locked(&self.shelf));
        for kept in &self.kept {
            if !self.uses(kept) {
                continue;
            }
            for group in [EVERYBODY, kept.subject] {
                let Some(written) = written.get(group) else { continue };
                let late = now.saturating_duration_since(written.at);
                if !written.is_told {
                    let found = TERMS.ttl_max.max(MAX_READ_AGE) + UNTOLD_LATE;
                    // Also where one server has found it: another one that has not, vouches for what it read before.
                    assert!(late <= found, "used {late:?} after the rule of {group}, of which nothing tells");
                    continue;
                }
                let staleness = LIFETIMES.ttl.max(LIFETIMES.max_stale).max(MAX_SILENCE);
                assert!(late <= TERMS.ttl + staleness, "used {late:?} after the rule of {group}");
                if now.into_std().saturating_duration_since(kept.asked) > TERMS.ttl {
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

//! HAProxy's processes, the agents that tell them, the servers that tell these, and the clocks.

mod laws;
mod telling;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jose::UnixTime;
use jwt_agent::haproxy::edge::entry::{Key, Layout};
use jwt_agent::haproxy::edge::ledger::Moment;
use revocation::check::CheckResult;
use revocation::lease::{ServerId, Stamp, Word};

use super::agent::{Agent, Kept, Look};
use super::haproxy::{Command, Process};
use super::server::{Rules, Server};
use super::step::Step;
use super::{AGENTS, GROUPS, SERVERS, TODAY, TOKENS};

/// An entry that was given to HAProxy, by its number.
#[derive(Debug)]
struct Given {
    token: usize,
    life: u64,
    keys: u64,
    server: ServerId,
    /// Until when the server's word counts.
    term: u64,
    shift: i64,
}

/// A lease as it was renewed.
#[derive(Debug, Clone, Copy)]
struct Renewal {
    life: u64,
    shift: i64,
}

#[derive(Debug)]
struct Connection {
    process: usize,
    commands: VecDeque<Command>,
}

#[derive(Debug)]
pub(super) struct World {
    ttl: u64,
    deletes_first: bool,
    start: Instant,
    /// Milliseconds since then.
    at: u64,
    /// How far the time of day is ahead of that.
    shift: i64,
    steps: usize,
    /// The step at which the time of day was set.
    clock_was_set: usize,
    rules: Rules,
    servers: Vec<Server>,
    agents: Vec<Agent>,
    /// The last two of them serve.
    processes: Vec<Process>,
    connections: Vec<Connection>,
    /// What HAProxy finds each token by.
    keys: Vec<Vec<(Key, String)>>,
    given: Vec<Given>,
    renewals: HashMap<(String, i64), Renewal>,
    /// As of when an agent last heard the server complete.
    heard: BTreeMap<ServerId, u64>,
    /// When an agent's keys were replaced.
    replaced: HashMap<(u64, u64), u64>,
    numbers: u64,
}

impl World {
    /// Each token is shown under so many `names`: policies, which HAProxy finds apart.
    pub(super) fn new(ttl: u64, deletes_first: bool, names: usize) -> Self {
        let found_by = |token, name| {
            let key =
                Key::of(&format!("Bearer {token}"), &Layout::default(), &format!("policy{name}")).unwrap();
            (key, key.to_string())
        };
        let mut world = Self {
            ttl,
            deletes_first,
            start: Instant::now(),
            at: 0,
            shift: 0,
            steps: 0,
            clock_was_set: 0,
            rules: Rules::new(),
            servers: Vec::new(),
            agents: Vec::new(),
            processes: vec![Process::start(deletes_first)],
            connections: Vec::new(),
            keys: (0..TOKENS.len())
                .map(|token| (0..names).map(|name| found_by(token, name)).collect())
                .collect(),
            given: Vec::new(),
            renewals: HashMap::new(),
            heard: BTreeMap::new(),
            replaced: HashMap::new(),
            numbers: 0,
        };
        for _ in 0..SERVERS {
            let epoch = world.number();
            world.servers.push(Server::start(epoch, &world.rules));
        }
        for _ in 0..AGENTS {
            let agent = world.new_agent();
            world.agents.push(agent);
        }
        world
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn new_agent(&mut self) -> Agent {
        let life = self.number();
        let servers = (0..SERVERS).map(|_| ServerId(self.number())).collect();
        Agent::start(life, servers, self.ttl, self.start)
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.at)
    }

    fn now(&self) -> UnixTime {
        UnixTime::from_millis(TODAY.as_millis() + i64::try_from(self.at).unwrap() + self.shift)
    }

    fn moment(&self) -> Moment {
        Moment { at: self.instant(), now: self.now() }
    }

    fn since_start(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.start).as_millis()).unwrap()
    }

    pub(super) fn take(&mut self, step: &Step) {
        self.steps += 1;
        match *step {
            Step::Pass { milliseconds } => self.at += milliseconds,
            Step::SetClock { by } => (self.shift, self.clock_was_set) = (self.shift + by, self.steps),
            Step::Write { group } => self.change(group, |rules, group, at| rules.insert(group, at).is_none()),
            Step::Delete { group } => self.change(group, |rules, group, _| rules.remove(group).is_some()),
            Step::Deliver { server } => self.servers[server].deliver(&self.rules),
            Step::Vouch { server, vouches } => self.servers[server].set_vouching(vouches, &self.rules),
            Step::RestartServer { server } => {
                let epoch = self.number();
                self.servers[server] = Server::start(epoch, &self.rules);
            }
            Step::Check { agent, server, token, read_ago, is_late } => {
                let verdict = self.check(agent, server, token, read_ago);
                if is_late {
                    self.agents[agent].verdicts.push((token, verdict));
                } else {
                    self.keep(agent, token, verdict);
                }
            }
            Step::Arrive { agent } => {
                for (token, verdict) in std::mem::take(&mut self.agents[agent].verdicts) {
                    self.keep(agent, token, verdict);
                }
                for (server, (sent, events)) in std::mem::take(&mut self.agents[agent].polls) {
                    self.hear(agent, server, sent, events, false);
                }
            }
            Step::Poll { agent, server, is_late } => self.poll(agent, server, is_late, false),
            Step::HearInPart { agent, server } => self.poll(agent, server, false, true),
            Step::Leave { agent, server } => {
                let id = ServerId(self.number());
                let agent = &mut self.agents[agent];
                agent.polls.remove(&server);
                let left = std::mem::replace(&mut agent.servers[server], id);
                agent.leave(left);
            }
            Step::Hit { agent, token } => self.hit(agent, token),
            Step::Begin { agent, token } => {
                let moment = self.moment();
                let used = self.agents[agent].used(token, moment);
                self.agents[agent].begun = used.map(|kept| (token, kept, moment));
            }
            Step::Look { agent } => self.agents[agent].look = Some(self.look(agent)),
            Step::Tell { agent } => self.tell(agent),
            Step::CarryOut { connection, commands } => {
                let waiting = |connection: &usize| !self.connections[*connection].commands.is_empty();
                let waiting: Vec<_> = (0..self.connections.len()).filter(waiting).collect();
                if let Some(connection) = waiting.get(connection % waiting.len().max(1)) {
                    self.carry_out(*connection, commands);
                }
            }
            Step::Answer { agent } => {
                if let Some(connection) = self.agents[agent].connection {
                    self.carry_out(connection, usize::MAX);
                }
            }
            Step::Lose { agent, left } => self.lose(agent, left),
            Step::Connect { agent } => self.connect(agent),
            Step::Reload => self.reload(),
            Step::RestartAgent { agent, left } => {
                self.lose(agent, left);
                self.agents[agent] = self.new_agent();
            }
            Step::NewKeys { agent } => {
                let agent = &mut self.agents[agent];
                self.replaced.insert((agent.life, agent.keys), self.at);
                agent.keys += 1;
            }
            Step::Ready { agent, is_ready } => self.agents[agent].is_ready = is_ready,
            Step::Round { agent } => self.round(agent),
        }
        self.hold();
    }

    fn change(&mut self, group: usize, change: impl FnOnce(&mut Rules, &'static str, u64) -> bool) {
        let group = GROUPS[group];
        if change(&mut self.rules, group, self.at) {
            self.servers.iter_mut().for_each(|server| server.send(self.at, group));
        }
    }

    /// The verdict on a token, where it lets it in.
    fn check(&self, agent: usize, server: usize, token: usize, read_ago: u64) -> Option<Kept> {
        let (answering, subject, agent) = (&self.servers[server], TOKENS[token].subject, &self.agents[agent]);
        let result = CheckResult { vouched: answering.vouches, read_ago, ..CheckResult::default() };
        let epoch: Arc<str> = answering.epoch.to_string().into();
        let stamp = Stamp::of(&result, agent.servers[server], epoch, answering.revision, self.instant());
        let word = Word::new(stamp, subject.map(Into::into));
        (!answering.refuses(subject)).then_some(Kept { word, keys: agent.keys })
    }

    fn keep(&mut self, agent: usize, token: usize, verdict: Option<Kept>) {
        let kept = &mut self.agents[agent].kept;
        match verdict {
            Some(verdict) => _ = kept.insert(token, Arc::new(verdict)),
            None => _ = kept.remove(&token),
        }
    }

    fn poll(&mut self, agent: usize, server: usize, is_late: bool, in_part: bool) {
        let id = self.agents[agent].servers[server];
        // A poll is sent once the answer to the one before has been taken.
        self.agents[agent].hear_the_rest();
        let since = self.agents[agent].lease.since(id);
        let (sent, events) = (self.instant(), self.servers[server].events(since.as_ref(), self.at));
        if is_late {
            self.agents[agent].polls.insert(server, (sent, events));
        } else {
            // The other one has been given up.
            self.agents[agent].polls.remove(&server);
            self.hear(agent, server, sent, events, in_part);
        }
    }

    fn hear(
        &mut self,
        agent: usize,
        server: usize,
        sent: Instant,
        events: revocation::events::Events,
        in_part: bool,
    ) {
        let (id, now) = (self.agents[agent].servers[server], self.instant());
        if let Some(age) = events.complete_as_of {
            let as_of = self.since_start(sent).saturating_sub(age);
            let heard = self.heard.entry(id).or_insert(as_of);
            *heard = as_of.max(*heard);
        }
        self.agents[agent].hear(id, sent, now, events, in_part);
    }

    fn hit(&mut self, agent: usize, token: usize) {
        let moment = self.moment();
        let begun = self.agents[agent].begun.take();
        let begun = begun.or_else(|| Some((token, self.agents[agent].used(token, moment)?, moment)));
        let Some((token, kept, moment)) = begun else { return };
        let (keys, id, agent) = (&self.keys[token], self.given.len(), &mut self.agents[agent]);
        let term = agent.offer((token, &kept, moment), keys, id);
        let life = agent.life;
        self.given.push(Given {
            token,
            life,
            keys: kept.keys,
            server: kept.word.server(),
            // Where not all were taken it is not looked at.
            term: term.map_or(u64::MAX, |term| self.since_start(term)),
            shift: self.shift_of(moment),
        });
    }

    /// How far the time of day was ahead then.
    fn shift_of(&self, moment: Moment) -> i64 {
        moment.now.as_millis() - TODAY.as_millis() - i64::try_from(self.since_start(moment.at)).unwrap()
    }

    fn look(&self, agent: usize) -> Look {
        Look { moment: self.moment(), keys: self.agents[agent].keys, step: self.steps }
    }

    pub(super) fn round(&mut self, agent: usize) {
        for server in 0..SERVERS {
            self.poll(agent, server, false, false);
        }
        for token in 0..TOKENS.len() {
            if self.agents[agent].used(token, self.moment()).is_none() {
                let verdict = self.check(agent, (token + agent) % SERVERS, token, 0);
                self.keep(agent, token, verdict);
            }
            self.hit(agent, token);
        }
        if self.agents[agent].connection.is_none() {
            self.connect(agent);
        }
        self.tell(agent);
        while let Some(connection) = self.agents[agent].connection
            && self.agents[agent].telling.is_some()
        {
            self.carry_out(connection, usize::MAX);
        }
    }

    /// Everything works again.
    pub(super) fn heal(&mut self) {
        for connection in 0..self.connections.len() {
            self.carry_out(connection, usize::MAX);
        }
        for server in 0..SERVERS {
            self.servers[server].set_vouching(true, &self.rules);
        }
        for agent in 0..AGENTS {
            let last = self.processes.len() - 1;
            let is_there = |connection: usize| self.connections[connection].process == last;
            if !self.agents[agent].connection.is_some_and(is_there) {
                self.connect(agent);
            }
            self.agents[agent].is_ready = true;
            (self.agents[agent].begun, self.agents[agent].look) = (None, None);
        }
    }
}

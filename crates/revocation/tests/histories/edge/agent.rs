//! One life of an agent: its real lease and ledger, and what `agent/src/haproxy/edge/` does with them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jose::UnixTime;
use jwt_agent::haproxy::edge::entry::Key;
use jwt_agent::haproxy::edge::ledger::{Basis, Ledger, Moment, Offer, Taken, Terms};
use revocation::events::Events;
use revocation::lease::{ServerId, SharedLease, Terms as LeaseTerms, Word};

use super::haproxy::maps;
use super::{TOKENS, TTL_MAX};

/// A verdict that lets a token in, as the agent keeps it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) word: Word,
    pub(super) keys: u64,
}

/// When the writer looked at the clocks and at the keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) moment: Moment,
    pub(super) keys: u64,
    /// After so many steps.
    pub(super) step: usize,
}

/// What HAProxy is being told.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) look: Look,
    /// What it is told once it has answered, if it is told of leases.
    pub(super) leases: Option<String>,
    pub(super) answer: String,
}

#[derive(Debug)]
pub(super) struct Agent {
    pub(super) life: u64,
    pub(super) lease: SharedLease,
    pub(super) ledger: Ledger,
    pub(super) is_ready: bool,
    pub(super) keys: u64,
    /// What it calls the servers.
    pub(super) servers: Vec<ServerId>,
    pub(super) kept: BTreeMap<usize, Arc<Kept>>,
    /// Answers under way: of checks, and of polls with when they were sent.
    pub(super) verdicts: Vec<(usize, Option<Kept>)>,
    pub(super) polls: BTreeMap<usize, (Instant, Events)>,
    /// What only the lease has heard.
    half_heard: Option<(ServerId, Instant, Events)>,
    /// A request that is being answered: its token, by what it was found good, and when it came.
    pub(super) begun: Option<(usize, Arc<Kept>, Moment)>,
    pub(super) look: Option<Look>,
    pub(super) connection: Option<usize>,
    pub(super) telling: Option<Telling>,
    /// The step of the last look of which HAProxy has done everything, over the connection that is open.
    pub(super) told: Option<usize>,
}

impl Agent {
    pub(super) fn start(life: u64, servers: Vec<ServerId>, ttl: u64, start: Instant) -> Self {
        let ttl = Duration::from_millis(ttl);
        let terms = Terms { lease: ttl, entry: Duration::from_secs(60), entries: 1000 };
        Self {
            life,
            lease: SharedLease::new(LeaseTerms { ttl, ttl_max: TTL_MAX }, start),
            ledger: Ledger::new(format!("agent{life}"), terms),
            is_ready: true,
            keys: 0,
            servers,
            kept: BTreeMap::new(),
            verdicts: Vec::new(),
            polls: BTreeMap::new(),
            half_heard: None,
            begun: None,
            look: None,
            connection: None,
            telling: None,
            told: None,
        }
    }

    /// The lease hears first, then the ledger; `in_part`: that comes later.
    pub(super) fn hear(
        &mut self,
        server: ServerId,
        sent: Instant,
        now: Instant,
        events: Events,
        in_part: bool,
    ) {
        self.hear_the_rest();
        self.lease.hear(server, sent, now, &events);
        self.half_heard = Some((server, sent, events));
        if !in_part {
            self.hear_the_rest();
        }
    }

    pub(super) fn hear_the_rest(&mut self) {
        if let Some((server, sent, events)) = self.half_heard.take() {
            self.ledger.hear(server, sent, &events);
        }
    }

    pub(super) fn leave(&mut self, server: ServerId) {
        self.hear_the_rest();
        self.lease.leave(server);
        self.ledger.leave(server);
    }

    /// The kept verdict by which a request with the token is let in.
    pub(super) fn used(&self, token: usize, moment: Moment) -> Option<Arc<Kept>> {
        let is_over = TOKENS[token].end.is_some_and(|end| end <= moment.now);
        let kept = self.kept.get(&token).filter(|kept| self.lease.allows(&kept.word, moment.at));
        kept.filter(|_| !is_over).cloned()
    }

    /// Offers a verdict that was used, for all keys; gives until when the server's word counts, where all were taken.
    pub(super) fn offer(
        &mut self,
        (token, kept, moment): (usize, &Kept, Moment),
        keys: &[(Key, String)],
        id: usize,
    ) -> Option<Instant> {
        let (lease, ledger) = (&self.lease, &mut self.ledger);
        let term = || lease.term(&kept.word, moment.at);
        let mut is_taken = true;
        for (key, _) in keys {
            let offer = Offer {
                key: *key,
                basis: Basis { configuration: 0, keys: kept.keys },
                subject: kept.word.subject().map(Arc::from),
                server: Some(kept.word.server()),
                end: TOKENS[token].end,
                fields: format!("{id}|").into(),
            };
            is_taken &= ledger.offer(&offer, term, moment) == Taken::Yes;
        }
        term().filter(|_| is_taken)
    }

    /// What HAProxy is told by this look: changes, leases, and the names of these with their ends.
    pub(super) fn tell(&mut self, look: Look) -> (String, Vec<(String, UnixTime)>) {
        self.ledger.rely_on(Basis { configuration: 0, keys: look.keys });
        let batch = self.ledger.next(self.is_ready, look.moment);
        let leases = Some(maps().leases(&batch));
        self.telling = Some(Telling { look, leases, answer: String::new() });
        (maps().changes(&batch), batch.leases.into_iter().map(|(name, until, _)| (name, until)).collect())
    }

    /// The connection is lost.
    pub(super) fn lose(&mut self) {
        self.ledger.lose();
        (self.connection, self.telling, self.told) = (None, None, None);
    }
}

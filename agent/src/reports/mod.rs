//! Tells each token-server once a second of this agent and of some of its decisions (`JWT_DECISIONS`), for people who look at them.
//!
//! One task, for which nothing waits. A report that a server does not take is given up and counted, and while one is under way no
//! other is sent to that server.

mod form;
mod vitals;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper::body::Bytes;
use revocation::lease::ServerId;
use revocation::report::{self, Author, Report};
use service::readiness::Readiness;
use service::shutdown::Shutdown;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::answer::told::{Teller, Told};
use crate::current::Current;
use crate::metrics::{BySocket, Metrics};
use crate::token_server::{CallError, Server, Snapshot};
use vitals::Vitals;

/// The time between two reports.
const PACE: Duration = Duration::from_secs(1);
/// How long a server may take for one.
const LIMIT: Duration = Duration::from_secs(2);
/// How often keys are told that have not changed.
const KEYS_PACE: Duration = Duration::from_secs(30);

/// What reports.
#[derive(Debug)]
pub struct Reporter {
    author: Author,
    teller: Arc<Teller>,
    arriving: mpsc::Receiver<Told>,
    servers: watch::Receiver<Snapshot>,
    known: HashMap<ServerId, Known>,
    vitals: Vitals,
    metrics: Arc<Metrics>,
}

/// What there is to report of, beside decisions.
#[derive(Debug)]
pub struct Sources {
    /// What this agent is called.
    pub name: String,
    /// Whether HAProxy may ask it.
    pub readiness: Readiness,
    /// Whether it looks after open streams.
    pub has_streams: bool,
    /// The HAProxys that it gives verdicts; absent: to none.
    pub edge: Option<Vec<BySocket>>,
    /// What it counts.
    pub metrics: Arc<Metrics>,
}

/// How far a server has been told.
#[derive(Debug, Default)]
struct Known {
    /// Whether a report is under way.
    is_asked: bool,
    /// Decisions that it was not told, since it did not take their report.
    dropped: u64,
    /// Which keys it was told, and when.
    keys: Option<(u64, Instant)>,
    /// Whether the log says that it takes no reports.
    is_logged: bool,
}

/// What became of a report.
struct Sent {
    server: Arc<Server>,
    decisions: u64,
    keys: Option<(u64, Instant)>,
    outcome: Result<(), CallError>,
}

impl Reporter {
    /// Of what `teller` hands on, to these servers.
    pub fn new(
        (teller, arriving): (Arc<Teller>, mpsc::Receiver<Told>),
        servers: watch::Receiver<Snapshot>,
        sources: Sources,
    ) -> Self {
        let author = Author { name: sources.name.clone(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let metrics = Arc::clone(&sources.metrics);
        let vitals = Vitals::new(sources);
        Self { author, teller, arriving, servers, known: HashMap::new(), vitals, metrics }
    }

    /// Reports until it is asked to end.
    pub async fn run(&mut self, current: &Current, end: &Shutdown) {
        // Those that were under way when it was begun anew are none of its own.
        self.known.values_mut().for_each(|known| known.is_asked = false);
        let mut sending = FuturesUnordered::new();
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                Some(sent) = sending.next() => self.note(&sent),
                _ = ticks.tick() => sending.extend(self.reports(current)),
            }
        }
    }

    /// A report for each server that has answered the one before.
    fn reports(&mut self, current: &Current) -> Vec<impl Future<Output = Sent> + use<>> {
        let told = self.teller.take(&mut self.arriving);
        let decisions: Vec<report::Told> = told.into_iter().map(form::told).collect();
        let servers = Arc::clone(&self.servers.borrow());
        self.known.retain(|id, _| servers.iter().any(|server| server.id() == *id));
        let reports = servers.iter().filter_map(|server| {
            let known = self.known.entry(server.id()).or_default();
            if known.is_asked {
                known.misses(&decisions, &self.metrics);
                self.metrics.reports.count_sent("busy");
                return None;
            }
            let now = Instant::now();
            let (version, is_due) = known.needs_keys(current, now);
            let keys = is_due.then(|| form::keys(&current.keys_view())).flatten();
            let report = Report {
                agent: self.author.clone(),
                dropped: known.dropped.saturating_add(self.teller.beyond()),
                totals: form::totals(self.teller.totals()),
                decisions: decisions.clone(),
                keys,
                streams: self.vitals.streams(),
                edge: self.vitals.edge(),
                ready: self.vitals.is_ready(),
                lag_ms: self.vitals.lag(server),
            };
            let body = form::body(&report)?;
            known.is_asked = true;
            let keys = is_due.then_some((version, now));
            Some(send(Arc::clone(server), body, number(decisions.len()), keys))
        });
        reports.collect()
    }

    fn note(&mut self, sent: &Sent) {
        let Some(known) = self.known.get_mut(&sent.server.id()) else { return };
        known.is_asked = false;
        match &sent.outcome {
            Ok(()) => {
                known.keys = sent.keys.or(known.keys);
                known.is_logged = false;
                self.metrics.reports.count_sent("answered");
            }
            Err(error) => {
                known.dropped = known.dropped.saturating_add(sent.decisions);
                self.metrics.reports.count_untold(sent.decisions);
                self.metrics.reports.count_sent(error.outcome());
                if !std::mem::replace(&mut known.is_logged, true) {
                    tracing::warn!(
                        server = %sent.server.endpoint(), %error,
                        "a token-server does not take this agent's reports (JWT_DECISIONS); verdicts do not depend on them. One of \
                         version 0.2 or older answers 404"
                    );
                }
            }
        }
    }
}

impl Known {
    /// It is not told of these.
    fn misses(&mut self, decisions: &[report::Told], metrics: &Metrics) {
        let decisions = number(decisions.len());
        self.dropped = self.dropped.saturating_add(decisions);
        metrics.reports.count_untold(decisions);
    }

    /// The version of the keys, and whether the server is to be told of them.
    fn needs_keys(&self, current: &Current, now: Instant) -> (u64, bool) {
        let version = current.decider().basis().keys;
        let is_told =
            |(told, at): (u64, Instant)| told == version && now.saturating_duration_since(at) < KEYS_PACE;
        (version, !self.keys.is_some_and(is_told))
    }
}

async fn send(server: Arc<Server>, body: Bytes, decisions: u64, keys: Option<(u64, Instant)>) -> Sent {
    let outcome = server.report(body, LIMIT).await;
    Sent { server, decisions, keys, outcome }
}

fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

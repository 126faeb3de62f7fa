//! One token-server, and the set of them, which can change while the agent runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::body::Bytes;
use jose::Profile;
use prometheus_client::metrics::gauge::Gauge;
use revocation::events::Events;
use revocation::lease::ServerId;
use tokio::sync::{mpsc, oneshot, watch};

use super::batch::{Answer, Line, Question, Waiting};
use super::client::{Dialer, HttpClient};
use super::connections::Heard;
use super::driver::{Driver, Manner};
use super::endpoint::Endpoint;
use super::error::CallError;
use super::standing::{Rank, Standing};

/// Checks that may wait for one server. More would not be answered in time.
const MAX_WAITING: usize = 4096;

/// One token-server, with connections of its own, which end with it.
#[derive(Debug)]
pub struct Server {
    id: ServerId,
    endpoint: Endpoint,
    http: HttpClient,
    /// Leads to the driver; closed while there is none.
    line: ArcSwap<mpsc::Sender<Waiting>>,
    outstanding: Arc<AtomicUsize>,
    standing: Arc<Standing>,
    waiting: Gauge,
}

impl Server {
    /// Its name in this agent.
    pub fn id(&self) -> ServerId {
        self.id
    }

    /// Where it is; for people.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether it is asked.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// How soon it is asked; absent while nothing could ask it.
    pub fn rank(&self) -> Option<Rank> {
        (!self.line.load().is_closed()).then(|| self.standing.rank())
    }

    /// Checks that it has not answered yet.
    pub fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// Puts a check in line; `None` where the line is too long already, or leads nowhere. To drop the receiver is to ask no more.
    pub fn ask(&self, question: Question) -> Option<oneshot::Receiver<Result<Answer, CallError>>> {
        let (waiting, answer) = Waiting::new(question, Arc::clone(&self.outstanding), self.waiting.clone());
        self.line.load().try_send(waiting).ok().map(|()| answer)
    }

    /// What its connections for checks have brought so far.
    pub fn heard(&self) -> Heard {
        self.http.heard()
    }

    /// Has the next check go over a new connection, unless others of them have moved since.
    pub fn renew_unless_heard_since(&self, heard: Heard) {
        self.http.renew_unless_heard_since(heard);
    }

    /// Asks a server of this profile what changed since `<epoch>:<revision>`, a long poll. It has connections of its own,
    /// so that it never delays a check.
    ///
    /// # Errors
    ///
    /// No such answer within `budget`.
    pub async fn events(
        &self,
        profile: Profile,
        since: Option<&str>,
        budget: Duration,
    ) -> Result<Events, CallError> {
        self.http.events(profile, since, budget).await
    }

    /// Tells it of this agent, in JSON; over connections that are not for checks.
    ///
    /// # Errors
    ///
    /// It has not said within `budget` that it took that.
    pub async fn report(&self, body: Bytes, budget: Duration) -> Result<(), CallError> {
        self.http.report(body, budget).await
    }

    fn driver(&self, queue: mpsc::Receiver<Waiting>, manner: &Manner) -> Driver<HttpClient> {
        Driver {
            id: self.id,
            carrier: self.http.clone(),
            line: Line::new(queue),
            standing: Arc::clone(&self.standing),
            manner: manner.clone(),
        }
    }
}

/// The servers that are known at a moment, in the order of their ids.
pub type Snapshot = Arc<[Arc<Server>]>;

/// Keeps the set of servers; what asks them watches it.
#[derive(Debug)]
pub struct Servers {
    dialer: Dialer,
    manner: Manner,
    next: u64,
    current: watch::Sender<Snapshot>,
}

impl Servers {
    /// None yet.
    pub fn new(dialer: Dialer, manner: Manner) -> Self {
        Self { dialer, manner, next: 0, current: watch::Sender::new(Arc::new([])) }
    }

    /// The set, now and whenever it changes.
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.current.subscribe()
    }

    /// These are the servers from now on: those that were there before stay what they were. Returns what must be run for
    /// each new one to be asked.
    pub fn replace(&mut self, endpoints: &BTreeSet<Endpoint>) -> Vec<Driver<HttpClient>> {
        let known = Arc::clone(&self.current.borrow());
        let mut servers: Vec<_> =
            known.iter().filter(|server| endpoints.contains(&server.endpoint)).cloned().collect();
        let left = known.len().saturating_sub(servers.len());
        let (fresh, drivers): (Vec<_>, Vec<_>) = endpoints
            .iter()
            .filter(|endpoint| !known.iter().any(|server| server.endpoint == **endpoint))
            .map(|endpoint| self.server(endpoint))
            .unzip();
        if left > 0 || !fresh.is_empty() {
            servers.extend(fresh);
            let names: Vec<_> = servers.iter().map(|server| server.endpoint.to_string()).collect();
            tracing::info!(servers = %names.join(", "), "token-servers");
            self.current.send_replace(servers.into());
        }
        drivers
    }

    /// What must be run for each server to be asked whose driver has ended.
    pub fn replace_drivers(&self) -> Vec<Driver<HttpClient>> {
        let servers = Arc::clone(&self.current.borrow());
        let lost = servers.iter().filter(|server| server.line.load().is_closed());
        lost.map(|server| {
            let (line, queue) = mpsc::channel(MAX_WAITING);
            server.line.store(Arc::new(line));
            server.driver(queue, &self.manner)
        })
        .collect()
    }

    fn server(&mut self, endpoint: &Endpoint) -> (Arc<Server>, Driver<HttpClient>) {
        let id = ServerId(self.next);
        self.next = self.next.wrapping_add(1);
        let (line, queue) = mpsc::channel(MAX_WAITING);
        let server = Server {
            id,
            endpoint: endpoint.clone(),
            http: self.dialer.dial(endpoint),
            line: ArcSwap::from_pointee(line),
            outstanding: Arc::default(),
            standing: Arc::new(Standing::new(endpoint.to_string(), Arc::clone(&self.manner.metrics))),
            waiting: self.manner.metrics.token_server_waiting.clone(),
        };
        let driver = server.driver(queue, &self.manner);
        (Arc::new(server), driver)
    }
}

#[cfg(test)]
mod tests;

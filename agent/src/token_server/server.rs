//! One token-server, and the set of them, which can change while the agent runs.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use service::check::CheckResponse;
use service::events::Events;
use tokio::sync::watch;

use super::client::{CallError, Dialer, HttpClient};

/// Names one token-server. A server that leaves the set and comes back is another one: an id is never used twice in
/// the life of the agent, so that nothing that was learned of one server is believed of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(u64);

/// Plain or over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// `http://`.
    Http,
    /// `https://`.
    Https,
}

/// Where one process answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// What it is called, in the `Host` header and in its certificate: a name, or the address again.
    pub host: String,
    /// Where it is.
    pub address: SocketAddr,
}

impl Endpoint {
    /// The URL of its root, with the name.
    pub fn url(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let (host, port) = (&self.host, self.address.port());
        if host.contains(':') {
            format!("{scheme}://[{host}]:{port}/")
        } else {
            format!("{scheme}://{host}:{port}/")
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = self.address.ip().to_string();
        let place = if self.host == ip { String::new() } else { format!(" ({ip})") };
        write!(out, "{}{place}", self.url().trim_end_matches('/'))
    }
}

/// One token-server, with connections of its own, which end with it.
#[derive(Debug)]
pub struct Server {
    id: ServerId,
    endpoint: Endpoint,
    http: HttpClient,
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

    /// Asks about a batch that is JSON already.
    ///
    /// # Errors
    ///
    /// No answer that says something about the checks, within `budget`.
    pub async fn check(
        &self,
        body: hyper::body::Bytes,
        max_answer: usize,
        budget: Duration,
    ) -> Result<CheckResponse, CallError> {
        self.http.check(body, max_answer, budget).await
    }

    /// Asks what changed since `<epoch>:<revision>`, a long poll. It has connections of its own, so that it never delays
    /// a check.
    ///
    /// # Errors
    ///
    /// No such answer within `budget`.
    pub async fn events(&self, since: Option<&str>, budget: Duration) -> Result<Events, CallError> {
        self.http.events(since, budget).await
    }
}

/// The servers that are known at a moment, in the order of their ids.
pub type Snapshot = Arc<[Arc<Server>]>;

/// Keeps the set of servers; whoever asks them watches it.
#[derive(Debug)]
pub struct Servers {
    dialer: Dialer,
    next: u64,
    current: watch::Sender<Snapshot>,
}

impl Servers {
    /// None yet.
    pub fn new(dialer: Dialer) -> Self {
        Self { dialer, next: 0, current: watch::Sender::new(Arc::new([])) }
    }

    /// The set, now and whenever it changes.
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.current.subscribe()
    }

    /// These are the servers from now on: those that were there before stay what they were.
    pub fn replace(&mut self, endpoints: &BTreeSet<Endpoint>) {
        let known = Arc::clone(&self.current.borrow());
        let mut servers: Vec<_> =
            known.iter().filter(|server| endpoints.contains(&server.endpoint)).cloned().collect();
        let left = known.len().saturating_sub(servers.len());
        let fresh: Vec<_> = endpoints
            .iter()
            .filter(|endpoint| !known.iter().any(|server| server.endpoint == **endpoint))
            .map(|endpoint| self.server(endpoint))
            .collect();
        if left == 0 && fresh.is_empty() {
            return;
        }
        servers.extend(fresh);
        let names: Vec<_> = servers.iter().map(|server| server.endpoint.to_string()).collect();
        tracing::info!(servers = %names.join(", "), "token-servers");
        self.current.send_replace(servers.into());
    }

    fn server(&mut self, endpoint: &Endpoint) -> Arc<Server> {
        let id = ServerId(self.next);
        self.next = self.next.wrapping_add(1);
        Arc::new(Server { id, endpoint: endpoint.clone(), http: self.dialer.dial(endpoint) })
    }
}

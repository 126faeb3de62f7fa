//! The life of the agent: bind, serve, drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::routing::get;
use keys::{KeyMetrics, KeyRing, KeySources, LiveKeys, OpenError, Source};
use prometheus_client::registry::Registry;
use revocation::lease::SharedLease;
use service::background::{Background, TaskMetrics};
use service::places::{Counts, Places};
use service::readiness::Readiness;
use service::serve::{ConnectionMetrics, MAX_ADMIN_CONNECTIONS, serve};
use service::shutdown::Shutdown;
use service::socket::SocketError;
use tokio::net::TcpListener;
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::current::Current;
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::reload::{Lasting, Reloader};
use crate::spoa::connection;
use crate::spoa::leave::Leave;
use crate::token_server::{self, Asking, Discovery, TokenServer};

/// Connections that are served at once. HAProxy 3.1 and newer opens about one for each request in flight.
const MAX_CONNECTIONS: usize = 8192;
/// What holds the agent back while all of them are at work.
const FULL: &str = "connections";
/// The pause after a failed accept, which means that the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a start waits for the first keys before it listens: as long as nobody listens here, HAProxy asks another
/// agent, and one that was restarted quickly is asked at once.
const KEYS_PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks for them.
const KEYS_TICK: Duration = Duration::from_millis(5);
/// How long connections may take to finish what they have.
const GRACE: Duration = Duration::from_secs(5);

/// Why the agent could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A configured file cannot be used.
    #[error("{name}: {why}")]
    Config {
        /// The setting.
        name: String,
        /// Cause and cure.
        why: String,
    },
    /// An address cannot be bound.
    #[error("{name}: cannot listen on {address}: {error}")]
    Listen {
        /// The setting.
        name: &'static str,
        /// The address.
        address: String,
        /// Why not.
        error: SocketError,
    },
}

/// How the agent is asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Connections end one after the other, so that HAProxy can ask elsewhere what was lost on one of them.
    pub drain: Shutdown,
    /// All of them end at once.
    pub now: Shutdown,
}

/// Everything that a configuration names, opened.
#[derive(Debug)]
pub struct Agent {
    listeners: Vec<Listener>,
    admin: TcpListener,
    lasting: Lasting,
    discovery: Option<Discovery>,
    asking: Asking,
    current: Arc<Current>,
    registry: Arc<Registry>,
    http: ConnectionMetrics,
}

/// The key sources that a configuration names, each with the issuer whose keys it has.
///
/// # Errors
///
/// The CA file cannot be used, or a URL is none.
pub fn key_sources(config: &KeySources) -> Result<Vec<(usize, Source)>, StartError> {
    config.open(concat!("jwt-agent/", env!("CARGO_PKG_VERSION"))).map_err(key_fault)
}

/// Reads every key file once.
///
/// # Errors
///
/// The first that cannot be used.
pub fn check_key_files(config: &KeySources) -> Result<(), StartError> {
    config.check_files().map_err(key_fault)
}

fn key_fault(error: OpenError) -> StartError {
    let name = match &error {
        OpenError::Fetch { setting, .. } | OpenError::Url { setting, .. } => setting,
        OpenError::File { .. } => "JWT_JWKS_FILE",
    };
    StartError::Config { name: name.to_owned(), why: error.to_string() }
}

impl Agent {
    /// Opens files and listeners. A key file that cannot be used ends the start: an agent that waits for a file with a
    /// typo in its name would only look alive. A URL that is down does not: it is tried again. Beside the agent comes
    /// what replaces its configuration while it runs.
    ///
    /// # Errors
    ///
    /// What cannot be opened, with the name of its setting.
    pub async fn open(config: Config) -> Result<(Self, Reloader), StartError> {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let key_metrics = KeyMetrics::register(registry.sub_registry_with_prefix("jwt_agent"))
            .with_secrets(metrics.secrets.clone());
        let http = ConnectionMetrics::register(registry.sub_registry_with_prefix("jwt_agent"));
        let readiness = Readiness::new();
        let sources = key_sources(&config.keys)?;
        check_key_files(&config.keys)?;
        let (token_server, discovery) = open_token_server(&config, &metrics).await?.unzip();
        let asking = Asking {
            profile: config.trust.profile(),
            lease: Arc::new(SharedLease::new(config.terms, Instant::now().into_std())),
            metrics: Arc::clone(&metrics),
        };
        let tasks = TaskMetrics::register(registry.sub_registry_with_prefix("jwt_agent"));
        let background = Background::new(Shutdown::new(), readiness.clone(), tasks);
        let needs_keys = !sources.is_empty();
        let keys =
            LiveKeys::start(config.keys.clone(), sources, readiness.clone(), key_metrics, background.clone());
        let lasting =
            Lasting { token_server, lease: Arc::clone(&asking.lease), readiness, metrics, background };
        let current = Arc::new(Current::new(lasting.responder(&config, keys.ring())));
        let admin = TcpListener::bind(config.admin_listen).await.map_err(|error| {
            listen_error("JWT_ADMIN_LISTEN", &config.admin_listen.to_string(), error.into())
        })?;
        if needs_keys && timeout(KEYS_PATIENCE, first_keys(keys.ring())).await.is_err() {
            tracing::warn!("no key is loaded yet; until one is, requests are answered E_BACKEND_UNAVAIL");
        }
        let mut listeners = Vec::new();
        for address in &config.listen {
            let listener = Listener::bind(address)
                .await
                .map_err(|error| listen_error("JWT_AGENT_LISTEN", &address.to_string(), error))?;
            listeners.push(listener);
        }
        let registry = Arc::new(registry);
        let agent = Self {
            listeners,
            admin,
            lasting: lasting.clone(),
            discovery,
            asking,
            current: Arc::clone(&current),
            registry,
            http,
        };
        Ok((agent, Reloader { config, keys, lasting, current }))
    }

    /// Serves until `stop`, then finishes what has arrived.
    pub async fn run(self, stop: Stop) {
        let Lasting { token_server, readiness, metrics, background, .. } = self.lasting;
        let stopping = background.shutdown().clone();
        if let Some((server, discovery)) = token_server.zip(self.discovery) {
            background.run("discovery", discovery.run(background.clone()));
            let (secrets, end) = (server.secrets().clone(), stopping.clone());
            background.keep("secret files", move || secrets.clone().keep_fresh(end.clone()));
            let (servers, asking) = (server.servers(), self.asking);
            let (readiness, owner) = (readiness.clone(), background.clone());
            background.keep("feeds", move || {
                token_server::follow(servers.clone(), asking.clone(), readiness.clone(), owner.clone())
            });
        }
        log_address("admin", self.admin.local_addr());
        let current = Arc::clone(&self.current);
        let admin = service::admin::router(readiness.clone(), self.registry)
            .route("/v1/keys", get(async move || Json(current.keys_view())));
        let places = Places::new(MAX_ADMIN_CONNECTIONS, self.http.of("admin"));
        background.run("admin listener", serve(self.admin, None, admin, places, stopping.clone()));

        let leave = Leave::new();
        let connections = TaskTracker::new();
        let counts = Counts { open: metrics.connections.clone(), shed: metrics.connections_shed.clone() };
        let places = Places::new(MAX_CONNECTIONS, counts);
        let (accepting, mut accepts) = (background.child(), Vec::new());
        for listener in self.listeners {
            tracing::info!(listener = "spop", address = listener.address(), "listening");
            let served = Served {
                current: Arc::clone(&self.current),
                metrics: Arc::clone(&metrics),
                connections: connections.clone(),
                leave: leave.clone(),
                places: places.clone(),
                readiness: readiness.clone(),
            };
            let full = accepting.shutdown().clone();
            accepts.push(accepting.run("listener", accept(listener, served, full)));
        }

        stop.drain.cancelled().await;
        readiness.block("draining", "asked to stop");
        tracing::info!("draining");
        // Whoever connects from now on is refused, and HAProxy turns to another agent at once.
        accepting.shutdown().cancel();
        futures_util::future::join_all(accepts).await;
        connections.close();
        leave.in_turn(connections.len());
        let ended = timeout(GRACE, async {
            tokio::select! {
                () = connections.wait() => return,
                () = stop.now.cancelled() => leave.at_once(),
            }
            connections.wait().await;
        });
        if ended.await.is_err() {
            tracing::warn!(left = connections.len(), "connections did not finish in time");
        }
        stopping.cancel();
        if timeout(GRACE, background.ended()).await.is_err() {
            tracing::warn!(left = background.left(), "background tasks did not finish in time");
        }
        tracing::info!("stopped");
    }
}

/// Ends when a source has given keys.
async fn first_keys(ring: &KeyRing) {
    let mut ticks = interval(KEYS_TICK);
    while ring.current().version == 0 {
        ticks.tick().await;
    }
}

async fn open_token_server(
    config: &Config,
    metrics: &Arc<Metrics>,
) -> Result<Option<(TokenServer, Discovery)>, StartError> {
    let Some(server) = &config.token_server else { return Ok(None) };
    let fault = |why| StartError::Config { name: "token-server".to_owned(), why };
    let (server, mut discovery) = TokenServer::new(server, &config.trust, Arc::clone(metrics))
        .map_err(|error| fault(error.to_string()))?;
    discovery.open().await.map_err(|error| fault(error.to_string()))?;
    Ok(Some((server, discovery)))
}

fn listen_error(name: &'static str, address: &str, error: SocketError) -> StartError {
    StartError::Listen { name, address: address.to_owned(), error }
}

fn log_address(listener: &str, address: std::io::Result<SocketAddr>) {
    match address {
        Ok(address) => tracing::info!(listener, %address, "listening"),
        Err(error) => {
            tracing::warn!(listener, %error, "listening on an address that the system does not tell");
        }
    }
}

/// What all connections share.
struct Served {
    current: Arc<Current>,
    metrics: Arc<Metrics>,
    connections: TaskTracker,
    leave: Leave,
    places: Places,
    readiness: Readiness,
}

async fn accept(listener: Listener, served: Served, full: Shutdown) {
    let Served { current, metrics, connections, leave, places, readiness } = served;
    let address = listener.address();
    let mut is_full = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = places.room(), if is_full => {
                is_full = false;
                readiness.clear(FULL);
                continue;
            }
            () = full.cancelled() => return,
        };
        match accepted.map(|accepted| (accepted, places.take(Instant::now()))) {
            Ok(((stream, peer), Some(place))) => {
                let (current, leave) = (Arc::clone(&current), leave.of(place));
                let span = tracing::warn_span!("connection", listener = address, %peer);
                connections.spawn(connection::serve(stream, current, leave, span));
            }
            Ok((_, None)) => {
                metrics.connections_refused.inc();
                if !is_full {
                    tracing::warn!(
                        MAX_CONNECTIONS,
                        "all connections are at work, and another one was refused; not ready"
                    );
                }
                is_full = true;
                readiness.block(FULL, "all of them are at work; run more agents");
            }
            Err(error) => {
                tracing::warn!(listener = address, %error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! The life of the agent: bind, serve, drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use keys::{KeyMetrics, KeyRing, KeySources, OpenError, Source, Timing, keep_fresh};
use prometheus_client::registry::Registry;
use service::lease::SharedLease;
use service::readiness::Readiness;
use service::shutdown::Shutdown;
use service::socket::SocketError;
use tokio::net::TcpListener;
use tokio::time::{interval, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::cache::VerdictCache;
use crate::config::Config;
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::responder::Responder;
use crate::spoa::connection;
use crate::spoa::leave::Leave;
use crate::token_server::{self, Asking, Discovery, TokenServer};
use crate::verifier::Verifier;

/// Connections that are served at once. HAProxy 3.1 and newer opens about one for each request in flight.
const MAX_CONNECTIONS: usize = 8192;
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
        name: &'static str,
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
    /// Ends the tasks.
    background: Shutdown,
    tasks: TaskTracker,
    token_server: Option<(TokenServer, Discovery)>,
    asking: Asking,
    responder: Arc<Responder>,
    readiness: Readiness,
    registry: Arc<Registry>,
}

/// The key sources that a configuration names, each with the issuer whose keys it has.
///
/// # Errors
///
/// The CA file cannot be used, or a URL is none.
pub fn key_sources(config: &KeySources) -> Result<Vec<(usize, Source)>, StartError> {
    config.open(concat!("jwt-agent/", env!("CARGO_PKG_VERSION"))).map_err(key_fault)
}

fn key_fault(error: OpenError) -> StartError {
    let name = match error {
        OpenError::Authorities(_) => "JWT_CA_FILE",
        OpenError::Url(_) => "keys_url",
        OpenError::File { .. } => "JWT_JWKS_FILE",
    };
    StartError::Config { name, why: error.to_string() }
}

impl Agent {
    /// Opens files and listeners. A key file that cannot be used ends the start: an agent that waits for a file with a
    /// typo in its name would only look alive. A URL that is down does not: it is tried again.
    ///
    /// # Errors
    ///
    /// What cannot be opened, with the name of its setting.
    pub async fn open(config: Config) -> Result<Self, StartError> {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let key_metrics = KeyMetrics::register(registry.sub_registry_with_prefix("jwt_agent"));
        let readiness = Readiness::new();
        let sources = key_sources(&config.keys)?;
        config.keys.check_files().map_err(key_fault)?;
        let token_server = open_token_server(&config, &metrics).await?;
        let asking = Asking {
            profile: config.trust.profile(),
            lease: Arc::new(SharedLease::new(config.terms)),
            metrics: Arc::clone(&metrics),
        };
        let owners: Vec<usize> = sources.iter().map(|(issuer, _)| *issuer).collect();
        let issuers = config.keys.issuers.len();
        let ring = Arc::new(KeyRing::new(issuers, &owners, readiness.clone(), key_metrics));
        let verifier = Verifier::new(
            Arc::clone(&ring),
            config.trust.clone(),
            config.schemes.clone(),
            config.max_token_bytes,
            token_server.as_ref().map(|(server, _)| server.clone()),
        );
        let responder = Arc::new(Responder::new(
            verifier,
            VerdictCache::new(config.cache, Arc::clone(&asking.lease)),
            config.variables.clone(),
            config.claims.clone(),
            config.timeout,
            readiness.clone(),
            metrics,
        ));
        let background = Shutdown::new();
        let tasks = TaskTracker::new();
        for (index, (_, source)) in sources.into_iter().enumerate() {
            let timing = Timing::every(config.keys.interval);
            let ring = Arc::clone(&ring);
            tasks.spawn(keep_fresh(source, index, ring, config.keys.rules, timing, background.clone()));
        }
        let admin = TcpListener::bind(config.admin_listen).await.map_err(|error| {
            listen_error("JWT_ADMIN_LISTEN", &config.admin_listen.to_string(), error.into())
        })?;
        if !owners.is_empty() && timeout(KEYS_PATIENCE, first_keys(&ring)).await.is_err() {
            tracing::warn!("no key is loaded yet; until one is, requests are answered E_BACKEND_UNAVAIL");
        }
        let mut listeners = Vec::new();
        for address in &config.listen {
            let listener = Listener::bind(address)
                .await
                .map_err(|error| listen_error("JWT_AGENT_LISTEN", &address.to_string(), error))?;
            listeners.push(listener);
        }
        Ok(Self {
            listeners,
            admin,
            background,
            tasks,
            token_server,
            asking,
            responder,
            readiness,
            registry: Arc::new(registry),
        })
    }

    /// Serves until `stop`, then finishes what has arrived.
    pub async fn run(self, stop: Stop) {
        let (background, tasks) = (self.background, self.tasks);
        if let Some((server, discovery)) = self.token_server {
            tasks.spawn(discovery.run(background.clone()));
            let (servers, readiness) = (server.servers(), self.readiness.clone());
            tasks.spawn(token_server::follow(servers, self.asking, readiness, background.clone()));
        }
        log_address("admin", self.admin.local_addr());
        let admin = service::admin::router(self.readiness.clone(), self.registry);
        let serving =
            axum::serve(self.admin, admin).with_graceful_shutdown(background.clone().cancelled_owned());
        tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the admin listener ended");
            }
        });
        tasks.close();

        let full = Shutdown::new();
        let leave = Leave::new();
        let connections = TaskTracker::new();
        let accepting = TaskTracker::new();
        for listener in self.listeners {
            tracing::info!(listener = "spop", address = listener.address(), "listening");
            let responder = Arc::clone(&self.responder);
            accepting.spawn(accept(listener, responder, connections.clone(), leave.clone(), full.clone()));
        }
        accepting.close();

        stop.drain.cancelled().await;
        self.readiness.block("draining", "asked to stop");
        tracing::info!("draining");
        // Whoever connects from now on is refused, and HAProxy turns to another agent at once.
        full.cancel();
        accepting.wait().await;
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
        background.cancel();
        if timeout(GRACE, tasks.wait()).await.is_err() {
            tracing::warn!(left = tasks.len(), "background tasks did not finish in time");
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
    let fault = |why| StartError::Config { name: "token-server", why };
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

async fn accept(
    listener: Listener,
    responder: Arc<Responder>,
    connections: TaskTracker,
    leave: Leave,
    full: Shutdown,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = full.cancelled() => return,
        };
        match accepted {
            Ok(stream) if connections.len() < MAX_CONNECTIONS => {
                let responder = Arc::clone(&responder);
                let leave = leave.clone();
                connections.spawn(async move {
                    responder.metrics().connections.inc();
                    connection::serve(stream, Arc::clone(&responder), leave).await;
                    responder.metrics().connections.dec();
                });
            }
            Ok(_) => {
                responder.metrics().connections_refused.inc();
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

//! The start: from a configuration to the parts of an agent, opened.

use std::sync::Arc;
use std::time::Duration;

use jose::{MIN_NONCE_SECRET_BYTES, NonceSecret, SeenProofs};
use keys::{KeyMetrics, KeyRing, KeySources, LiveKeys, OpenError, Source};
use prometheus_client::registry::Registry;
use revocation::lease::SharedLease;
use service::background::{Background, TaskMetrics};
use service::readiness::Readiness;
use service::secret_file::{NamedFile, Reload, SecretFile, SecretFiles};
use service::serve::ConnectionMetrics;
use service::shutdown::Shutdown;
use service::socket::SocketError;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{Instant, interval, timeout};

use crate::answer::told::Teller;
use crate::cache::VerdictCache;
use crate::config::{Config, DpopConfig, NONCE_SECRET_FILE};
use crate::current::Current;
use crate::decide::{self, Decider};
use crate::haproxy::edge::entry::Layout;
use crate::haproxy::edge::{Edge, EdgeConfig};
use crate::instance;
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::reports::{Reporter, Sources};
use crate::streams::Streams;
use crate::streams::watch::Watch;
use crate::token_server::{Asking, Discovery, TokenServer};

/// How long a start waits for the first keys before it listens: until it does, HAProxy asks another
/// agent, and one that was restarted quickly is asked at once.
const KEYS_PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks for them.
const KEYS_TICK: Duration = Duration::from_millis(5);

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

/// What an agent lives by, opened and not yet serving.
#[derive(Debug)]
pub struct Agent {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) admin: TcpListener,
    pub(crate) lasting: Lasting,
    pub(crate) discovery: Option<Discovery>,
    pub(crate) asking: Asking,
    pub(crate) watch: Option<Watch>,
    pub(crate) reporter: Option<Reporter>,
    pub(crate) current: Arc<Current>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) http: ConnectionMetrics,
}

/// The configuration that is in use, with what a reload replaces of it.
#[derive(Debug)]
pub struct InUse {
    pub(crate) config: Config,
    pub(crate) keys: LiveKeys,
    pub(crate) lasting: Lasting,
    pub(crate) current: Arc<Current>,
}

/// What lives as long as the process: a reload leaves it as it is.
#[derive(Debug, Clone)]
pub(crate) struct Lasting {
    pub token_server: Option<TokenServer>,
    pub lease: Arc<SharedLease>,
    pub edge: Option<Arc<Edge>>,
    /// Where streams are told that open.
    pub streams: Option<Streams>,
    /// What tells token-servers of decisions.
    pub teller: Option<Arc<Teller>>,
    pub readiness: Readiness,
    /// The proofs that were used lately.
    pub seen: Option<Arc<SeenProofs>>,
    /// The secret of nonces.
    pub nonces: Option<Arc<SecretFile<NonceSecret>>>,
    /// All files of secrets that are read again.
    pub secrets: SecretFiles,
    pub metrics: Arc<Metrics>,
    pub background: Background,
}

impl Lasting {
    /// What decides requests by this configuration.
    pub(crate) fn decider(&self, config: &Config, keys: &Arc<KeyRing>) -> Decider {
        let settings = decide::Settings {
            trust: config.trust.clone(),
            schemes: config.schemes.clone(),
            max_token_bytes: config.max_token_bytes,
            certificates: config.certificates,
            proving: config.dpop.proving(self.seen.clone(), self.nonces.clone()),
            mcp: config.mcp.clone(),
            variables: config.variables.clone(),
            claims: config.claims.clone(),
            budget: config.timeout,
            opaque_budget: config.opaque_timeout,
            log_refusals: config.log_refusals,
            teller: self.teller.clone(),
        };
        let cache = VerdictCache::new(config.cache, Arc::clone(&self.lease));
        let metrics = Arc::clone(&self.metrics);
        let offers = self
            .edge
            .as_ref()
            .zip(Layout::of(&config.variables))
            .map(|(edge, layout)| edge.offers(layout, keys));
        let told = (offers, self.streams.as_ref().map(Streams::openings));
        Decider::new(settings, Arc::clone(keys), self.token_server.clone(), cache, told, metrics)
    }
}

/// Opens files and listeners, and loads keys before it listens. A key file that cannot be used ends the start: an agent that
/// waits for a file with a typo in its name would only look alive. A URL that is down does not: it is tried again.
///
/// # Errors
///
/// What cannot be opened, with the name of its setting.
pub async fn open(config: Config) -> Result<(Agent, InUse), StartError> {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let key_metrics = KeyMetrics::register(registry.sub_registry_with_prefix("jwt_agent"))
        .with_secrets(metrics.secrets.clone());
    let http = ConnectionMetrics::register(registry.sub_registry_with_prefix("jwt_agent"));
    let readiness = Readiness::new();
    let sources = key_sources(&config.keys)?;
    check_key_files(&config.keys)?;
    let (token_server, discovery) = open_token_server(&config, &metrics).await?.unzip();
    let lease = Arc::new(SharedLease::new(config.terms, Instant::now().into_std()));
    let tasks = TaskMetrics::register(registry.sub_registry_with_prefix("jwt_agent"));
    let background = Background::new(Shutdown::new(), readiness.clone(), tasks);
    let needs_keys = !sources.is_empty();
    let keys =
        LiveKeys::start(config.keys.clone(), sources, readiness.clone(), key_metrics, background.clone());
    let edge = config.edge.clone().map(|edge| {
        let shared = (readiness.clone(), Arc::clone(&metrics));
        let ring = Arc::clone(keys.ring());
        Arc::new(Edge::new(edge, &name(), Arc::clone(&lease), token_server.is_some(), shared, ring))
    });
    let changes = Arc::new(Notify::new());
    let (streams, watch) = config
        .streams
        .clone()
        .map(|streams| {
            let (told, arriving) = Streams::new(Arc::clone(&metrics));
            (told, Watch::new(streams, arriving, Arc::clone(&changes), Arc::clone(&metrics)))
        })
        .unzip();
    let (teller, reporter) = reporter(&config, token_server.as_ref(), &readiness, &metrics).unzip();
    let asking = Asking {
        profile: config.trust.profile(),
        lease: Arc::clone(&lease),
        edge: edge.clone(),
        changes,
        metrics: Arc::clone(&metrics),
    };
    let seen = config.dpop.remembered.map(|most| Arc::new(SeenProofs::new(most)));
    let nonces = nonce_secret(&config.dpop)?;
    let mut secrets = token_server.as_ref().map(|server| server.secrets().clone()).unwrap_or_default();
    if let Some(nonces) = &nonces {
        nonces.report_to(&metrics.secrets);
        secrets.add(Arc::clone(nonces) as Arc<dyn Reload>);
    }
    let lasting = Lasting {
        token_server,
        lease,
        edge,
        streams,
        teller,
        readiness,
        seen,
        nonces,
        secrets,
        metrics,
        background,
    };
    let decider = lasting.decider(&config, keys.ring());
    let current = Arc::new(Current::new(decider, lasting.readiness.clone(), Arc::clone(&lasting.metrics)));
    let admin = TcpListener::bind(config.admin_listen)
        .await
        .map_err(|error| listen_error("JWT_ADMIN_LISTEN", &config.admin_listen.to_string(), error.into()))?;
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
    let agent = Agent {
        listeners,
        admin,
        lasting: lasting.clone(),
        discovery,
        asking,
        watch,
        reporter,
        current: Arc::clone(&current),
        registry,
        http,
    };
    Ok((agent, InUse { config, keys, lasting, current }))
}

/// What tells token-servers of decisions, and the task that does.
fn reporter(
    config: &Config,
    token_server: Option<&TokenServer>,
    readiness: &Readiness,
    metrics: &Arc<Metrics>,
) -> Option<(Arc<Teller>, Reporter)> {
    let told = Teller::new(config.decisions, config.trust.profile(), metrics.reports.beyond_rate())?;
    let sources = Sources {
        name: instance::name(&config.listen),
        readiness: readiness.clone(),
        has_streams: config.streams.is_some(),
        edge: config.edge.as_ref().map(EdgeConfig::labels),
        metrics: Arc::clone(metrics),
    };
    Some((Arc::clone(&told.0), Reporter::new(told, token_server?.servers(), sources)))
}

/// A name of this process that no other one has or had.
fn name() -> String {
    let mut bytes = [0; 8];
    // Without randomness no key could be used either; then the process and the time tell it from others.
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        return format!("{}-{}", std::process::id(), since.as_nanos());
    }
    format!("{:016x}", u64::from_ne_bytes(bytes))
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

/// Reads the secret that nonces are made with, where there is one.
///
/// # Errors
///
/// It cannot be used.
pub fn nonce_secret(config: &DpopConfig) -> Result<Option<Arc<SecretFile<NonceSecret>>>, StartError> {
    let Some(path) = &config.nonce_secret_file else { return Ok(None) };
    let read = |content: &[u8]| {
        NonceSecret::of_file(content).ok_or_else(|| {
            format!("holds fewer than {MIN_NONCE_SECRET_BYTES} bytes; write more, such as by `openssl rand -hex 32`")
        })
    };
    let file = SecretFile::one(NamedFile::new(NONCE_SECRET_FILE, path), read);
    let fault = |why: String| StartError::Config { name: NONCE_SECRET_FILE.to_owned(), why };
    file.map(|file| Some(Arc::new(file)))
        .map_err(|error| fault(format!("{}: {}", error.path.display(), error.why)))
}

fn key_fault(error: OpenError) -> StartError {
    let name = match &error {
        OpenError::Fetch { setting, .. } | OpenError::Url { setting, .. } => setting,
        OpenError::File { .. } => "JWT_JWKS_FILE",
    };
    StartError::Config { name: name.to_owned(), why: error.to_string() }
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
    let (server, mut discovery) =
        TokenServer::new(server, &config.trust, &instance::name(&config.listen), Arc::clone(metrics))
            .map_err(|error| fault(error.to_string()))?;
    discovery.open().await.map_err(|error| fault(error.to_string()))?;
    Ok(Some((server, discovery)))
}

fn listen_error(name: &'static str, address: &str, error: SocketError) -> StartError {
    StartError::Listen { name, address: address.to_owned(), error }
}

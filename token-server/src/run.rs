//! From configuration and sockets to a running server, and to its orderly end.

mod rules;
mod secrets;
mod upkeep;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use jose::{Leeway, UnixTime};
use keys::{KeyMetrics, KeyRing, LiveKeys};
use prometheus_client::registry::Registry;
use service::background::{Background, TaskMetrics};
use service::places::Places;
use service::readiness::{Cause, Readiness};
use service::secret_file::SecretMetrics;
use service::serve::{Certificates, ConnectionMetrics, MAX_ADMIN_CONNECTIONS, MAX_CONNECTIONS, serve};
use service::shutdown::Shutdown;
use service::socket::Peers;

use self::rules::Rules;
use self::secrets::secret_files;
use self::upkeep::{keep_warm, purge, warm};
use crate::agents::{AgentMetrics, Agents};
use crate::api::{self, AdminAccess, App, InUse, Names};
use crate::config::{Config, StoreSettings};
use crate::decide::{Basis, time_policy};
use crate::doors;
use crate::encrypted::{Decryption, Lane};
use crate::good_tokens::GoodTokens;
use crate::listen::{AdminSocket, Listeners};
use crate::metrics::Metrics;
use crate::opaque::Opaque;
use crate::recent::Recent;
use crate::reconfigure::{Origin, Reconfigure, in_use};
use crate::reload;
use crate::serve::SocketRoutes;
use crate::signals::{self, Parts, SignalMetrics, Signals};
use crate::store::StoreError;
use crate::verify::{ProofMemory, VerifyMetrics};

/// How long requests that have begun may take after the signal to stop; below the 30 s that orchestrators wait.
const GRACE: Duration = Duration::from_secs(10);

/// Why a server that was configured could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store cannot be opened or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A task ended by itself that cannot be begun anew, such as a listener.
    #[error("a part of the server ended unasked")]
    PartEnded,
}

/// Serves until `shutdown`, then finishes what has begun; `serving` is called when every listener is served. `config` is
/// what `origin` says, which SIGHUP asks again.
///
/// # Errors
/// See [`RunError`].
pub async fn run(
    (origin, config): (Origin, Config),
    listeners: Listeners,
    shutdown: Shutdown,
    serving: impl FnOnce(),
) -> Result<(), RunError> {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let readiness = Readiness::new();
    let tasks = TaskMetrics::register(registry.sub_registry_with_prefix("token_server"));
    let background = Background::new(shutdown.clone(), readiness.clone(), tasks);
    if config.store_new {
        tracing::warn!(
            "TOKEN_SERVER__STORE__NEW is set: a store that has vanished begins anew without its rules; unset it after this start"
        );
    }
    let Rules { revocations, annotations } = Rules::follow(&config, &metrics, &background).await?;
    let tls = config.tls.clone().map(|tls| tls as Arc<dyn Certificates>);
    let secrets = SecretMetrics::register(registry.sub_registry_with_prefix("token_server"));
    let files = secret_files(&config, &revocations, &secrets);
    let http = ConnectionMetrics::register(registry.sub_registry_with_prefix("token_server"));
    let keys = LiveKeys::start(
        config.keys.configured.clone(),
        config.keys.sources.clone(),
        readiness.clone(),
        key_metrics(&mut registry).with_secrets(secrets.clone()),
        background.clone(),
    );
    let rules = Rules { revocations: Arc::clone(&revocations), annotations };
    let verify_metrics = VerifyMetrics::register(&mut registry);
    let proofs = ProofMemory::new(&config.proofs);
    let in_use = config
        .verify
        .clone()
        .map(|verify| in_use(verify, &config.proofs, &proofs, &verify_metrics, keys.ring()));
    let audit = config.audit;
    let signals_in_use = config.signals.clone().map(|settings| signals::InUse::new(settings, keys.ring()));
    let signal_metrics = signals_in_use
        .as_ref()
        .map(|_| SignalMetrics::register(registry.sub_registry_with_prefix("token_server")));
    let signals = signals_in_use.zip(signal_metrics).map(|(in_use, metrics)| {
        let parts = Parts {
            revocations: Arc::clone(&revocations),
            decryption_keys: config.jwe_keys.clone(),
            metrics,
            clock,
        };
        Arc::new(Signals::new(parts, in_use))
    });
    let told = signals.clone();
    let doors = doors::warnings(&config);
    let app = Arc::new(App {
        signals: signals.clone(),
        ..app(config, rules, in_use, readiness, metrics, (registry, Some(keys.ring()), &shutdown))
    });
    app.basis.opaque.report_to(secrets.clone());
    warn_of_open_doors(&app, &doors);
    let streams =
        signals.clone().map(|signals| signals::Streams::begin(signals, secrets, background.clone()));
    let metrics = verify_metrics;
    let reconfigure =
        Reconfigure { origin, keys, metrics, proofs, app: Arc::clone(&app), signals: told, streams };
    let (fresh, end) = (files.clone(), shutdown.clone());
    background.keep("secret files", move || fresh.clone().keep_fresh(end.clone()));
    background.run("reload", reload::run(files, reconfigure, shutdown.clone()));
    warm(&app).await;
    let (warmed, end) = (Arc::clone(&app), shutdown.clone());
    background.keep("warm", move || keep_warm(Arc::clone(&warmed), end.clone()));

    let Listeners { main, admin, admin_socket, signals: signals_listener } = listeners;
    announce("main", &main);
    let places = Places::new(MAX_CONNECTIONS, http.of("main"));
    background
        .run("main listener", serve(main, tls.clone(), api::main_routes(&app), places, shutdown.clone()));
    announce("admin", &admin);
    let is_loopback = admin.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let names = if is_loopback && tls.is_none() { Names::OfThisMachine } else { Names::Any };
    let (routes, places) =
        (api::admin_listener_router(&app, names), Places::new(MAX_ADMIN_CONNECTIONS, http.of("admin")));
    background.run("admin listener", serve(admin, tls.clone(), routes, places, shutdown.clone()));
    if let Some((listener, signals)) = signals_listener.zip(signals) {
        announce("signals", &listener);
        let places = Places::new(signals::MAX_CONNECTIONS, http.of("signals"));
        let serving = serve(listener, tls, signals::router(&signals), places, shutdown.clone());
        background.run("signals listener", serving);
    }
    if let Some(AdminSocket { listener, file }) = admin_socket {
        tracing::info!(listener = "admin socket", "listening");
        let routes = SocketRoutes(api::admin_router(&app, AdminAccess::Named));
        let places = Places::new(MAX_ADMIN_CONNECTIONS, http.of("socket"));
        let serving = serve(Peers(listener), None, routes, places, shutdown.clone());
        background.run("admin socket", async move {
            serving.await;
            drop(file);
        });
    }
    let (swept, end) = (Arc::clone(&app), shutdown.clone());
    background.keep("sweep", move || purge(Arc::clone(&swept), audit, end.clone()));
    serving();

    let ended_early = tokio::select! {
        () = shutdown.cancelled() => false,
        () = background.is_lost() => true,
    };
    shutdown.cancel();
    app.readiness.block(Cause::Draining, "asked to stop");
    if tokio::time::timeout(GRACE, async {
        background.ended().await;
        revocations.finish().await;
    })
    .await
    .is_err()
    {
        tracing::warn!(
            seconds = GRACE.as_secs(),
            "requests were not finished within the grace and are cut off"
        );
        background.cut_off().await;
    }
    if ended_early { Err(RunError::PartEnded) } else { Ok(()) }
}

/// Opens a store for the routes alone, without a listener. What is written so to a store that others use is told to them,
/// as a server tells it.
pub(crate) async fn open(config: Config, store: StoreSettings) -> Result<Arc<App>, RunError> {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let rules = Rules::open(&config, store, &metrics).await?;
    Ok(Arc::new(app(config, rules, None, Readiness::new(), metrics, (registry, None, &Shutdown::new()))))
}

fn key_metrics(registry: &mut Registry) -> KeyMetrics {
    KeyMetrics::register(registry.sub_registry_with_prefix("token_server"))
}

fn app(
    config: Config,
    rules: Rules,
    in_use: Option<InUse>,
    readiness: Readiness,
    metrics: Metrics,
    (mut registry, ring, end): (Registry, Option<&Arc<KeyRing>>, &Shutdown),
) -> App {
    let Rules { revocations, annotations } = rules;
    let opaque = Opaque::new(config.api_keys, config.introspection, ring, &mut registry, clock);
    let agents = AgentMetrics::register(registry.sub_registry_with_prefix("token_server"));
    App {
        policy: time_policy(config.profile, Leeway::default()),
        basis: Basis {
            revocations,
            decryption: Decryption { keys: config.jwe_keys, lane: Lane::new(metrics.decryptions()) },
            opaque,
            good_tokens: GoodTokens {
                annotations,
                recent: Arc::new(Recent::new(config.preview_subjects)),
                shadow_hits: metrics.shadow_hits(),
            },
        },
        metrics,
        registry: Arc::new(registry),
        readiness,
        admin_tokens: config.admin_tokens,
        agent_tokens: config.agent_tokens,
        asks_for_certificates: config.asks_for_certificates,
        in_use: ArcSwapOption::from_pointee(in_use),
        compat: config.compat,
        page: config.admin_page,
        signals: None,
        agents: Arc::new(Agents::new(end.clone(), agents)),
        clock,
    }
}

/// The time by the clock of this machine.
fn clock() -> UnixTime {
    UnixTime::from_system(SystemTime::now())
}

fn warn_of_open_doors(app: &App, doors: &[&str]) {
    for warning in doors {
        tracing::warn!("{warning}");
    }
    if let Some(in_use) = app.in_use.load().as_deref() {
        in_use.trusted.warn_of_open_doors();
    }
    if app.admin_tokens.is_none() {
        tracing::info!(
            "TOKEN_SERVER__ADMIN__TOKENS_FILE is not set: the rules API answers on the admin socket only"
        );
    }
}

fn announce(listener: &'static str, socket: &tokio::net::TcpListener) {
    match socket.local_addr() {
        Ok(address) => tracing::info!(listener, %address, "listening"),
        Err(error) => {
            tracing::warn!(listener, %error, "listening on an address that the system does not tell")
        }
    }
}

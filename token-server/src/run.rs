//! From configuration and sockets to a running server, and to its orderly end.

mod rules;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use jose::{Leeway, UnixTime};
use keys::{KeyMetrics, LiveKeys};
use prometheus_client::registry::Registry;
use service::background::{Background, TaskMetrics};
use service::places::Places;
use service::readiness::Readiness;
use service::secret_file::{Reload, SecretFiles, SecretMetrics};
use service::serve::{Certificates, ConnectionMetrics, MAX_ADMIN_CONNECTIONS, MAX_CONNECTIONS, serve};
use service::shutdown::Shutdown;
use tokio::time::MissedTickBehavior;

use self::rules::Rules;
use crate::api::{self, AdminAccess, App};
use crate::config::{Compat, Config, StoreSettings};
use crate::encrypted::{Lane, ToldKeys};
use crate::judge::{seconds, time_policy};
use crate::listen::{AdminSocket, Listeners};
use crate::metrics::Metrics;
use crate::recent::Recent;
use crate::reconfigure::{Origin, Reconfigure};
use crate::reload;
use crate::revocations::Revocations;
use crate::store::{Fault, StoreError};
use crate::verify::{Verifier, VerifyMetrics};

/// How long requests that have begun may take after the signal to stop; below the 30 s that orchestrators wait.
const GRACE: Duration = Duration::from_secs(10);

/// How often rules that have ended are removed. They decide nothing in the meantime.
const PURGE_INTERVAL: Duration = Duration::from_secs(60);

/// The time after which a removal is tried again that failed.
const PURGE_RETRY: Duration = Duration::from_secs(5);

/// How often everybody's rules are looked after.
const WARM_INTERVAL: Duration = Duration::from_millis(250);

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
        key_metrics(&mut registry).with_secrets(secrets),
        background.clone(),
    );
    let rules = Rules { revocations: Arc::clone(&revocations), annotations };
    let verify_metrics = VerifyMetrics::register(&mut registry);
    let verifier = config
        .verify
        .clone()
        .map(|settings| Arc::new(Verifier::new(settings, verify_metrics.clone(), keys.ring())));
    let app = Arc::new(app(config, rules, verifier, readiness, metrics, registry));
    warn_of_open_doors(&app);
    let reconfigure = Reconfigure { origin, keys, metrics: verify_metrics, app: Arc::clone(&app) };
    let (fresh, end) = (files.clone(), shutdown.clone());
    background.keep("secret files", move || fresh.clone().keep_fresh(end.clone()));
    background.run("reload", reload::run(files, reconfigure, shutdown.clone()));
    warm(&app).await;
    let (warmed, end) = (Arc::clone(&app), shutdown.clone());
    background.keep("warm", move || keep_warm(Arc::clone(&warmed), end.clone()));

    let Listeners { main, admin, admin_socket } = listeners;
    announce("main", &main);
    let places = Places::new(MAX_CONNECTIONS, http.of("main"));
    background
        .run("main listener", serve(main, tls.clone(), api::main_routes(&app), places, shutdown.clone()));
    announce("admin", &admin);
    let (routes, places) =
        (api::admin_router(&app, AdminAccess::Bearer), Places::new(MAX_ADMIN_CONNECTIONS, http.of("admin")));
    background.run("admin listener", serve(admin, tls, routes, places, shutdown.clone()));
    if let Some(AdminSocket { listener, file }) = admin_socket {
        tracing::info!(listener = "admin socket", "listening");
        let routes = api::admin_router(&app, AdminAccess::Everyone);
        let places = Places::new(MAX_ADMIN_CONNECTIONS, http.of("socket"));
        let serving = serve(listener, None, routes, places, shutdown.clone());
        background.run("admin socket", async move {
            serving.await;
            drop(file);
        });
    }
    let (swept, end) = (Arc::clone(&app), shutdown.clone());
    background.keep("sweep", move || purge(Arc::clone(&swept), end.clone()));
    serving();

    let ended_early = tokio::select! {
        () = shutdown.cancelled() => false,
        () = background.is_lost() => true,
    };
    shutdown.cancel();
    app.readiness.block("draining", "asked to stop");
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
    Ok(Arc::new(app(config, rules, None, Readiness::new(), metrics, registry)))
}

/// Every secret that is read from files and may be replaced while the server runs.
fn secret_files(config: &Config, revocations: &Arc<Revocations>, metrics: &SecretMetrics) -> SecretFiles {
    let mut files: Vec<Arc<dyn Reload>> = Vec::new();
    for tokens in [&config.admin_tokens, &config.agent_tokens].into_iter().flatten() {
        files.push(Arc::clone(tokens) as Arc<dyn Reload>);
    }
    if let Some(keys) = &config.jwe_keys {
        files.push(Arc::new(ToldKeys { keys: Arc::clone(keys), revocations: Arc::clone(revocations) }));
    }
    if let Some(tls) = &config.tls {
        files.extend(tls.files());
    }
    if let StoreSettings::Redis { redis, .. } = &config.store
        && let Some(authorities) = redis.authorities()
    {
        files.push(Arc::clone(authorities) as Arc<dyn Reload>);
    }
    let mut all = SecretFiles::default();
    for file in files {
        file.report_to(metrics);
        all.add(file);
    }
    all
}

fn key_metrics(registry: &mut Registry) -> KeyMetrics {
    KeyMetrics::register(registry.sub_registry_with_prefix("token_server"))
}

fn app(
    config: Config,
    rules: Rules,
    verifier: Option<Arc<Verifier>>,
    readiness: Readiness,
    metrics: Metrics,
    registry: Registry,
) -> App {
    let Rules { revocations, annotations } = rules;
    App {
        policy: time_policy(config.profile, Leeway::default()),
        lane: Lane::new(metrics.decryptions()),
        revocations,
        annotations,
        recent: Arc::new(Recent::new(config.preview_subjects)),
        metrics,
        registry: Arc::new(registry),
        readiness,
        admin_tokens: config.admin_tokens,
        agent_tokens: config.agent_tokens,
        asks_for_certificates: config.asks_for_certificates,
        jwe_keys: config.jwe_keys,
        verify: ArcSwapOption::new(verifier),
        compat: config.compat,
        clock: || UnixTime::from_system(SystemTime::now()),
    }
}

fn warn_of_open_doors(app: &App) {
    if app.agent_tokens.is_none() {
        tracing::warn!(
            "TOKEN_SERVER__AGENT__TOKENS_FILE is not set: any client that reaches the main listener may ask /v1/check"
        );
    }
    if app.agent_tokens.is_none() && !app.asks_for_certificates {
        tracing::warn!(
            "neither TOKEN_SERVER__AGENT__TOKENS_FILE nor TOKEN_SERVER__TLS__CLIENT_CA is set, so payloads that /v1/check is \
             sent may be forged: they enter no preview of rules and no count of rules in shadow mode"
        );
    }
    match (app.compat, &app.agent_tokens) {
        (Compat::Off, _) | (Compat::Guarded, Some(_)) => {}
        (Compat::Guarded, None) => tracing::warn!(
            "POST / answers without a bearer token: any client that reaches the main listener may open encrypted tokens and \
             ask about any subject; set TOKEN_SERVER__AGENT__TOKENS_FILE, or TOKEN_SERVER__COMPAT__ENABLED=false if no old \
             caller is left"
        ),
        (Compat::Open, _) => tracing::warn!(
            "TOKEN_SERVER__COMPAT__OPEN is true: POST / answers without a bearer token whatever guards /v1/check, so \
             any client that reaches the main listener may open encrypted tokens and ask about any subject"
        ),
    }
    if let Some(verifier) = app.verify.load().as_deref() {
        verifier.warn_of_open_doors();
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

/// Keeps everybody's rules at hand, and the server not ready while they are not known.
async fn keep_warm(app: Arc<App>, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(WARM_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        warm(&app).await;
    }
}

async fn warm(app: &App) {
    watch_store(app).await;
    app.revocations.try_store().await;
    if app.revocations.store_id().is_some() && app.revocations.warm().await {
        app.readiness.clear("rules");
    } else {
        app.readiness.block("rules", "the store cannot be read");
    }
}

/// Shows what is known of the store beside its rules, and is not ready while it must not be relied on.
async fn watch_store(app: &App) {
    let ahead = app.revocations.store_now().map(|stores| seconds(app.now()).saturating_sub(stores));
    if let Some(seconds) = app.metrics.show_clock(ahead) {
        tracing::warn!(
            seconds,
            "this server's clock is ahead of the clock of Redis, or behind if negative: rules end by the one that is \
             behind; correct the clocks"
        );
    }
    let condition = match app.revocations.examine().await {
        Ok(condition) => condition,
        // That it cannot be read is seen where it is read.
        Err(_) => return,
    };
    let fault = condition.fault.as_ref();
    app.metrics.show_store(fault.map(Fault::cause), condition.emptied);
    match fault {
        None => app.readiness.clear("store"),
        Some(fault) => {
            let told = fault.to_string();
            if app.readiness.block("store", told.as_str()) != Some(told) {
                tracing::error!(%fault, "the store must not be relied on; not ready");
            }
        }
    }
}

async fn purge(app: Arc<App>, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(PURGE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        app.recent.forget_old(app.now());
        let purged = app.revocations.purge(seconds(app.now())).await;
        // After the rules: a note goes when its rule has gone.
        if let Err(error) = app.annotations.purge(seconds(app.now())).await {
            tracing::error!(%error, "notes on rules that have ended could not be removed");
        }
        match &purged {
            Ok(0) => continue,
            Ok(rules) => tracing::info!(rules, "rules that have ended were removed"),
            Err(error) => {
                tracing::error!(%error, "rules that have ended could not be removed");
                ticks.reset_after(PURGE_RETRY);
            }
        }
        app.metrics.count_write(&purged);
    }
}

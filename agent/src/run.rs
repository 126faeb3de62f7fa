//! The life of the agent: serve, drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::routing::get;
use service::places::{Counts, Places};
use service::readiness::{Cause, Readiness};
use service::serve::{MAX_ADMIN_CONNECTIONS, serve};
use service::shutdown::Shutdown;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::current::Current;
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::spoa::connection;
use crate::spoa::leave::Leave;
use crate::start::{Agent, Lasting};
use crate::token_server;

/// Connections that are served at once. HAProxy 3.1 and newer opens about one for each request in flight.
const MAX_CONNECTIONS: usize = 8192;
/// The pause after a failed accept, which means that the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long connections may take to finish what they have.
const GRACE: Duration = Duration::from_secs(5);

/// How the agent is asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Connections end one after the other, so that HAProxy can ask elsewhere what was lost on one of them.
    pub drain: Shutdown,
    /// All of them end at once.
    pub now: Shutdown,
}

/// Serves until `stop`, then finishes what has arrived.
pub async fn run(agent: Agent, stop: Stop) {
    let Lasting { token_server, edge, readiness, nonces, secrets, metrics, background, .. } = agent.lasting;
    let stopping = background.shutdown().clone();
    if token_server.is_some() || nonces.is_some() {
        let end = stopping.clone();
        background.keep("secret files", move || secrets.clone().keep_fresh(end.clone()));
    }
    if let Some((server, discovery)) = token_server.zip(agent.discovery) {
        background.run("discovery", discovery.run(background.clone()));
        let (servers, asking) = (server.servers(), agent.asking);
        let (readiness, owner) = (readiness.clone(), background.clone());
        background.keep("feeds", move || {
            token_server::follow(servers.clone(), asking.clone(), readiness.clone(), owner.clone())
        });
    }
    if let Some(edge) = edge {
        edge.run(&background);
    }
    if let Some(watch) = agent.watch {
        let (watch, current) = (Arc::new(Mutex::new(watch)), Arc::clone(&agent.current));
        let end = stopping.clone();
        // What it knows outlives it.
        background.keep("streams", move || {
            let (watch, current, end) = (Arc::clone(&watch), Arc::clone(&current), end.clone());
            async move { watch.lock().await.run(&current, &end).await }
        });
    }
    if let Some(reporter) = agent.reporter {
        let (reporter, current) = (Arc::new(Mutex::new(reporter)), Arc::clone(&agent.current));
        let end = stopping.clone();
        // What it has counted outlives it.
        background.keep("decisions", move || {
            let (reporter, current, end) = (Arc::clone(&reporter), Arc::clone(&current), end.clone());
            async move { reporter.lock().await.run(&current, &end).await }
        });
    }
    log_address("admin", agent.admin.local_addr());
    let current = Arc::clone(&agent.current);
    let admin = service::admin::router(readiness.clone(), agent.registry)
        .route("/v1/keys", get(async move || Json(current.keys_view())));
    let places = Places::new(MAX_ADMIN_CONNECTIONS, agent.http.of("admin"));
    background.run("admin listener", serve(agent.admin, None, admin, places, stopping.clone()));

    let leave = Leave::new();
    let connections = TaskTracker::new();
    let counts = Counts { open: metrics.connections.clone(), shed: metrics.connections_shed.clone() };
    let places = Places::new(MAX_CONNECTIONS, counts);
    let (accepting, mut accepts) = (background.child(), Vec::new());
    for listener in agent.listeners {
        tracing::info!(listener = "spop", address = listener.address(), "listening");
        let served = Served {
            current: Arc::clone(&agent.current),
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
    readiness.block(Cause::Draining, "asked to stop");
    tracing::info!("draining");
    // A new connection is refused from now on, and HAProxy turns to another agent at once.
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
                readiness.clear(Cause::Connections);
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
                readiness.block(Cause::Connections, "all of them are at work; run more agents");
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

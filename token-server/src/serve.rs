//! HTTP/1.1 on one listener: a bounded number of connections, each an owned task.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use service::shutdown::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

/// Connections of one listener; more wait in the system's queue. Agents keep a few each.
const MAX_CONNECTIONS: usize = 4_096;

/// How long a connection may take to send a request's head; also how long it may idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes of a request's head, and of what is buffered for a connection.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Accepts and serves until `shutdown`, then finishes the requests that have begun.
///
/// Dropping the future drops every connection.
pub(crate) async fn serve<L: Listener>(mut listener: L, router: Router, shutdown: Shutdown) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            (stream, _) = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                connections.spawn(connection(stream, router.clone(), shutdown.clone()));
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection<S>(stream: S, router: Router, shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut http = pin!(http);
    let served = tokio::select! {
        served = http.as_mut() => served,
        () = shutdown.cancelled() => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}

//! HTTP on one listener: a bounded number of connections, each an owned task. HTTP/1.1 on all of them; HTTP/2 where TLS
//! chose it, as the client wished.

mod http2;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use service::shutdown::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::api::Routes;
use crate::tls::{HTTP2, Tls};

/// Connections of one listener; more wait in the system's queue. Agents keep a few each.
const MAX_CONNECTIONS: usize = 4_096;

/// Requests that all HTTP/2 connections of one listener may have in work; more are refused. As many as HTTP/1.1 could have.
const MAX_REQUESTS: usize = MAX_CONNECTIONS;

/// How long a connection may take to send a request's head; also how long it may idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a client may take to agree on TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a request's head, and of what is buffered for a connection.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Accepts and serves until `shutdown`, then finishes the requests that have begun.
///
/// Dropping the future drops every connection.
pub(crate) async fn serve<L: Listener>(
    mut listener: L,
    tls: Option<Arc<Tls>>,
    routes: Routes,
    shutdown: Shutdown,
) {
    let routes = Arc::new(routes);
    let room = Arc::new(Semaphore::new(MAX_REQUESTS));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            (stream, _) = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                connections.spawn(accept(
                    stream, tls.clone(), Arc::clone(&routes), Arc::clone(&room), shutdown.clone()
                ));
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The handshake is the connection's own business: one that dawdles holds up nobody.
async fn accept<S>(
    stream: S,
    tls: Option<Arc<Tls>>,
    routes: Arc<Routes>,
    room: Arc<Semaphore>,
    shutdown: Shutdown,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(tls) = tls else {
        return connection(stream, routes, shutdown).await;
    };
    let acceptor = match tls.current() {
        Ok(config) => TlsAcceptor::from(config),
        Err(error) => return tracing::error!(%error, "TLS cannot be set up; a connection was refused"),
    };
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        () = shutdown.cancelled() => return,
    };
    match shaken {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(HTTP2) => {
            http2::connection(stream, routes, room, shutdown).await;
        }
        Ok(Ok(stream)) => connection(stream, routes, shutdown).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

async fn connection<S>(stream: S, routes: Arc<Routes>, shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request| {
        let routes = Arc::clone(&routes);
        async move { Ok::<_, Infallible>(routes.answer(request).await) }
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
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

//! HTTP on one listener: a bounded number of connections, each an owned task. HTTP/1.1 on all of them; HTTP/2 where TLS
//! chose it, as the client wished.
//!
//! Where all places are taken the connection that has been idle longest goes, so that silent ones keep no other out; see
//! [`Places`].

mod http2;
mod metrics;
mod preface;
mod served;
#[cfg(test)]
mod tests;
mod work;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::places::{Place, Places};
use crate::shutdown::Shutdown;
pub use metrics::ConnectionMetrics;
pub use served::{Answer, Certificates};
use served::{FIRST_HEAD_TIMEOUT, IDLE_TIMEOUT, LEAVE_TIMEOUT, Served};
use work::Work;

/// Connections of a listener for agents and proxies, which keep a few each.
pub const MAX_CONNECTIONS: usize = 4_096;

/// Connections of a listener for operators, orchestrators and metrics.
pub const MAX_ADMIN_CONNECTIONS: usize = 512;

/// Requests that all HTTP/2 connections of one listener may have in work; more are refused. As many as HTTP/1.1 could have.
const MAX_REQUESTS: usize = MAX_CONNECTIONS;

/// How long a client may take to agree on TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a request's head, and of what is buffered for a connection.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// What ALPN calls HTTP/2 (RFC 9113 section 3.2).
pub const HTTP2: &[u8] = b"h2";

/// Accepts and serves until `shutdown`, then finishes the requests that have begun.
///
/// Dropping the future drops every connection.
pub async fn serve<L: Listener<Addr: Sync>, A: Answer<L::Addr>>(
    mut listener: L,
    tls: Option<Arc<dyn Certificates>>,
    answers: A,
    places: Places,
    shutdown: Shutdown,
) {
    let served = Served { tls, answers, room: Semaphore::new(MAX_REQUESTS), shutdown: shutdown.clone() };
    let served = Arc::new(served);
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let place = tokio::select! {
            () = shutdown.cancelled() => break,
            place = places.wait(Instant::now()) => place,
        };
        connections.spawn(accept(Arc::clone(&served), stream, peer, Arc::new(place)));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The handshake is the connection's own business: one that dawdles holds up no other.
async fn accept<S, P, A: Answer<P>>(served: Arc<Served<A>>, stream: S, peer: P, place: Arc<Place>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    P: Send + Sync + 'static,
{
    let Some(tls) = &served.tls else {
        return connection(served, stream, peer, place).await;
    };
    let acceptor = match tls.current() {
        Ok(config) => TlsAcceptor::from(config),
        Err(error) => return tracing::error!(%error, "TLS cannot be set up; a connection was refused"),
    };
    let shaken = tokio::select! {
        shaken = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => shaken,
        () = served.shutdown.cancelled() => return,
        () = place.shed() => return,
    };
    match shaken {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(HTTP2) => {
            http2::connection(served, stream, peer, place).await;
        }
        Ok(Ok(stream)) => connection(served, stream, peer, place).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

async fn connection<S, P, A: Answer<P>>(served: Arc<Served<A>>, stream: S, peer: P, place: Arc<Place>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    P: Send + Sync + 'static,
{
    let (shared, peer, work) = (Arc::clone(&served), Arc::new(peer), Work::new(&place));
    let answer = service_fn(move |request| {
        let (shared, peer, begun) = (Arc::clone(&shared), Arc::clone(&peer), work.begin());
        async move {
            let response = shared.answers.answer(request, &peer).await;
            drop(begun);
            Ok::<_, Infallible>(response)
        }
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
    let mut http = pin!(http);
    let ended = tokio::select! {
        ended = http.as_mut() => ended,
        () = silence(&place) => return,
        () = place.shed() => {
            if !place.has_worked() {
                return;
            }
            http.as_mut().graceful_shutdown();
            timeout(LEAVE_TIMEOUT, http).await.unwrap_or(Ok(()))
        }
        () = served.shutdown.cancelled() => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Ends if no request has begun within [`FIRST_HEAD_TIMEOUT`].
async fn silence(place: &Place) {
    sleep(FIRST_HEAD_TIMEOUT).await;
    if place.has_worked() {
        std::future::pending::<()>().await;
    }
    tracing::debug!("no request came");
}

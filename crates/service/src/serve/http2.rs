//! HTTP/2 on one connection whose TLS handshake chose it: many requests at a time, all of them the connection's own.

#[cfg(test)]
mod tests;
mod turns;

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

use self::turns::Turns;
use super::preface::Preface;
use super::served::{Answer, FIRST_HEAD_TIMEOUT, IDLE_TIMEOUT, Served};
use crate::places::Place;

/// Requests that one peer may have open. Go's client sends up to 100 before it has heard this.
const MAX_STREAMS: u32 = 128;

/// Requests that a peer has taken back before they were looked at; more end the connection ("rapid reset").
const MAX_RESET_UNSEEN: usize = 32;

/// Requests that were refused for what they are; more end the connection.
const MAX_REFUSED: usize = 32;

/// Bytes of a request's head; as many as with HTTP/1.1.
const MAX_HEADER_BYTES: u32 = 32 * 1024;

/// Bytes that a peer may send before they are read: of one request's body, and of all together.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// Bytes of one answer that wait for the peer.
const MAX_SEND_BYTES: usize = 64 * 1024;

/// How often a peer is asked whether it is still there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peer that was told to go may take. Where another waits for its place, it is [`super::served::LEAVE_TIMEOUT`].
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves a connection until its end.
///
/// Its requests are part of this one task: no other thread is woken for an answer that is there at once, answers of one
/// turn leave in one write, and nothing outlives the connection.
pub(super) async fn connection<S, P, A: Answer<P>>(
    served: Arc<Served<A>>,
    stream: S,
    peer: P,
    place: Arc<Place>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    P: Send + Sync + 'static,
{
    let work = Arc::new(Work::default());
    let (shared, peer) = (Arc::clone(&served), Arc::new(peer));
    let (counted, requests_in_work) = (Arc::clone(&work), super::work::Work::new(&place));
    let answer = service_fn(move |request| {
        let (served, peer) = (Arc::clone(&shared), Arc::clone(&peer));
        let begun = (Begun::of(&counted), requests_in_work.begin());
        async move {
            let answer = match served.room.try_acquire() {
                Ok(_place) => AssertUnwindSafe(served.answers.answer(request, &peer))
                    .catch_unwind()
                    .await
                    .map_err(|_| Panicked),
                Err(_) => Ok(StatusCode::SERVICE_UNAVAILABLE.into_response()),
            };
            drop(begun);
            answer
        }
    });
    let mut requests = Requests::default();
    let (stream, preface) = Preface::of(stream);
    let http = http2::Builder::new(requests.opened())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESET_UNSEEN)
        .max_local_error_reset_streams(MAX_REFUSED)
        .max_header_list_size(MAX_HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(MAX_SEND_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(stream), answer);
    let mut http = pin!(http);
    let leave = async {
        tokio::select! {
            () = work.rests() => LEAVE_TIMEOUT,
            () = place.shed() => super::served::LEAVE_TIMEOUT,
            () = served.shutdown.cancelled() => LEAVE_TIMEOUT,
        }
    };
    let ended = tokio::select! {
        ended = requests.run(http.as_mut()) => ended,
        () = silence(&preface) => return,
        limit = leave => {
            http.as_mut().graceful_shutdown();
            timeout(limit, requests.run(http)).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Ends if the peer has not begun to speak within [`FIRST_HEAD_TIMEOUT`]. One that has may ask later, as clients do that
/// connect in advance: it is asked whether it is there, and idles no longer than others.
async fn silence(preface: &Preface) {
    sleep(FIRST_HEAD_TIMEOUT).await;
    if preface.has_come() {
        std::future::pending::<()>().await;
    }
    tracing::debug!("no request came");
}

/// A request that ended in a panic: the peer hears that this one failed, and the others go on.
#[derive(Debug, thiserror::Error)]
#[error("the request's task panicked")]
struct Panicked;

/// What a connection is asked, and has not answered.
#[derive(Default)]
struct Requests {
    opened: Arc<Mutex<Vec<Request>>>,
    open: FuturesUnordered<Request>,
    turns: Arc<Turns>,
}

type Request = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Requests {
    fn opened(&self) -> Opened {
        Opened(Arc::clone(&self.opened))
    }

    /// Runs the connection and its requests until the connection has ended.
    async fn run<C: Future>(&mut self, mut connection: Pin<&mut C>) -> C::Output {
        let Self { opened, open, turns } = self;
        poll_fn(|task| {
            turns.poll(task, |context| {
                let ended = connection.as_mut().poll(context);
                open.extend(opened.lock().unwrap_or_else(PoisonError::into_inner).drain(..));
                while let Poll::Ready(Some(())) = open.poll_next_unpin(context) {}
                ended
            })
        })
        .await
    }
}

/// Where hyper puts the requests that it has read; the connection takes them in the same turn.
#[derive(Clone)]
struct Opened(Arc<Mutex<Vec<Request>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Opened {
    fn execute(&self, request: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(request));
    }
}

/// How many requests of a connection have begun, and how many have ended.
#[derive(Default)]
struct Work {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Work {
    /// Ends when nothing was asked and nothing answered from one look to the next.
    async fn rests(&self) {
        let mut seen = 0;
        loop {
            sleep(IDLE_TIMEOUT).await;
            let (ended, begun) = (self.ended.load(Ordering::Relaxed), self.begun.load(Ordering::Relaxed));
            if begun == ended && begun == seen {
                return;
            }
            seen = begun;
        }
    }
}

/// A request that has not ended, until it is dropped.
struct Begun(Arc<Work>);

impl Begun {
    fn of(work: &Arc<Work>) -> Self {
        work.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(work))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

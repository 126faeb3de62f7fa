//! Kept HTTP/1.1 connections to one server, made anew when what they are made with changes.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::iter::{Once, once};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::error::{CallError, unreachable};
use super::tls::Shown;

/// How long an unused connection is kept; below the server's own limit, so that we close first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// Unused connections that are kept of each kind. Batches need few.
const MAX_IDLE: usize = 16;
/// How long a new certificate may take to be accepted: twice what a poll of the feed takes when nothing happens. The HTTP
/// client can lose a request that it is handed at the moment at which its connection ends, and waits for the answer without
/// an end. A server that refuses a certificate ends connections just then (RFC 8446 section 4.4.2.4: after the handshake).
const PROOF_TIMEOUT: Duration = Duration::from_secs(1);

/// What a connection is for. The feed has its own: its polls are long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Checks.
    Check,
    /// The feed.
    Feed,
    /// Reports. What is lost of them is not sent again.
    Report,
}

/// Connections to one address.
#[derive(Debug)]
pub struct Connections {
    address: SocketAddr,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    now: Option<Made>,
    /// Those that showed the certificate before; the first success of the new ones ends them.
    before: Option<Made>,
    /// Whether the log says that the one before is needed.
    told: bool,
    heard: Heard,
}

/// What was heard over the connections for checks: the same again means that none of them has moved meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    answers: u64,
    renewals: u64,
}

#[derive(Debug, Clone)]
struct Made {
    shown: Shown,
    checks: Pool,
    feed: Pool,
}

type Pool = Client<HttpsConnector<HttpConnector<Pinned>>, Full<Bytes>>;

impl Connections {
    /// None yet.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, open: Mutex::default() }
    }

    /// Sends a request over a connection that shows this. A new certificate is tried by the feed, which can wait and goes
    /// on all the time; until it is accepted, checks go over the connections that showed the one before.
    ///
    /// # Errors
    ///
    /// No answer.
    pub async fn send(
        &self,
        kind: Kind,
        request: Request<Full<Bytes>>,
        shown: &Shown,
    ) -> Result<Response<Incoming>, CallError> {
        let (now, before) = self.open(shown)?;
        match (before, kind) {
            (None, Kind::Feed | Kind::Report) => now.send(kind, request).await,
            (Some(before), Kind::Report) => before.send(kind, request).await,
            (None, Kind::Check) => self.heard_of(now.send(kind, request).await),
            (Some(before), Kind::Feed) => {
                let error = match timeout(PROOF_TIMEOUT, now.send(kind, request.clone())).await {
                    Ok(Ok(answered)) => {
                        self.forget_before(shown);
                        return Ok(answered);
                    }
                    Ok(Err(error)) => error,
                    Err(_) => CallError::Timeout,
                };
                let answered = before.send(kind, request).await.map_err(|_| error.clone())?;
                self.tell_of_before(&error);
                Ok(answered)
            }
            (Some(before), Kind::Check) => match self.heard_of(before.send(kind, request.clone()).await) {
                Ok(answered) => Ok(answered),
                Err(_) => {
                    let answered = self.heard_of(now.send(kind, request).await)?;
                    // The one before is refused and this one is not: each further check would find that out again.
                    self.forget_before(shown);
                    Ok(answered)
                }
            },
        }
    }

    /// What was heard so far.
    pub fn heard(&self) -> Heard {
        self.lock().heard
    }

    /// Lets go of the connections for checks that are kept, if no answer has come over any of them since `heard`: where one
    /// stands still the others may, and a check would have no time left to find out one after the other. What is asked over
    /// them goes on.
    pub fn renew_unless_heard_since(&self, heard: Heard) {
        let mut open = self.lock();
        if open.heard != heard {
            return;
        }
        open.heard.renewals = heard.renewals.wrapping_add(1);
        let Open { now, before, .. } = &mut *open;
        for made in now.iter_mut().chain(before) {
            match pool(self.address, &made.shown) {
                Ok(fresh) => made.checks = fresh,
                Err(error) => tracing::error!(%error, "connections to a token-server cannot be made anew"),
            }
        }
    }

    fn heard_of<T>(&self, answer: Result<T, CallError>) -> Result<T, CallError> {
        if answer.is_ok() {
            let heard = &mut self.lock().heard;
            heard.answers = heard.answers.wrapping_add(1);
        }
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, shown: &Shown) -> Result<(Made, Option<Made>), CallError> {
        let mut open = self.lock();
        if let Some(now) = open.now.as_ref().filter(|now| now.shown.is(shown)) {
            return Ok((now.clone(), open.before.clone()));
        }
        let made = self.make(shown.clone())?;
        let proven = open.before.take().or_else(|| open.now.take());
        // What we show may be what worked before; whom we trust is what the file says now.
        let before = proven.filter(|before| !before.shown.shows_as(shown));
        open.before = match before {
            Some(before) if before.shown.trusts_as(shown) => Some(before),
            Some(before) => Some(self.make(before.shown.trusting_as(shown))?),
            None => None,
        };
        open.told = false;
        Ok((open.now.insert(made).clone(), open.before.clone()))
    }

    fn make(&self, shown: Shown) -> Result<Made, CallError> {
        let pool = || pool(self.address, &shown).map_err(|error| unreachable(&error));
        Ok(Made { checks: pool()?, feed: pool()?, shown })
    }

    fn tell_of_before(&self, error: &CallError) {
        let mut open = self.lock();
        if std::mem::replace(&mut open.told, true) {
            return;
        }
        let server = self.address;
        tracing::warn!(
            %server, %error,
            "a token-server accepts only the client certificate that was in JWT_TOKEN_SERVER_CERT_FILE before; add the \
             authority of the new one to its TOKEN_SERVER__TLS__CLIENT_CA"
        );
    }

    fn forget_before(&self, shown: &Shown) {
        let mut open = self.lock();
        if open.now.as_ref().is_some_and(|now| now.shown.is(shown)) {
            open.before = None;
        }
    }
}

impl Made {
    async fn send(&self, kind: Kind, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, CallError> {
        self.pool(kind).request(request).await.map_err(|error| unreachable(&error))
    }

    fn pool(&self, kind: Kind) -> &Pool {
        match kind {
            Kind::Check => &self.checks,
            Kind::Feed | Kind::Report => &self.feed,
        }
    }
}

fn pool(address: SocketAddr, shown: &Shown) -> Result<Pool, rustls::Error> {
    let mut tcp = HttpConnector::new_with_resolver(Pinned(address));
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let tls = HttpsConnectorBuilder::new().with_tls_config(shown.config()?);
    Ok(Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IDLE)
        .pool_timer(TokioTimer::new())
        .build(tls.https_or_http().enable_http1().wrap_connector(tcp)))
}

/// Resolves any name to one address: the addresses of a name are found out elsewhere, and a connection to an address that the
/// name has lost must not be made again.
#[derive(Debug, Clone, Copy)]
struct Pinned(SocketAddr);

impl tower::Service<Name> for Pinned {
    type Response = Once<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Once<SocketAddr>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(once(self.0)))
    }
}

#[cfg(test)]
mod tests;

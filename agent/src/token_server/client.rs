//! `POST /v1/check` and `GET /v1/events` over kept HTTP/1.1 connections.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::iter::{Once, once};
use std::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jose::Profile;
use reqwest::Url;
use rustls::ClientConfig;
use serde::de::DeserializeOwned;
use service::check::CheckResponse;
use service::events::Events;
use tokio::time::timeout;

use super::server::Endpoint;
use super::tls;
use crate::config::TokenServerConfig;

/// The largest answer of the feed that is read: it names up to a thousand groups of up to 512 bytes, escaped.
const MAX_EVENTS: usize = 4 * 1024 * 1024;
/// How long an unused connection is kept; below the server's own limit, so that we close first.
const IDLE: Duration = Duration::from_secs(50);
/// Unused connections that are kept of each kind. Batches need few.
const MAX_IDLE: usize = 16;

/// Why a call brought no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// Nothing within the budget.
    #[error("no answer in time")]
    Timeout,
    /// No connection, or it broke.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// The server refuses to judge.
    #[error("answered {0}")]
    Status(StatusCode),
    /// The answer is not what was asked for.
    #[error("answered something that is no answer")]
    Unreadable,
}

impl CallError {
    /// The word that metrics have for it.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Status(_) => "refused",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Why the client cannot be made: the configuration is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The bearer token's file cannot be read.
    #[error("JWT_TOKEN_SERVER_TOKEN_FILE: cannot read the file: {0}")]
    TokenFile(io::Error),
    /// The bearer token's file holds no usable token.
    #[error("JWT_TOKEN_SERVER_TOKEN_FILE: expected one bearer token in the file")]
    Token,
    /// The CA file cannot be read or holds no certificate.
    #[error("JWT_TOKEN_SERVER_CA_FILE: expected a file of PEM certificates")]
    CaFile,
    /// The client certificate's file cannot be read or holds no certificate.
    #[error("JWT_TOKEN_SERVER_CERT_FILE: expected a file of PEM certificates")]
    CertFile,
    /// The client certificate's key cannot be read or is none.
    #[error("JWT_TOKEN_SERVER_KEY_FILE: expected a file with a PEM private key")]
    KeyFile,
    /// The client certificate and the key do not go together.
    #[error("JWT_TOKEN_SERVER_CERT_FILE: cannot be used with the key of JWT_TOKEN_SERVER_KEY_FILE: {0}")]
    Identity(rustls::Error),
    /// The system's certificates cannot be read.
    #[error("JWT_TOKEN_SERVER_BACKEND: the system's certificates cannot be read: {0}")]
    SystemRoots(io::Error),
    /// The TLS library refuses its own defaults.
    #[error("JWT_TOKEN_SERVER_BACKEND: TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// What connections to any token-server have in common.
#[derive(Debug, Clone)]
pub struct Dialer {
    tls: ClientConfig,
    authorization: Option<HeaderValue>,
}

impl Dialer {
    /// Reads the bearer token and what TLS needs; makes no connection.
    ///
    /// # Errors
    ///
    /// One of the files cannot be used.
    pub fn new(config: &TokenServerConfig) -> Result<Self, ClientError> {
        let authorization = config.token_file.as_deref().map(bearer).transpose()?;
        Ok(Self { tls: tls::client_config(config)?, authorization })
    }

    /// A client of one server.
    pub fn dial(&self, endpoint: &Endpoint) -> HttpClient {
        HttpClient {
            root: endpoint.url(),
            checks: self.pool(endpoint.address),
            feed: self.pool(endpoint.address),
            authorization: self.authorization.clone(),
        }
    }

    fn pool(&self, address: SocketAddr) -> Pool {
        let mut tcp = HttpConnector::new_with_resolver(Pinned(address));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let tls = HttpsConnectorBuilder::new().with_tls_config(self.tls.clone());
        Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .pool_timer(TokioTimer::new())
            .build(tls.https_or_http().enable_http1().wrap_connector(tcp))
    }
}

/// Resolves any name to one address: who serves a name is found out elsewhere, and a connection to an address that the
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

type Pool = Client<HttpsConnector<HttpConnector<Pinned>>, Full<Bytes>>;

/// Kept connections to one server: those of checks, and those of the feed, whose polls are long.
#[derive(Debug, Clone)]
pub struct HttpClient {
    root: String,
    checks: Pool,
    feed: Pool,
    authorization: Option<HeaderValue>,
}

impl HttpClient {
    /// Asks about a batch that is JSON already.
    ///
    /// # Errors
    ///
    /// No answer of at most `max_answer` bytes that says something about the checks, within `budget`.
    pub async fn check(
        &self,
        body: Bytes,
        max_answer: usize,
        budget: Duration,
    ) -> Result<CheckResponse, CallError> {
        let uri = format!("{}v1/check", self.root);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        within(budget, self.call(&self.checks, uri, request, max_answer)).await
    }

    /// Asks a server of this profile what changed since `<epoch>:<revision>`.
    ///
    /// # Errors
    ///
    /// No such answer within `budget`.
    pub async fn events(
        &self,
        profile: Profile,
        since: Option<&str>,
        budget: Duration,
    ) -> Result<Events, CallError> {
        let mut url = Url::parse(&format!("{}v1/events", self.root)).map_err(|error| unreachable(&error))?;
        url.query_pairs_mut().append_pair("profile", &profile.to_string());
        if let Some(since) = since {
            url.query_pairs_mut().append_pair("since", since);
        }
        let request = Request::new(Full::new(Bytes::new()));
        within(budget, self.call(&self.feed, url.into(), request, MAX_EVENTS)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        pool: &Pool,
        uri: String,
        mut request: Request<Full<Bytes>>,
        max_answer: usize,
    ) -> Result<T, CallError> {
        *request.uri_mut() = Uri::try_from(uri).map_err(|error| unreachable(&error))?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let response = pool.request(request).await.map_err(|error| unreachable(&error))?;
        if response.status() != StatusCode::OK {
            return Err(CallError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), max_answer).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { CallError::Unreadable } else { unreachable(error.as_ref()) }
        })?;
        serde_json::from_slice(&body.to_bytes()).map_err(|_| CallError::Unreadable)
    }
}

async fn within<T>(
    budget: Duration,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    timeout(budget, call).await.unwrap_or(Err(CallError::Timeout))
}

/// With what lies below: hyper's own words only say that something failed.
fn unreachable(error: &dyn std::error::Error) -> CallError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(below) = cause {
        text = format!("{text}: {below}");
        cause = below.source();
    }
    CallError::Unreachable(text)
}

fn bearer(path: &Path) -> Result<HeaderValue, ClientError> {
    let text = std::fs::read_to_string(path).map_err(ClientError::TokenFile)?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(ClientError::Token);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

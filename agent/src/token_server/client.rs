//! `POST /v1/check`, `GET /v1/events` and `POST /v1/decisions` over kept HTTP/1.1 connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use jose::Profile;
use reqwest::Url;
use revocation::check::CheckResponse;
use revocation::events::Events;
use revocation::report::PRODUCT;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::timeout;

use super::connections::{Connections, Heard, Kind};
use super::endpoint::Endpoint;
use super::error::{CallError, ClientError, unreachable};
use super::tls::Secrets;

/// The largest answer of the feed that is read: it names up to a thousand groups of up to 512 bytes, escaped.
const MAX_EVENTS_BYTES: usize = 4 * 1024 * 1024;

/// The largest receipt for a report that is read.
const MAX_RECEIPT_BYTES: usize = 4 * 1024;

/// What connections to any token-server have in common.
#[derive(Debug, Clone)]
pub struct Dialer {
    secrets: Arc<Secrets>,
    user_agent: HeaderValue,
}

impl Dialer {
    /// With these secrets, for an agent of this name; makes no connection.
    ///
    /// # Errors
    ///
    /// TLS cannot be had of them.
    pub fn new(secrets: Arc<Secrets>, name: &str) -> Result<Self, ClientError> {
        secrets.shown().config()?;
        let product = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
        let user_agent = format!("{PRODUCT}{} ({name})", env!("CARGO_PKG_VERSION"));
        let user_agent =
            HeaderValue::try_from(user_agent).unwrap_or_else(|_| HeaderValue::from_static(product));
        Ok(Self { secrets, user_agent })
    }

    /// A client of one server.
    pub fn dial(&self, endpoint: &Endpoint) -> HttpClient {
        HttpClient {
            root: endpoint.url(),
            secrets: Arc::clone(&self.secrets),
            user_agent: self.user_agent.clone(),
            connections: Arc::new(Connections::new(endpoint.address)),
            accepted: Arc::default(),
            needs_before: Arc::default(),
        }
    }
}

/// Kept connections to one server, and what it was last shown with success.
#[derive(Debug, Clone)]
pub struct HttpClient {
    root: String,
    secrets: Arc<Secrets>,
    user_agent: HeaderValue,
    connections: Arc<Connections>,
    /// The bearer token that the server accepted last. It is shown again where the server does not know the new one yet.
    accepted: Arc<Mutex<Option<Accepted>>>,
    /// Whether it is told that the server does not know the new one.
    needs_before: Arc<AtomicBool>,
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
        let uri = Uri::try_from(format!("{}v1/check", self.root)).map_err(|error| unreachable(&error))?;
        within(budget, self.call(Call { kind: Kind::Check, uri, body, max_answer })).await
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
        let uri = Uri::try_from(String::from(url)).map_err(|error| unreachable(&error))?;
        let call = Call { kind: Kind::Feed, uri, body: Bytes::new(), max_answer: MAX_EVENTS_BYTES };
        within(budget, self.call(call)).await
    }

    /// Tells a server of this agent, in JSON.
    ///
    /// # Errors
    ///
    /// It has not said within `budget` that it took that.
    pub async fn report(&self, body: Bytes, budget: Duration) -> Result<(), CallError> {
        let uri = Uri::try_from(format!("{}v1/decisions", self.root)).map_err(|error| unreachable(&error))?;
        let call = Call { kind: Kind::Report, uri, body, max_answer: MAX_RECEIPT_BYTES };
        within(budget, self.call::<IgnoredAny>(call)).await.map(|_receipt| ())
    }

    /// What was heard over the connections for checks so far.
    pub fn heard(&self) -> Heard {
        self.connections.heard()
    }

    /// Lets go of connections that may stand still; see [`Connections::renew_unless_heard_since`].
    pub fn renew_unless_heard_since(&self, heard: Heard) {
        self.connections.renew_unless_heard_since(heard);
    }

    async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, CallError> {
        let response = self.send(&call).await?;
        if response.status() != StatusCode::OK {
            return Err(CallError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), call.max_answer).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { CallError::Unreadable } else { unreachable(error.as_ref()) }
        })?;
        serde_json::from_slice(&body.to_bytes()).map_err(|_| CallError::Unreadable)
    }

    /// Shows the bearer token of the file. A server that refuses it may have another one in its own file already, or not
    /// yet: ours is read again, and then the one is shown that this server accepted last.
    async fn send(&self, call: &Call) -> Result<Response<Incoming>, CallError> {
        let shown = self.secrets.token();
        let response = self.send_with(call, shown.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED || shown.is_none() {
            return Ok(response);
        }
        self.secrets.reread_token().await;
        let read = self.secrets.token();
        if read != shown {
            let response = self.send_with(call, read.as_ref()).await?;
            if response.status() != StatusCode::UNAUTHORIZED {
                return Ok(response);
            }
        }
        let before = self.accepted();
        if before.is_none() {
            return Ok(response);
        }
        if before != read && before != shown {
            let response = self.send_with(call, before.as_ref()).await?;
            if response.status() != StatusCode::UNAUTHORIZED {
                self.tell_of_before();
                return Ok(response);
            }
        }
        // It accepted one, and refuses it now: the new one may have come to it in between.
        self.send_with(call, read.as_ref()).await
    }

    fn tell_of_before(&self) {
        if !self.needs_before.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                server = self.root,
                "a token-server accepts only the bearer token that was in JWT_TOKEN_SERVER_TOKEN_FILE before; add the new \
                 one to its TOKEN_SERVER__AGENT__TOKENS_FILE"
            );
        }
    }

    async fn send_with(
        &self,
        call: &Call,
        authorization: Option<&Arc<HeaderValue>>,
    ) -> Result<Response<Incoming>, CallError> {
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.uri_mut() = call.uri.clone();
        request.headers_mut().insert(USER_AGENT, self.user_agent.clone());
        if call.kind != Kind::Feed {
            *request.method_mut() = Method::POST;
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(authorization) = authorization {
            request.headers_mut().insert(AUTHORIZATION, HeaderValue::clone(authorization));
        }
        let sent = Instant::now();
        let response = self.connections.send(call.kind, request, &self.secrets.shown()).await?;
        if let Some(token) = authorization.filter(|_| response.status().is_success()) {
            self.note(sent, token);
        }
        Ok(response)
    }

    /// Remembers a token that was accepted. The answer to a poll comes late: what was sent after it counts.
    fn note(&self, sent: Instant, token: &Arc<HeaderValue>) {
        if self.secrets.token().is_some_and(|newest| Arc::ptr_eq(&newest, token)) {
            self.needs_before.store(false, Ordering::Relaxed);
        }
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if accepted.as_ref().is_none_or(|accepted| accepted.sent <= sent) {
            *accepted = Some(Accepted { sent, token: Arc::clone(token) });
        }
    }

    fn accepted(&self) -> Option<Arc<HeaderValue>> {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.as_ref().map(|accepted| Arc::clone(&accepted.token))
    }
}

/// A bearer token that a server accepted.
#[derive(Debug)]
struct Accepted {
    /// When it was shown.
    sent: Instant,
    token: Arc<HeaderValue>,
}

/// One question.
struct Call {
    kind: Kind,
    uri: Uri,
    body: Bytes,
    max_answer: usize,
}

async fn within<T>(
    budget: Duration,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    timeout(budget, call).await.unwrap_or(Err(CallError::Timeout))
}

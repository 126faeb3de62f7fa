//! Asks the token-servers: is this token, or this verified payload, revoked?
//!
//! One request carries one check. Servers are taken in turn; one that does not answer in its share of the time is
//! followed by the next, and when the time is over nobody's silence counts as consent.

mod client;
mod discovery;
mod names;
mod probe;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::Bytes;
use jose::{Profile, Reject, Trust};
use service::check::{Check, CheckRequest, CheckResponse, CheckResult};
use tokio::sync::watch;

use client::Dialer;
pub use client::{CallError, ClientError};
pub use discovery::Discovery;
use names::Origin;
pub use probe::watch;
use server::Servers;
pub use server::{Server, ServerId, Snapshot};

use crate::config::TokenServerConfig;
use crate::metrics::{ByOutcome, Metrics};

/// Bytes of an answer beside its results: the server's names of its store and of itself.
const ANSWER_HEAD: usize = 4 * 1024;
/// Bytes of one result: claims of [`jose::limits::MAX_INFLATED_BYTES`], their subject once more, and a header.
const RESULT: usize = 256 * 1024;

/// The token-servers of this agent.
#[derive(Debug, Clone)]
pub struct TokenServer {
    servers: watch::Receiver<Snapshot>,
    turn: Arc<AtomicUsize>,
    profile: Profile,
    leeway: u32,
    metrics: Arc<Metrics>,
}

/// What a server said about one check, with what must be known to use it again.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Who said so.
    pub server: ServerId,
    /// The moment at which the question was sent, or an earlier one.
    pub asked: Instant,
    /// The server's process ([`CheckResponse::epoch`]).
    pub epoch: Arc<str>,
    /// The revision of its rules ([`CheckResponse::revision`]).
    pub revision: u64,
    /// What it said.
    pub result: CheckResult,
}

impl TokenServer {
    /// Prepares the connections; none is made yet. [`Discovery::run`] keeps the servers known.
    ///
    /// # Errors
    ///
    /// The bearer token or the CA file cannot be used.
    pub fn new(
        config: &TokenServerConfig,
        trust: &Trust,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, Discovery), ClientError> {
        let servers = Servers::new(Dialer::new(config)?);
        let watched = servers.watch();
        let origins = config.servers.iter().filter_map(Origin::new).collect();
        let discovery = Discovery::new(origins, servers);
        let token_server = Self {
            servers: watched,
            turn: Arc::default(),
            profile: trust.profile(),
            leeway: u32::try_from(trust.max_leeway().as_secs()).unwrap_or(u32::MAX),
            metrics,
        };
        Ok((token_server, discovery))
    }

    /// The servers, now and whenever they change.
    pub fn servers(&self) -> watch::Receiver<Snapshot> {
        self.servers.clone()
    }

    /// What a server says before `deadline`.
    ///
    /// # Errors
    ///
    /// Why none could be heard.
    pub async fn check(&self, check: Check, deadline: Instant) -> Result<Answer, Reject> {
        let body = self.request(vec![check]);
        let servers = Arc::clone(&self.servers.borrow());
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut failure = Reject::NoTokenServer;
        for attempt in 0..servers.len() {
            let asked = Instant::now();
            let left = deadline.saturating_duration_since(asked);
            // A server that hangs must leave time for those behind it.
            let untried = servers.len().saturating_sub(attempt);
            let share = left / u32::try_from(untried).unwrap_or(u32::MAX);
            let index = first.wrapping_add(attempt).checked_rem(servers.len());
            let Some(server) = index.and_then(|index| servers.get(index)) else {
                break;
            };
            match self.ask(server, body.clone(), share).await {
                Ok(response) => {
                    let (epoch, revision) = (response.epoch.into(), response.revision);
                    let result = only(response.results)?;
                    return Ok(Answer { server: server.id(), asked, epoch, revision, result });
                }
                Err(error) => {
                    tracing::debug!(server = %server.endpoint(), %error, "token-server did not answer");
                    failure = match error {
                        CallError::Timeout => Reject::Timeout,
                        CallError::Unreachable(_) | CallError::Status(_) | CallError::Unreadable => {
                            Reject::NoTokenServer
                        }
                    };
                }
            }
        }
        Err(failure)
    }

    /// Asks one server about nothing: whether it answers, and shares our profile.
    ///
    /// # Errors
    ///
    /// It does not, within `budget`.
    pub async fn probe(&self, server: &Server, budget: Duration) -> Result<CheckResponse, CallError> {
        self.ask(server, self.request(Vec::new()), budget).await
    }

    fn request(&self, checks: Vec<Check>) -> Bytes {
        let request = CheckRequest { profile: self.profile, leeway: self.leeway, checks };
        // Strings and JSON that was JSON before always serialise; an empty body would be refused by the server.
        serde_json::to_vec(&request).unwrap_or_default().into()
    }

    async fn ask(&self, server: &Server, body: Bytes, budget: Duration) -> Result<CheckResponse, CallError> {
        let called = server.check(body, ANSWER_HEAD + RESULT, budget).await;
        let outcome = match &called {
            Ok(_) => "answered",
            Err(CallError::Timeout) => "timeout",
            Err(CallError::Unreachable(_)) => "unreachable",
            Err(CallError::Status(_)) => "refused",
            Err(CallError::Unreadable) => "unreadable",
        };
        self.metrics.token_server.get_or_create(&ByOutcome { outcome }).inc();
        called
    }
}

/// The one result of a batch of one; any other number says nothing.
fn only(results: Vec<CheckResult>) -> Result<CheckResult, Reject> {
    match <[CheckResult; 1]>::try_from(results) {
        Ok([result]) => Ok(result),
        Err(_) => Err(Reject::NoTokenServer),
    }
}

/// Why a server holds the agent back, if a probe's failure is more than an outage.
fn misconfiguration(error: &CallError) -> Option<&'static str> {
    match error {
        CallError::Status(StatusCode::CONFLICT) => {
            Some("it runs another profile: JWT_PROFILE and TOKEN_SERVER__PROFILE must agree")
        }
        CallError::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Some(
            "it refuses our bearer token: JWT_TOKEN_SERVER_TOKEN_FILE and TOKEN_SERVER__AGENT__TOKENS_FILE must agree",
        ),
        CallError::Status(_) | CallError::Timeout | CallError::Unreachable(_) | CallError::Unreadable => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exactly_one_ok_passes() {
        for (details, expected) in [
            (&["ok"][..], Ok(())),
            (&["revoked"], Err(Reject::Revoked)),
            (&["expired"], Err(Reject::Expired)),
            (&["rules"], Err(Reject::Rules)),
            (&["OK"], Err(Reject::Revoked)),
            (&["quarantined"], Err(Reject::Revoked)),
            (&[], Err(Reject::NoTokenServer)),
            (&["ok", "ok"], Err(Reject::NoTokenServer)),
        ] {
            let result =
                |detail: &&str| CheckResult { detail: (*detail).to_owned(), ..CheckResult::default() };
            let verdict = only(details.iter().map(result).collect()).and_then(|result| result.verdict());
            assert_eq!(verdict, expected, "{details:?}");
        }
    }
}

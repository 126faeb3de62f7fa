//! Asks the token-servers: is this token, or this verified payload, revoked?
//!
//! One request carries one check. Servers are taken in turn; one that does not answer in its share of the time is
//! followed by the next, and when the time is over nobody's silence counts as consent.

mod client;
mod probe;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::Bytes;
use jose::{Profile, Reject, Trust};
use reqwest::Url;
use service::check::{Check, CheckRequest, CheckResponse, CheckResult};

pub use client::ClientError;
use client::{CallError, HttpClient};
pub use probe::watch;

use crate::config::TokenServerConfig;
use crate::metrics::{ByOutcome, Metrics};

/// The token-servers of this agent.
#[derive(Debug, Clone)]
pub struct TokenServer {
    servers: Arc<[Url]>,
    turn: Arc<AtomicUsize>,
    client: HttpClient,
    profile: Profile,
    leeway: u32,
    metrics: Arc<Metrics>,
}

impl TokenServer {
    /// Prepares the connections; none is made yet.
    ///
    /// # Errors
    ///
    /// The bearer token or the CA file cannot be used.
    pub fn new(
        config: &TokenServerConfig,
        trust: &Trust,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            servers: config.servers.clone().into(),
            turn: Arc::default(),
            client: HttpClient::new(config)?,
            profile: trust.profile(),
            leeway: u32::try_from(trust.max_leeway().as_secs()).unwrap_or(u32::MAX),
            metrics,
        })
    }

    /// What a server says before `deadline`.
    ///
    /// # Errors
    ///
    /// Why none could be heard.
    pub async fn check(&self, check: Check, deadline: Instant) -> Result<CheckResult, Reject> {
        let body = self.request(vec![check]);
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut failure = Reject::NoTokenServer;
        for attempt in 0..self.servers.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            // A server that hangs must leave time for those behind it.
            let untried = self.servers.len().saturating_sub(attempt);
            let share = left / u32::try_from(untried).unwrap_or(u32::MAX);
            let index = first.wrapping_add(attempt).checked_rem(self.servers.len());
            let Some(server) = index.and_then(|index| self.servers.get(index)) else {
                break;
            };
            match self.ask(server, body.clone(), share).await {
                Ok(response) => return only(response.results),
                Err(error) => {
                    tracing::debug!(server = %server, %error, "token-server did not answer");
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

    fn request(&self, checks: Vec<Check>) -> Bytes {
        let request = CheckRequest { profile: self.profile, leeway: self.leeway, checks };
        // Strings and JSON that was JSON before always serialise; an empty body would be refused by the server.
        serde_json::to_vec(&request).unwrap_or_default().into()
    }

    async fn ask(&self, server: &Url, body: Bytes, budget: Duration) -> Result<CheckResponse, CallError> {
        let called = self.client.check(server, body, budget).await;
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

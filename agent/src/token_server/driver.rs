//! Asks one server: at once while it is idle, in batches while it is busy, and not at all while it is left out.
//!
//! While a call is under way, checks gather for the next. That needs no timer and delays no check that comes alone. A call
//! that takes longer than [`YOUNG`] stops holding up others, so that one slow check does not slow down all.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::StatusCode;
use hyper::body::Bytes;
use jose::{Leeway, Profile};
use revocation::check::CheckResponse;
use revocation::lease::ServerId;
use tokio::time::{Instant, sleep_until};

use super::batch::{Batch, Line, Needs};
use super::client::HttpClient;
use super::error::CallError;
use super::health::Health;
use super::standing::{Cause, Standing, Witness};
use crate::metrics::{ByOutcome, Metrics};

/// Calls to one server at a time.
const MAX_CALLS: usize = 16;
/// Calls beside them about opaque tokens, for which the server may have to ask others.
const MAX_CALLS_FOR_OTHERS: usize = 8;
/// For how long a call holds up the checks that come after it.
const YOUNG: Duration = Duration::from_millis(5);
/// Bytes of an answer beside its results: the server's names of its store and of itself.
const ANSWER_HEAD_BYTES: usize = 4 * 1024;
/// Bytes of one result: claims of [`jose::limits::MAX_INFLATED_BYTES`], their subject once more, and a header.
const MAX_RESULT_BYTES: usize = 256 * 1024;

/// Carries a batch to a server.
pub trait Carrier: Send + Sync + 'static {
    /// Asks about a batch that is JSON already.
    fn check(
        &self,
        body: Bytes,
        max_answer: usize,
        budget: Duration,
    ) -> impl Future<Output = Result<CheckResponse, CallError>> + Send;
}

impl Carrier for HttpClient {
    async fn check(
        &self,
        body: Bytes,
        max_answer: usize,
        budget: Duration,
    ) -> Result<CheckResponse, CallError> {
        Self::check(self, body, max_answer, budget).await
    }
}

/// What the calls to all servers have in common.
#[derive(Debug, Clone)]
pub struct Manner {
    /// By whose rules tokens are judged.
    pub profile: Profile,
    /// The most clock skew that we grant to any issuer.
    pub leeway: Leeway,
    /// How long a server may take for what it has at hand.
    pub budget: Duration,
    /// Where calls are counted.
    pub metrics: Arc<Metrics>,
}

/// Asks one server for as long as it is in the set.
#[derive(Debug)]
pub struct Driver<C> {
    /// The server.
    pub id: ServerId,
    /// How to reach it.
    pub carrier: C,
    /// The checks that wait.
    pub line: Line,
    /// Whether it is left out; read where a server is chosen.
    pub standing: Arc<Standing>,
    /// How it is asked.
    pub manner: Manner,
}

/// What became of a call.
enum Ended {
    Check(Result<Said, CallError>),
    Probe(Result<Said, CallError>),
}

/// What an answer says of its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// It can read its store.
    Knows,
    /// It cannot, so that results which rest on its memory are all that it has.
    Unread,
}

impl<C: Carrier> Driver<C> {
    /// Serves the line until it ends.
    pub async fn run(mut self) {
        let mut health = Health::default();
        let asking = Asking { id: self.id, carrier: &self.carrier, manner: &self.manner };
        let mut checks = FuturesUnordered::new();
        let mut others = FuturesUnordered::new();
        let mut probe = FuturesUnordered::new();
        let mut young_until = Instant::now();
        loop {
            let now = Instant::now();
            let has_room = checks.len() < MAX_CALLS;
            let holds_up = !checks.is_empty() && now < young_until;
            let takes_others = others.len() < MAX_CALLS_FOR_OTHERS;
            let probe_at = health.probe_at().filter(|_| probe.is_empty());
            let ended = tokio::select! {
                Some(ended) = checks.next() => {
                    young_until = now;
                    ended
                }
                Some(ended) = others.next() => ended,
                Some(ended) = probe.next() => ended,
                batch = self.line.next(takes_others), if has_room && !holds_up => {
                    let Some(batch) = batch else { break };
                    match batch.needs() {
                        Needs::Itself => {
                            young_until = now + YOUNG;
                            checks.push(asking.ask(batch));
                        }
                        // It holds up no other, however long it takes.
                        Needs::Others => others.push(asking.ask(batch)),
                    }
                    continue;
                }
                () = sleep_until(young_until), if has_room && holds_up => continue,
                () = sleep_until(probe_at.unwrap_or(now)), if probe_at.is_some() => {
                    probe.push(asking.probe());
                    continue;
                }
            };
            note(&mut health, ended, &self.standing);
        }
        // The set of servers has lost this one; checks that still wait are answered.
        while checks.next().await.is_some() || others.next().await.is_some() {}
    }
}

fn note(health: &mut Health, ended: Ended, standing: &Standing) {
    let now = Instant::now();
    let (Ended::Check(outcome) | Ended::Probe(outcome)) = &ended;
    let refusal = refusal(outcome);
    let seen = outcome.as_ref().map_or_else(ToString::to_string, |_| String::new());
    match (&ended, refusal) {
        (_, Some(cause)) => health.refused(cause, now),
        (Ended::Check(Ok(_)), None) => health.succeeded(),
        // About what was asked, not about the server.
        (Ended::Check(Err(error)), None) if is_about_the_batch(error) => {}
        (Ended::Check(Err(_)), None) => health.failed(now),
        (Ended::Probe(Ok(_)), None) => health.probe_succeeded(),
        (Ended::Probe(Err(error)), None) => {
            tracing::debug!(server = standing.server(), %error, "a token-server that is left out does not answer");
            health.probe_failed(now);
        }
    }
    standing.tell(Witness::Checks, health.cause(), seen);
}

/// Why a server is of no use, as it says itself. No other call to it would fare better.
fn refusal(outcome: &Result<Said, CallError>) -> Option<Cause> {
    match outcome {
        Ok(Said::Knows) => None,
        Ok(Said::Unread) => Some(Cause::Unread),
        Err(error) => error.refusal(),
    }
}

/// What the calls to one server share.
struct Asking<'a, C> {
    id: ServerId,
    carrier: &'a C,
    manner: &'a Manner,
}

impl<C: Carrier> Asking<'_, C> {
    /// Asks, and answers each check. Where a batch is refused for what is in it, each of its checks is asked alone, so
    /// that one of them is not the others' answer.
    async fn ask(&self, batch: Batch) -> Ended {
        let checks = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        self.manner.metrics.token_server_batch.observe(f64::from(checks));
        let (batch, error) = match self.call(batch).await {
            Ok(said) => return Ended::Check(Ok(said)),
            Err(failed) => failed,
        };
        if batch.len() == 1 || !is_about_the_batch(&error) {
            batch.fail(&error);
            return Ended::Check(Err(error));
        }
        let mut outcome = Err(error);
        for alone in batch.split() {
            match self.call(alone).await {
                Ok(said) => outcome = Ok(said),
                Err((alone, error)) => alone.fail(&error),
            }
        }
        Ended::Check(outcome)
    }

    async fn probe(&self) -> Ended {
        Ended::Probe(self.call(Batch::default()).await.map_err(|(_, error)| error))
    }

    async fn call(&self, batch: Batch) -> Result<Said, (Batch, CallError)> {
        let Manner { profile, leeway, budget, metrics } = self.manner;
        let max_answer = batch.len().saturating_mul(MAX_RESULT_BYTES).saturating_add(ANSWER_HEAD_BYTES);
        let asked = Instant::now().into_std();
        let body = batch.body(*profile, *leeway, asked);
        let response = self.carrier.check(body, max_answer, batch.budget(*budget, asked)).await;
        let outcome = response.as_ref().map_or_else(CallError::outcome, |_| "answered");
        metrics.token_server.get_or_create(&ByOutcome { outcome }).inc();
        match response {
            Ok(response) => {
                let said = if response.store_unread { Said::Unread } else { Said::Knows };
                batch.answer(self.id, asked, response).map(|()| said)
            }
            Err(error) => Err((batch, error)),
        }
    }
}

/// Whether the server refuses what a batch holds, and not us.
fn is_about_the_batch(error: &CallError) -> bool {
    match error {
        CallError::Status(status) => matches!(
            *status,
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
        ),
        CallError::Timeout | CallError::Unreachable(_) | CallError::Unreadable => false,
    }
}

#[cfg(test)]
mod tests;

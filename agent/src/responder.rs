//! From a NOTIFY to its ACK: what every connection shares.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jose::{Reject, TokenForm, UnixTime, Window};
use prometheus_client::metrics::gauge::Gauge;
use service::readiness::Readiness;
use tokio::time::timeout_at;

use crate::answer::{Decision, Outcome, Variables, answer};
use crate::cache::{Kept, Turn, VerdictCache};
use crate::metrics::{ByStatus, Metrics};
use crate::spoa::frame::{Fault, Notify, encode_ack, encode_actions};
use crate::spoa::respond::Respond;
use crate::verifier::{Question, Verifier};

/// Shared by all connections.
#[derive(Debug)]
pub struct Responder {
    verifier: Verifier,
    cache: VerdictCache,
    variables: Variables,
    claims: Option<Vec<String>>,
    budget: Duration,
    readiness: Readiness,
    metrics: Arc<Metrics>,
}

/// A request that has come; while this lives it counts as in flight.
#[derive(Debug)]
pub struct Received {
    at: Instant,
    now: UnixTime,
    in_flight: Gauge,
}

impl Drop for Received {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}

impl Responder {
    /// What connections share; `budget` is the time that one request may take.
    pub fn new(
        verifier: Verifier,
        cache: VerdictCache,
        variables: Variables,
        claims: Option<Vec<String>>,
        budget: Duration,
        readiness: Readiness,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { verifier, cache, variables, claims, budget, readiness, metrics }
    }

    /// Notes that a request has come, and when.
    pub fn receive(&self) -> Received {
        let in_flight = self.metrics.in_flight.clone();
        in_flight.inc();
        Received { at: Instant::now(), now: UnixTime::from_system(SystemTime::now()), in_flight }
    }

    /// Answers at once where nobody need be asked and no signature verified: appends the ACK to `out`. What remains is
    /// the question to [`decide`](Self::decide).
    pub fn answer_at_once(
        &self,
        notify: &Notify,
        received: &Received,
        max: u32,
        out: &mut Vec<u8>,
    ) -> Option<Question<'static>> {
        let question = match self.verifier.question(&notify.request) {
            Ok(question) => question,
            Err(decision) => {
                self.conclude(notify, *decision, max, out);
                return None;
            }
        };
        let kept = self.cache.get(&question.key, received.at);
        let holds = kept.filter(|kept| kept.signed.is_none() && kept.window.judge(received.now).is_ok());
        let Some(kept) = holds else {
            return Some(question.into_owned());
        };
        self.metrics.cache_hits.inc();
        self.repeat(notify, &question, &kept, max, out);
        None
    }

    /// Judges one question within its budget and gives the ACK, a frame of at most `max`.
    pub async fn decide(
        &self,
        notify: Notify,
        question: Question<'static>,
        received: Received,
        max: u32,
    ) -> Vec<u8> {
        let mut ack = Vec::new();
        self.judge(&notify, &question, &received, max, &mut ack).await;
        self.metrics.decision_seconds.observe(received.at.elapsed().as_secs_f64());
        ack
    }

    /// The checks, in the order in which they are made.
    async fn judge(
        &self,
        notify: &Notify,
        question: &Question<'_>,
        received: &Received,
        max: u32,
        ack: &mut Vec<u8>,
    ) {
        let deadline = received.at + self.budget;
        let refuse = |reject| self.verifier.decision(&question.key, Outcome::refused(reject));
        let encrypted = TokenForm::of(&question.token) == TokenForm::Jwe;
        let decision = if Instant::now() >= deadline {
            // HAProxy has given up on a request that waited so long; deciding it would only delay others.
            refuse(Reject::Overloaded)
        } else if encrypted {
            let outcome = self.verifier.judge_encrypted(question, received.now, deadline).await;
            self.verifier.decision(&question.key, outcome)
        } else {
            match timeout_at(deadline.into(), self.verified(question, received)).await {
                Err(_) => refuse(Reject::Overloaded),
                Ok(kept) => match &kept.signed {
                    None => return self.repeat(notify, question, &kept, max, ack),
                    Some(signed) => match self.verifier.judge_revocation(signed, deadline).await {
                        Ok(()) => return self.repeat(notify, question, &kept, max, ack),
                        Err(reject) => {
                            let signed = Some(signed.clone());
                            self.verifier.decision(&question.key, Outcome::Refused { reject, signed })
                        }
                    },
                },
            }
        };
        self.conclude(notify, decision, max, ack);
    }

    /// The verdict on signature and policy: the kept one while it holds, else one that is found and kept.
    async fn verified(&self, question: &Question<'_>, received: &Received) -> Arc<Kept> {
        if let Some(kept) = self.cache.get(&question.key, received.at) {
            if kept.window.judge(received.now).is_ok() {
                self.metrics.cache_hits.inc();
                return kept;
            }
            self.cache.forget(&question.key);
        }
        let place = match self.cache.turn(question.key).await {
            Turn::Found(kept) if kept.window.judge(received.now).is_ok() => {
                self.metrics.cache_hits.inc();
                return kept;
            }
            Turn::Found(_) => None,
            // Whoever had the turn before may have found a refusal, which is kept elsewhere.
            Turn::Mine(place) => match self.cache.get(&question.key, received.at) {
                Some(refusal) => return refusal,
                None => Some(place),
            },
        };
        self.metrics.cache_misses.inc();
        let outcome = self.verifier.judge_token(question, received.now);
        let window = match &outcome {
            Outcome::Accepted(signed) => self.verifier.window(signed).ok(),
            // What is shown of a refused token with a good signature may be shown while the token lasts.
            Outcome::Refused { reject, signed } => reject.is_lasting().then(|| {
                let own = signed.as_ref().and_then(|signed| self.verifier.window(signed).ok());
                own.filter(|own| own.judge(received.now).is_ok()).unwrap_or(Window::ALWAYS)
            }),
        };
        let decision = self.verifier.decision(&question.key, outcome);
        let kept = Arc::new(self.kept(&decision, window.unwrap_or(Window::ALWAYS)));
        if let (Some(place), Some(_)) = (place, window) {
            place.keep(&kept, received.at);
            self.metrics.show_cache(self.cache.size());
        }
        kept
    }

    /// A decision as it is kept and sent.
    fn kept(&self, decision: &Decision, window: Window) -> Kept {
        let whole = answer(decision, &self.variables, self.claims.as_deref());
        let (reject, signed) = match &decision.outcome {
            Outcome::Accepted(signed) if self.verifier.asks_token_server() => (None, Some(signed.clone())),
            Outcome::Accepted(_) => (None, None),
            Outcome::Refused { reject, .. } => (Some(*reject), None),
        };
        let actions = encode_actions(whole.actions);
        Kept { actions, reject, long_names: whole.long_names, window, signed }
    }

    /// Sends a decision that is not kept.
    fn conclude(&self, notify: &Notify, decision: Decision, max: u32, out: &mut Vec<u8>) {
        let kept = self.kept(&decision, Window::ALWAYS);
        self.send(notify, &kept, max, out, || decision);
    }

    /// Sends a verdict on this question again.
    fn repeat(&self, notify: &Notify, question: &Question<'_>, kept: &Kept, max: u32, out: &mut Vec<u8>) {
        if let Some(reject) = kept.reject {
            self.verifier.missed(reject);
        }
        let outcome = Outcome::refused(Reject::AnswerSize);
        self.send(notify, kept, max, out, || self.verifier.decision(&question.key, outcome));
    }

    /// Appends an ACK; `decision` is what to refuse with where HAProxy cannot take it whole.
    fn send(
        &self,
        notify: &Notify,
        kept: &Kept,
        max: u32,
        out: &mut Vec<u8>,
        decision: impl FnOnce() -> Decision,
    ) {
        self.metrics.long_names.inc_by(kept.long_names);
        if encode_ack(notify.stream_id, notify.frame_id, &kept.actions, max, out) {
            return self.metrics.decided(kept.reject);
        }
        let too_large = Decision { outcome: Outcome::refused(Reject::AnswerSize), ..decision() };
        // The second holds `reason` and `valid` alone, which fit the smallest frame of the protocol.
        for variables in [&self.variables, &Variables::Only(BTreeSet::new())] {
            let actions = encode_actions(answer(&too_large, variables, None).actions);
            if encode_ack(notify.stream_id, notify.frame_id, &actions, max, out) {
                break;
            }
        }
        self.metrics.decided(Some(Reject::AnswerSize));
    }

    /// Whether a health check may pass; a failed one is counted.
    pub fn answer_health_check(&self) -> bool {
        let ready = self.readiness.check();
        if ready.is_err() {
            self.metrics.health_checks_failed.inc();
        }
        ready.is_ok()
    }

    /// Counts a connection that ended for a fault of its peer.
    pub fn count_fault(&self, fault: &Fault) {
        match fault {
            // Each health check of a draining agent ends so.
            Fault::NotReady => tracing::debug!(%fault, "health check refused"),
            _ => tracing::warn!(%fault, "connection ended"),
        }
        let status = fault.status().message();
        self.metrics.disconnects.get_or_create(&ByStatus { status }).inc();
    }

    /// The process's metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

impl Respond for Responder {
    type Received = Received;
    type Question = Question<'static>;

    fn receive(&self) -> Received {
        self.receive()
    }

    fn answer_at_once(
        &self,
        notify: &Notify,
        received: &Received,
        max: u32,
        out: &mut Vec<u8>,
    ) -> Option<Question<'static>> {
        self.answer_at_once(notify, received, max, out)
    }

    async fn decide(
        self: Arc<Self>,
        notify: Notify,
        question: Question<'static>,
        received: Received,
        max: u32,
    ) -> Vec<u8> {
        Self::decide(&self, notify, question, received, max).await
    }

    fn answer_health_check(&self) -> bool {
        self.answer_health_check()
    }

    fn count_fault(&self, fault: &Fault) {
        self.count_fault(fault);
    }
}

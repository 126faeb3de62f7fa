//! From a NOTIFY to its ACK: what every connection shares.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jose::{Claimed, Reason, Reject, Signed, TokenForm, UnixTime, Window};
use keys::{KeysView, Newer};
use prometheus_client::metrics::gauge::Gauge;
use revocation::lease::Word;
use service::flights::Boarding;
use service::readiness::Readiness;
use service::refusals::{LogRefusals, RefusalLog};
use tokio::time::timeout_at;

use crate::answer::{Decision, Outcome, Variables, answer};
use crate::cache::{Found, Kept, VerdictCache};
use crate::metrics::{ByStatus, Metrics};
use crate::request::Request;
use crate::spoa::frame::{Fault, Ids, Notify, encode_ack, encode_actions};
use crate::told::Told;
use crate::verifier::{Judgement, Question, Verifier};

/// An answer is larger than the frame that was agreed.
struct TooLarge;

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
    refusals: RefusalLog,
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
        let refusals = RefusalLog::new(LogRefusals::Off);
        Self { verifier, cache, variables, claims, budget, readiness, metrics, refusals }
    }

    /// Writes these refusals into the log.
    #[must_use]
    pub fn logging(self, which: LogRefusals) -> Self {
        Self { refusals: RefusalLog::new(which), ..self }
    }

    /// What operators see of the keys.
    pub fn keys_view(&self) -> KeysView {
        self.verifier.keys_view(UnixTime::from_system(SystemTime::now()))
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
        notify: &Notify<Request<'_>>,
        received: &Received,
        max: u32,
        out: &mut Vec<u8>,
    ) -> Option<Question<'static>> {
        let question = match self.verifier.question(&notify.request) {
            Ok(question) => question,
            Err(decision) => {
                log(&decision, notify.request.name());
                self.conclude(notify.ids, *decision, notify.request.name(), max, out);
                return None;
            }
        };
        let Found::Verdict(kept) = self.cache.get(&question.key, received.now, received.at) else {
            return Some(question.into_owned());
        };
        self.metrics.cache_hits.inc();
        self.repeat(notify.ids, &question, &kept, max, out);
        None
    }

    /// Judges one question within its budget and gives the ACK, a frame of at most `max`.
    pub async fn decide(
        &self,
        ids: Ids,
        mut question: Question<'static>,
        received: Received,
        max: u32,
    ) -> Vec<u8> {
        let kept = self.judge(&mut question, &received).await;
        let mut ack = Vec::new();
        self.repeat(ids, &question, &kept, max, &mut ack);
        self.metrics.decision_seconds.observe(received.at.elapsed().as_secs_f64());
        ack
    }

    /// The checks, in the order in which they are made; once more where newer keys have come meanwhile.
    async fn judge(&self, question: &mut Question<'_>, received: &Received) -> Arc<Kept> {
        let deadline = received.at + self.budget;
        loop {
            let now = Instant::now();
            if now >= deadline {
                // HAProxy has given up on a request that waited so long; deciding it would only delay others.
                return self.overloaded(question);
            }
            let landing = match self.cache.board(question.key, now) {
                None => match self.kept_or_found(question, received, deadline).await {
                    Some(kept) => return kept,
                    None => continue,
                },
                Some(Boarding::Lead(leader)) => {
                    match self.kept_or_found(question, received, deadline).await {
                        // Who came later has time left, and finds it for himself.
                        Some(kept) if kept.reject == Some(Reject::Timeout) => return kept,
                        Some(kept) => {
                            leader.land(Arc::clone(&kept), || ());
                            return kept;
                        }
                        None => continue,
                    }
                }
                Some(Boarding::Follow(landing)) => landing,
            };
            match timeout_at(deadline.into(), landing.landing()).await {
                Err(_) => return self.overloaded(question),
                Ok(Some(kept)) if self.cache.holds(&kept, received.now, Instant::now()) => {
                    self.metrics.cache_hits.inc();
                    return kept;
                }
                // What was found for another is out of date already.
                Ok(Some(_)) => {
                    if let Some(kept) = self.kept_or_found(question, received, deadline).await {
                        return kept;
                    }
                }
                Ok(None) => {}
            }
        }
    }

    /// The kept verdict if it holds, else one that is found, and kept if it may hold for the next one. Absent: newer keys
    /// have come, by which the question has to be asked anew.
    async fn kept_or_found(
        &self,
        question: &mut Question<'_>,
        received: &Received,
        deadline: Instant,
    ) -> Option<Arc<Kept>> {
        let lapsed = match self.cache.get(&question.key, received.now, Instant::now()) {
            Found::Verdict(kept) => {
                self.metrics.cache_hits.inc();
                return Some(kept);
            }
            Found::Lapsed(kept) => {
                self.metrics.cache_lapses.inc();
                Some(kept)
            }
            Found::Nothing => {
                self.metrics.cache_misses.inc();
                None
            }
        };
        let verified = lapsed.as_deref().and_then(|kept| kept.signed.as_ref());
        let Judgement { mut outcome, word, missing } =
            self.find(question, verified, received.now, deadline).await;
        let mut window = self.lasts(&outcome, word.is_some(), received.now);
        if let Some(missing) = missing {
            let newer =
                self.verifier.newer_keys(question, &missing, received.at, deadline, received.now).await;
            match newer {
                Newer::Keys(keys) => {
                    question.renew(keys);
                    return None;
                }
                Newer::Final => {}
                Newer::Current => window = None,
                Newer::Unknown => {
                    window = None;
                    outcome = outcome.undecided();
                }
            }
        }
        let decision = self.verifier.decision(&question.key, outcome);
        log(&decision, question.request.as_deref());
        let claimed = self.verifier.claimed(question, &decision.outcome);
        let kept = Arc::new(self.kept(&decision, &claimed, window.unwrap_or(Window::ALWAYS), word));
        if window.is_some() {
            self.cache.keep(question.key, &kept, received.at);
            self.metrics.show_cache(self.cache.size());
        }
        Some(kept)
    }

    /// Signature, policy, revocation; `verified` is what the signature is known to vouch for.
    async fn find(
        &self,
        question: &Question<'_>,
        verified: Option<&Signed>,
        now: UnixTime,
        deadline: Instant,
    ) -> Judgement {
        if TokenForm::of(&question.token) == TokenForm::Jwe {
            return self.verifier.judge_encrypted(question, now, deadline).await;
        }
        let signed = match verified {
            Some(signed) => signed.clone(),
            None => match self.verifier.judge_token(question, now) {
                Judgement { outcome: Outcome::Accepted(signed), .. } => signed,
                refused => return refused,
            },
        };
        self.verifier.judge_revocation(signed, deadline).await
    }

    /// When the outcome may be told again; absent: never.
    fn lasts(&self, outcome: &Outcome, by_server: bool, now: UnixTime) -> Option<Window> {
        match outcome {
            Outcome::Accepted(signed) => self.verifier.window(signed).ok(),
            // What is shown of a refused token with a good signature may be shown while the token lasts. A rule can be taken
            // back, which the lease hears of.
            Outcome::Refused { reject, signed } => {
                let lasting = reject.is_lasting() || (by_server && *reject == Reject::Revoked);
                lasting.then(|| {
                    let own = signed.as_ref().and_then(|signed| self.verifier.window(signed).ok());
                    own.filter(|own| own.validate(now).is_ok()).unwrap_or(Window::ALWAYS)
                })
            }
        }
    }

    fn overloaded(&self, question: &Question<'_>) -> Arc<Kept> {
        let decision = self.verifier.decision(&question.key, Outcome::refused(Reject::Overloaded));
        Arc::new(self.kept(&decision, &Claimed::default(), Window::ALWAYS, None))
    }

    /// A decision as it is kept and sent.
    fn kept(&self, decision: &Decision, claimed: &Claimed<'_>, window: Window, word: Option<Word>) -> Kept {
        let told = Told::new(decision, claimed, &self.metrics, &self.refusals);
        let whole = answer(decision, &self.variables, self.claims.as_deref());
        let (reject, signed) = match &decision.outcome {
            Outcome::Accepted(signed) => (None, word.is_some().then(|| signed.clone())),
            Outcome::Refused { reject, .. } => (Some(*reject), None),
        };
        let actions = encode_actions(whole.actions);
        Kept { actions, reject, told, long_names: whole.long_names, window, word, signed }
    }

    /// Sends a decision that is not kept.
    fn conclude(&self, ids: Ids, decision: Decision, request: Option<&str>, max: u32, out: &mut Vec<u8>) {
        let kept = self.kept(&decision, &Claimed::default(), Window::ALWAYS, None);
        if self.send(ids, &kept, request, max, out).is_err() {
            self.send_too_large(ids, decision, request, max, out);
        }
    }

    /// Sends a verdict on this question.
    fn repeat(&self, ids: Ids, question: &Question<'_>, kept: &Kept, max: u32, out: &mut Vec<u8>) {
        let request = question.request.as_deref();
        if self.send(ids, kept, request, max, out).is_err() {
            let outcome = Outcome::refused(Reject::AnswerSize);
            let decision = self.verifier.decision(&question.key, outcome);
            self.send_too_large(ids, decision, request, max, out);
        }
    }

    /// Appends an ACK, if HAProxy can take it whole.
    fn send(
        &self,
        ids: Ids,
        kept: &Kept,
        request: Option<&str>,
        max: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), TooLarge> {
        if kept.long_names > 0 {
            self.metrics.long_names.inc_by(kept.long_names);
        }
        if !encode_ack(ids, &kept.actions, max, out) {
            return Err(TooLarge);
        }
        kept.told.tell(request, &self.refusals);
        Ok(())
    }

    /// Refuses what HAProxy cannot take whole.
    fn send_too_large(
        &self,
        ids: Ids,
        decision: Decision,
        request: Option<&str>,
        max: u32,
        out: &mut Vec<u8>,
    ) {
        let too_large = Decision { outcome: Outcome::refused(Reject::AnswerSize), ..decision };
        // The second holds `reason` and `valid` alone, which fit the smallest frame of the protocol.
        for variables in [&self.variables, &Variables::Only(BTreeSet::new())] {
            let actions = encode_actions(answer(&too_large, variables, None).actions);
            if encode_ack(ids, &actions, max, out) {
                break;
            }
        }
        Told::new(&too_large, &Claimed::default(), &self.metrics, &self.refusals)
            .tell(request, &self.refusals);
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
        if *fault == Fault::Unread {
            self.metrics.connections_unread.inc();
        }
        let status = fault.status().message();
        self.metrics.disconnects.get_or_create(&ByStatus { status }).inc();
    }

    /// The process's metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// For the operator who has a token's fingerprint, or a request's name, from HAProxy's log. Never the token, nor what is in
/// it.
fn log(decision: &Decision, request: Option<&str>) {
    let (reason, detail) = match &decision.outcome {
        Outcome::Accepted(_) => (Reason::Ok, "ok"),
        Outcome::Refused { reject, .. } => (reject.reason(), reject.detail()),
    };
    tracing::debug!(
        request,
        id = decision.id.as_deref(),
        reason = reason.as_str(),
        detail,
        policy = decision.policy.as_deref(),
        "decided"
    );
}

#[cfg(test)]
mod tests;

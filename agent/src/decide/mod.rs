//! The decision on a request: every check, in the order in which it is made.
//!
//! 1. The request becomes a [`Question`]: its one token, the policy, the keys at hand ([`question`]).
//! 2. A verdict that was kept on it is sent again where it still holds: a hit ([`cache`](crate::cache)).
//! 3. Of all requests that ask the same at the same time one leads and finds the verdict, the others follow it.
//! 4. To find it, the signature is verified and the claims are validated ([`token`], which is pure); a token-server checks
//!    revocation, opens what is encrypted, and knows what is opaque ([`ask`]).
//! 5. Where newer keys might verify the token, they are waited for, and the question is asked anew by them.
//! 6. The verdict is kept if it may hold for the next request, and becomes an ACK ([`answer`](crate::answer)).
//! 7. The proof that comes with a bound token is judged last, for each request ([`prove`]).
//! 8. Where a token is good and the request may stay open, that is told, and the verdict can be found anew ([`opened`]).
//!
//! All of it happens within the budget of the request, counted from when it came.

mod arrival;
mod ask;
mod opened;
mod prove;
mod question;
mod token;
mod unknown_policies;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jose::{Claimed, Evidence, Reject, Signed, TokenForm, Trust, UnixTime, Window};
use keys::{KeyRing, KeysView, Newer};
use service::flights::Boarding;
use service::sample::LogLines;
use tokio::time::timeout_at;

use crate::answer::Variables;
use crate::answer::ack::{Acks, Asker, Own};
use crate::answer::told::Teller;
use crate::cache::{Answers, ByProof, Found, Kept, VerdictCache};
use crate::decision::{Decision, Outcome};
use crate::haproxy::edge::Offers;
use crate::mcp::Rows;
use crate::metrics::Metrics;
use crate::request::{CertificateForm, Request};
use crate::spoa::frame::{Ids, Notify};
use crate::spoa::respond::DecidingTime;
use crate::token_server::TokenServer;
use arrival::Arrival;
pub use opened::{Basis, Held, Judged, Opened, Openings, Verdict};
pub use prove::Proving;
use prove::{Proved, Prover};
use question::{Question, Reading};
use token::Finding;
use unknown_policies::UnknownPolicies;

/// What requests are decided by, beside keys and token-servers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose tokens are accepted, and for which policies.
    pub trust: Trust,
    /// Accepted schemes of `Authorization`.
    pub schemes: Vec<String>,
    /// The longest token.
    pub max_token_bytes: usize,
    /// Which policy judges which call of the Model Context Protocol.
    pub mcp: Rows,
    /// How certificates of clients are told.
    pub certificates: CertificateForm,
    /// How proofs of possession are judged.
    pub proving: Proving,
    /// The variables that are sent.
    pub variables: Variables,
    /// The claims that become variables; absent: all.
    pub claims: Option<Vec<String>>,
    /// The time that one request may take.
    pub budget: Duration,
    /// The same for one with an opaque token, about which a token-server may have to ask others.
    pub opaque_budget: Duration,
    /// The refusals that are written into the log.
    pub log_refusals: LogLines,
    /// What tells token-servers of decisions.
    pub teller: Option<Arc<Teller>>,
}

/// Decides requests; shared by all connections.
#[derive(Debug)]
pub struct Decider {
    reading: Reading,
    trust: Trust,
    keys: Arc<KeyRing>,
    token_server: Option<TokenServer>,
    cache: VerdictCache,
    acks: Acks,
    prover: Prover,
    /// What HAProxy is given, if it is given verdicts.
    offers: Option<Offers>,
    /// What is told of streams that open, where they are looked after.
    openings: Option<Openings>,
    budget: Duration,
    opaque_budget: Duration,
    metrics: Arc<Metrics>,
}

impl Decider {
    /// Decides by these settings, over the keys that `keys` holds at the time of each request.
    pub fn new(
        settings: Settings,
        keys: Arc<KeyRing>,
        token_server: Option<TokenServer>,
        cache: VerdictCache,
        (offers, openings): (Option<Offers>, Option<Openings>),
        metrics: Arc<Metrics>,
    ) -> Self {
        let Settings { trust, schemes, max_token_bytes, mcp, certificates, proving, .. } = settings;
        let Settings { variables, claims, budget, opaque_budget, log_refusals, teller, .. } = settings;
        let unknown_policies = UnknownPolicies::default();
        let prover = Prover::new(proving, &trust, &schemes, Arc::clone(&metrics));
        let reading = Reading { schemes, max_token_bytes, mcp, certificates, unknown_policies };
        let acks = Acks::new(variables, claims, log_refusals, teller, Arc::clone(&metrics));
        Self {
            reading,
            trust,
            keys,
            token_server,
            cache,
            acks,
            prover,
            offers,
            openings,
            budget,
            opaque_budget,
            metrics,
        }
    }

    /// What operators see of the keys.
    pub fn keys_view(&self) -> KeysView {
        self.keys.view(&self.trust, UnixTime::from_system(SystemTime::now()))
    }

    /// Answers a request at once where it asks nothing that could be decided, or where a kept verdict holds and `time` is left for
    /// its proof, if it needs one: appends the ACK, a frame of at most `max`, to `out`. Otherwise gives what decides it.
    pub fn answer(
        self: &Arc<Self>,
        notify: &Notify<Request<'_>>,
        max: u32,
        time: &mut DecidingTime,
        out: &mut Vec<u8>,
    ) -> Option<impl Future<Output = Vec<u8>> + Send + 'static + use<>> {
        let arrival = Arrival::now(&self.metrics);
        let asker = Asker { ids: notify.ids, max_frame_size: max, name: notify.request.name() };
        let question = match self.question(&notify.request) {
            Ok(question) => Question { stream: self.stream(&notify.request, arrival.at), ..question },
            Err(decision) => {
                decision.log(asker.name);
                let ack = self.acks.of(&decision, &Claimed::default());
                let nonce = self.prover.nonce(decision.policy.as_deref(), arrival.now);
                let own = self.acks.own(Own { nonce, ..Own::default() });
                self.acks.send(&own, &ack, asker, out, || *decision);
                return None;
            }
        };
        let Found::Hit(kept) = self.cache.get(&question.key, arrival.now, arrival.at) else {
            return Some(Arc::clone(self).decide(notify.ids, question.into_owned(), None, arrival, max));
        };
        self.metrics.cache_hits.inc();
        if let Some(offers) = &self.offers {
            offers.note(&kept, &question.key, &notify.request, arrival.at);
        }
        // The signature of a proof takes as long as a new token's.
        if self.prover.is_needed(&kept, &question) && !time.is_left() {
            let question = question.into_owned();
            return Some(Arc::clone(self).decide(notify.ids, question, Some(kept), arrival, max));
        }
        self.send(&kept, &question, arrival.now, asker, out);
        None
    }

    fn question<'a>(&self, request: &'a Request<'_>) -> Result<Question<'a>, Box<Decision>> {
        Question::of(request, &self.reading, &self.trust, &self.keys)
    }

    /// Decides a question within its budget, unless a verdict is at hand already, and gives the ACK.
    async fn decide(
        self: Arc<Self>,
        ids: Ids,
        mut question: Question<'static>,
        hit: Option<Arc<Kept>>,
        arrival: Arrival,
        max: u32,
    ) -> Vec<u8> {
        let is_hit = hit.is_some();
        let kept = match hit {
            Some(kept) => kept,
            // Apart, so that the way of what is known stays small: it is moved for each proof.
            None => Box::pin(self.verdict(&mut question, &arrival)).await,
        };
        let mut ack = Vec::new();
        let asker = Asker { ids, max_frame_size: max, name: question.request.as_deref() };
        self.send(&kept, &question, arrival.now, asker, &mut ack);
        if !is_hit {
            self.metrics.decision_seconds.observe(arrival.at.elapsed().as_secs_f64());
        }
        ack
    }

    /// The verdict, which is found once for all requests that ask the same at the same time; once more where newer keys have come
    /// meanwhile.
    async fn verdict(&self, question: &mut Question<'_>, arrival: &Arrival) -> Arc<Kept> {
        let is_introspected = question.is_introspected(&self.trust);
        let deadline = arrival.at + if is_introspected { self.opaque_budget } else { self.budget };
        loop {
            let now = Instant::now();
            if now >= deadline {
                // HAProxy has given up on a request that waited so long; deciding it would only delay others.
                return self.overloaded(question);
            }
            let landing = match self.cache.board(question.key, now) {
                None => match self.find(question, arrival, deadline).await {
                    Some(kept) => return kept,
                    None => continue,
                },
                Some(Boarding::Lead(leader)) => match self.find(question, arrival, deadline).await {
                    // A follower that came later has time left: one of them leads then.
                    Some(kept) if kept.reject == Some(Reject::Timeout) => return kept,
                    Some(kept) => {
                        leader.land(Arc::clone(&kept), || ());
                        return kept;
                    }
                    None => continue,
                },
                Some(Boarding::Follow(landing)) => landing,
            };
            match timeout_at(deadline.into(), landing.landing()).await {
                Err(_) => return self.overloaded(question),
                Ok(Some(kept)) if self.cache.holds(&kept, arrival.now, Instant::now()) => {
                    self.metrics.cache_hits.inc();
                    return kept;
                }
                // What the leader found is out of date already.
                Ok(Some(_)) => {
                    if let Some(kept) = self.find(question, arrival, deadline).await {
                        return kept;
                    }
                }
                Ok(None) => {}
            }
        }
    }

    /// The kept verdict if it holds, else a new one, which is kept if it may hold for the next request. Absent: newer keys
    /// have come, by which the question has to be asked anew.
    async fn find(
        &self,
        question: &mut Question<'_>,
        arrival: &Arrival,
        deadline: Instant,
    ) -> Option<Arc<Kept>> {
        let recheck = match self.cache.get(&question.key, arrival.now, Instant::now()) {
            Found::Hit(kept) => {
                self.metrics.cache_hits.inc();
                return Some(kept);
            }
            Found::Recheck(kept) => {
                self.metrics.cache_rechecks.inc();
                Some(kept)
            }
            Found::Miss => {
                self.metrics.cache_misses.inc();
                None
            }
        };
        let verified = recheck.as_deref().and_then(|kept| kept.signed.as_ref());
        let mut finding = self.finding(question, verified, arrival.now, deadline).await;
        let policy = question.policy(&self.trust);
        let mut window = policy.and_then(|policy| finding.window(&self.trust, policy, arrival.now));
        if let Some(hint) = &finding.hint {
            let (version, since) = (question.key.keys, arrival.at.into());
            match self.keys.newer_than(version, hint, since, deadline.into(), arrival.now).await {
                Newer::Keys(keys) => {
                    question.renew(keys);
                    return None;
                }
                Newer::Final => {}
                Newer::Current => window = None,
                Newer::Unknown => {
                    window = None;
                    finding.outcome = finding.outcome.undecided();
                }
            }
        }
        Some(self.conclude(question, finding, window, arrival.at))
    }

    /// Signature and claims, then revocation; `verified` is what the signature is known to vouch for.
    async fn finding(
        &self,
        question: &Question<'_>,
        verified: Option<&Signed>,
        now: UnixTime,
        deadline: Instant,
    ) -> Finding {
        let server = self.token_server.as_ref();
        let is_encrypted = TokenForm::of(&question.token) == TokenForm::Jwe;
        if is_encrypted || question.is_introspected(&self.trust) {
            return ask::open(server, &self.trust, question, now, deadline).await;
        }
        let signed = match verified {
            Some(signed) => signed.clone(),
            None => match token::verify(&self.trust, question, now) {
                Finding { outcome: Outcome::Accepted(signed), .. } => signed,
                refused => return refused,
            },
        };
        ask::check(server, signed, deadline).await
    }

    /// The verdict as it is sent, kept for as long as `window` says; absent: for this request alone.
    fn conclude(
        &self,
        question: &Question<'_>,
        finding: Finding,
        window: Option<Window>,
        came: Instant,
    ) -> Arc<Kept> {
        let Finding { outcome, word, .. } = finding;
        let decision = question.decided(&self.trust, outcome);
        let answers = self.answers(question, &decision);
        let reject = decision.outcome.reject();
        let signed = match decision.outcome {
            Outcome::Accepted(signed) => word.is_some().then_some(signed),
            Outcome::Refused { .. } => None,
        };
        let mut kept = Kept::new(answers, reject, window.unwrap_or(Window::ALWAYS));
        (kept.word, kept.signed) = (word, signed);
        let kept = Arc::new(kept);
        if window.is_some() {
            self.cache.keep(question.key, &kept, came);
            self.metrics.show_cache(self.cache.size());
        }
        kept
    }

    /// What is sent of a decision: of a bound token one ACK to clients that show what they have to, and another one to all
    /// others.
    fn answers(&self, question: &Question<'_>, decision: &Decision) -> Answers {
        let ack = |of: &Decision| self.acks.of(of, &question.claimed(&self.trust, &of.outcome));
        let unproved = decision.unproved();
        // A proof is judged for each request, when its answer is sent.
        let evidence = Evidence { key: decision.confirmation.key, ..question.evidence };
        let is_proved = decision.confirmation.judge(&evidence).is_ok();
        let own = unproved.as_ref().filter(|_| !is_proved).unwrap_or(decision);
        own.log(question.request.as_deref());
        match &unproved {
            None => Answers::Same(ack(decision)),
            Some(unproved) => Answers::ByProof(Box::new(ByProof {
                confirmation: decision.confirmation,
                proved: ack(decision),
                unproved: ack(unproved),
            })),
        }
    }

    fn overloaded(&self, question: &Question<'_>) -> Arc<Kept> {
        let decision = question.decided(&self.trust, Outcome::refused(Reject::Overloaded));
        let ack = self.acks.of(&decision, &Claimed::default());
        Arc::new(Kept::new(Answers::Same(ack), Some(Reject::Overloaded), Window::ALWAYS))
    }

    fn send(
        &self,
        kept: &Arc<Kept>,
        question: &Question<'_>,
        now: UnixTime,
        asker: Asker<'_>,
        out: &mut Vec<u8>,
    ) {
        let too_large = || question.decided(&self.trust, Outcome::refused(Reject::AnswerSize));
        let policy = question.policy(&self.trust).map(|policy| policy.name.as_str());
        let nonce = self.prover.nonce(policy, now);
        match self.prover.prove(kept, question, now) {
            Ok(Proved { evidence, proof }) => {
                self.tell_opened(kept, question, evidence);
                // HAProxy's own map answers no request that may stay open, so that each of these gets it.
                let is_told = question.may_stay_open && kept.lets_in(&evidence);
                let ttl = is_told.then(|| kept.window.seconds_left(now)).flatten();
                let own = self.acks.own(Own { proof, nonce, ttl });
                self.acks.send(&own, kept.ack(&evidence), asker, out, too_large);
            }
            Err(reject) => {
                let refused = question.decided(&self.trust, Outcome::refused(reject));
                refused.log(asker.name);
                let ack = self.acks.of(&refused, &question.claimed(&self.trust, &refused.outcome));
                let own = self.acks.own(Own { nonce, ..Own::default() });
                self.acks.send(&own, &ack, asker, out, too_large);
            }
        }
    }
}

#[cfg(test)]
mod tests;

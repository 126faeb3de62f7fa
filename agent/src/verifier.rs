//! What a request is judged by, in the parts that [`crate::responder`] puts in order.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jose::{
    ClaimNames, Claimed, Claims, Hint, IssuerPolicy, Policy, Profile, Refusal, Reject, Signed, TokenHash,
    TokenVersion, Trust, UnixTime, Verdict, Window,
};
use keys::{KeyRing, Keys, KeysView, Newer};
use revocation::check::{Check, CheckResult};
use revocation::lease::{Stamp, Word};
use serde_json::value::RawValue;

use crate::answer::{Decision, Outcome};
use crate::cache::Key;
use crate::request::Request;
use crate::token_server::{Answer, TokenServer};
use crate::unknown_policies::UnknownPolicies;

/// Judges requests; shared by all connections.
#[derive(Debug)]
pub struct Verifier {
    keys: Arc<KeyRing>,
    trust: Trust,
    schemes: Vec<String>,
    max_token_bytes: usize,
    token_server: Option<TokenServer>,
    unknown_policies: UnknownPolicies,
}

impl Verifier {
    /// A verifier over the keys that `keys` holds at the time of each request.
    pub fn new(
        keys: Arc<KeyRing>,
        trust: Trust,
        schemes: Vec<String>,
        max_token_bytes: usize,
        token_server: Option<TokenServer>,
    ) -> Self {
        let unknown_policies = UnknownPolicies::default();
        Self { keys, trust, schemes, max_token_bytes, token_server, unknown_policies }
    }

    /// What operators see of the keys.
    pub fn keys_view(&self, now: UnixTime) -> KeysView {
        self.keys.view(&self.trust, now)
    }

    /// What is asked, as far as it can be told without looking at the token.
    ///
    /// # Errors
    ///
    /// The decision, where that tells it already.
    pub fn question<'a>(&self, request: &'a Request<'_>) -> Result<Question<'a>, Box<Decision>> {
        let mut decision = Decision {
            outcome: Outcome::refused(Reject::UnknownPolicy),
            names: ClaimNames::default(),
            id: None,
            profile: self.trust.profile(),
            policy: None,
        };
        let name = match request.policy() {
            Ok(name) => name,
            Err(reject) => {
                decision.outcome = Outcome::refused(reject);
                return Err(Box::new(decision));
            }
        };
        let mut routes = self.trust.policies().iter().enumerate();
        let found = match name {
            None => routes.next(),
            Some(name) => routes.find(|(_, route)| route.name == name),
        };
        let Some((route, named)) = found else {
            self.unknown_policies.tell(name.unwrap_or_default());
            return Err(Box::new(decision));
        };
        match request.token(&self.schemes, self.max_token_bytes) {
            Ok(token) => {
                let keys = self.keys.current();
                let key = Key { token: TokenHash::of(&token), route, keys: keys.version };
                Ok(Question { token, key, keys, request: request.name().map(Cow::Borrowed) })
            }
            Err(reject) => {
                decision.policy = Some(named.name.clone());
                decision.outcome = Outcome::refused(reject);
                Err(Box::new(decision))
            }
        }
    }

    /// The decision on a question, with this outcome.
    pub fn decision(&self, key: &Key, outcome: Outcome) -> Decision {
        let route = self.trust.policies().get(key.route);
        let signed = match &outcome {
            Outcome::Accepted(signed) => Some(signed),
            Outcome::Refused { signed, .. } => signed.as_ref(),
        };
        let names = route.zip(signed).map(|(route, signed)| self.trust.claim_names(route, signed));
        Decision {
            names: names.unwrap_or_default(),
            outcome,
            id: Some(key.token.fingerprint()),
            profile: self.trust.profile(),
            policy: route.map(|route| route.name.clone()),
        }
    }

    /// What is counted and logged of a token beside the decision on it.
    pub fn claimed(&self, question: &Question<'_>, outcome: &Outcome) -> Claimed<'_> {
        match (outcome, self.trust.policies().get(question.key.route)) {
            (Outcome::Accepted(signed), _) => {
                let issuer = self.trust.issuer_policy(signed).ok().and_then(IssuerPolicy::name);
                Claimed { issuer, kid: None }
            }
            (Outcome::Refused { .. }, Some(route)) => self.trust.claimed(&question.token, route),
            (Outcome::Refused { .. }, None) => Claimed::default(),
        }
    }

    /// Judges the token alone: signature and policy, without revocation.
    pub fn judge_token(&self, question: &Question<'_>, now: UnixTime) -> Judgement {
        let Some(route) = self.trust.policies().get(question.key.route) else {
            return Judgement::alone(Outcome::refused(Reject::UnknownPolicy));
        };
        let (verdict, missing) = self.judge_signed(&question.token, question, route, now);
        Judgement { outcome: verdict.into(), word: None, missing }
    }

    /// The verdict on a signed token, and what it says of itself where newer keys might change it.
    fn judge_signed(
        &self,
        token: &str,
        question: &Question<'_>,
        route: &Policy,
        now: UnixTime,
    ) -> (Verdict, Option<Hint>) {
        let verdict = self.trust.verify(token, &question.keys.sets, route, now);
        let missing = match &verdict {
            Verdict::Refuse(refusal) if refusal.reject.suggests_newer_keys() => {
                Some(self.trust.hint(token, route))
            }
            Verdict::Refuse(_) | Verdict::Accept(_) => None,
        };
        (verdict, missing)
    }

    /// When a token that was accepted may be used.
    ///
    /// # Errors
    ///
    /// It does not say so after all.
    pub fn window(&self, signed: &Signed) -> Result<Window, Reject> {
        self.trust.window(signed)
    }

    /// The keys after those of the question, which came `since` then, for a token that newer ones might verify.
    pub async fn newer_keys(
        &self,
        question: &Question<'_>,
        missing: &Hint,
        since: Instant,
        deadline: Instant,
        now: UnixTime,
    ) -> Newer {
        self.keys.newer_than(question.key.keys, missing, since.into(), deadline.into(), now).await
    }

    /// Judges an encrypted token, which only a token-server can open: its verdict on time and rules, then ours on the
    /// policy, and on the signature where one is inside.
    pub async fn judge_encrypted(
        &self,
        question: &Question<'_>,
        now: UnixTime,
        deadline: Instant,
    ) -> Judgement {
        let Some(server) = &self.token_server else {
            return Judgement::alone(Outcome::refused(match self.trust.profile() {
                Profile::Standard => Reject::Unsupported,
                // The backends of this profile have the keys and decide themselves when we cannot.
                Profile::MsUsers => Reject::NoTokenServer,
            }));
        };
        let answer = match server.check(Check::Token(question.token.clone().into_owned()), deadline).await {
            Ok(answer) => answer,
            Err(reject) => return Judgement::alone(Outcome::refused(reject)),
        };
        let word = Some(word(&answer));
        let verdict = answer.result.verdict();
        let (judged, missing) = self.judge_opened(answer.result, question, now);
        let missing = missing.filter(|_| verdict.is_ok());
        Judgement { outcome: of_both(verdict, judged), word, missing }
    }

    fn judge_opened(
        &self,
        result: CheckResult,
        question: &Question<'_>,
        now: UnixTime,
    ) -> (Verdict, Option<Hint>) {
        let refused = |reject| (Verdict::Refuse(Refusal { reject, signed: None }), None);
        let Some(route) = self.trust.policies().get(question.key.route) else {
            return refused(Reject::UnknownPolicy);
        };
        let header = result.header.as_deref().map(RawValue::get);
        match (result.token, header, result.claims) {
            (Some(nested), _, _) => self.judge_signed(&nested, question, route, now),
            (None, Some(header), Some(claims)) => match Claims::parse(claims.get().as_bytes()) {
                Ok(claims) => {
                    let version = TokenVersion::Stateless;
                    let decrypted = Signed { header: header.to_owned(), claims, version };
                    (self.trust.validate_decrypted(decrypted, route, now), None)
                }
                Err(reject) => refused(reject),
            },
            // An answer without the claims cannot make a token valid.
            (None, _, _) => refused(Reject::Unsupported),
        }
    }

    /// Judges what a signature vouches for by the revocation rules, if somebody is there to ask about them.
    pub async fn judge_revocation(&self, signed: Signed, deadline: Instant) -> Judgement {
        let Some(server) = &self.token_server else {
            return Judgement::alone(Outcome::Accepted(signed));
        };
        let payload = RawValue::from_string(signed.claims.as_json().to_owned());
        let answer = match payload {
            Ok(payload) => server.check(Check::Payload(payload), deadline).await,
            Err(_) => Err(Reject::Malformed),
        };
        match answer {
            Ok(answer) => {
                let word = Some(word(&answer));
                let outcome = match answer.result.verdict() {
                    Ok(()) => Outcome::Accepted(signed),
                    Err(reject) => Outcome::Refused { reject, signed: Some(signed) },
                };
                Judgement { outcome, word, missing: None }
            }
            Err(reject) => Judgement::alone(Outcome::Refused { reject, signed: Some(signed) }),
        }
    }
}

/// What a token-server's verdict on an encrypted token and our own on what was in it come to.
fn of_both(theirs: Result<(), Reject>, ours: Verdict) -> Outcome {
    match (theirs, ours) {
        // As ms-users has it: a refresh token says so before it says that it is expired or revoked.
        (Err(_), refresh @ Verdict::Refuse(Refusal { reject: Reject::RefreshToken, .. })) => refresh.into(),
        // What was opened tells the token's version, whatever the verdict.
        (Err(reject), Verdict::Accept(signed) | Verdict::Refuse(Refusal { signed: Some(signed), .. })) => {
            Outcome::Refused { reject, signed: Some(signed) }
        }
        (Err(reject), Verdict::Refuse(Refusal { signed: None, .. })) => Outcome::refused(reject),
        (Ok(()), ours) => ours.into(),
    }
}

/// An outcome, and what a token-server said if it rests on that.
#[derive(Debug)]
pub struct Judgement {
    /// What is decided.
    pub outcome: Outcome,
    /// Whose word it is.
    pub word: Option<Word>,
    /// What a refused token says of itself, where newer keys might verify it.
    pub missing: Option<Hint>,
}

impl Judgement {
    /// What no token-server has a part in.
    pub const fn alone(outcome: Outcome) -> Self {
        Self { outcome, word: None, missing: None }
    }
}

fn word(answer: &Answer) -> Word {
    let ago = Duration::from_millis(answer.result.read_ago);
    // An age that this clock cannot hold is of no read that could be relied on.
    let read = answer.asked.checked_sub(ago);
    let stamp = Stamp {
        server: answer.server,
        epoch: Arc::clone(&answer.epoch),
        revision: answer.revision,
        vouched: answer.result.vouched && read.is_some(),
        asked: answer.asked,
        read: read.unwrap_or(answer.asked),
    };
    Word::new(stamp, answer.result.subject.as_deref().map(Into::into))
}

/// A token and what it is to be judged by.
#[derive(Clone)]
pub struct Question<'a> {
    /// The token.
    pub token: Cow<'a, str>,
    /// What its verdict is kept under.
    pub key: Key,
    /// The keys of that version.
    keys: Arc<Keys>,
    /// What a log calls the request.
    pub request: Option<Cow<'a, str>>,
}

impl Question<'_> {
    /// Asks by other keys from now on.
    pub fn renew(&mut self, keys: Arc<Keys>) {
        self.key.keys = keys.version;
        self.keys = keys;
    }

    /// The same question, for longer than the request is at hand.
    pub fn into_owned(self) -> Question<'static> {
        Question {
            token: self.token.into_owned().into(),
            key: self.key,
            keys: self.keys,
            request: self.request.map(|name| name.into_owned().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_refresh_token_says_so_before_it_says_that_it_is_expired_or_revoked() {
        let signed = || {
            let claims = Claims::parse(br#"{"irt":1}"#).unwrap();
            Some(Signed { header: "{}".to_owned(), claims, version: TokenVersion::Stateless })
        };
        let reject_of =
            |theirs, ours, signed| match of_both(theirs, Verdict::Refuse(Refusal { reject: ours, signed })) {
                Outcome::Refused { reject, signed } => (reject, signed.is_some()),
                Outcome::Accepted(_) => panic!("two refusals are no verdict to accept"),
            };
        for theirs in [Reject::Expired, Reject::Revoked, Reject::NotYetValid, Reject::Rules] {
            for (ours, expected) in [
                (Reject::RefreshToken, Reject::RefreshToken),
                (Reject::Expired, theirs),
                (Reject::Signature, theirs),
            ] {
                assert_eq!(reject_of(Err(theirs), ours, signed()), (expected, true), "{theirs:?} {ours:?}");
                assert_eq!(reject_of(Err(theirs), ours, None), (expected, false), "{theirs:?} {ours:?}");
            }
        }
        assert_eq!(reject_of(Ok(()), Reject::RefreshToken, signed()), (Reject::RefreshToken, true));
        let good = |theirs| of_both(theirs, Verdict::Accept(signed().unwrap()));
        assert!(matches!(good(Ok(())), Outcome::Accepted(_)));
        let revoked = good(Err(Reject::Revoked));
        assert!(matches!(revoked, Outcome::Refused { reject: Reject::Revoked, signed: Some(_) }));
    }
}

//! One request, from its arguments to a decision. The checks stand in the order in which they are made.

use std::sync::Arc;
use std::time::Instant;

use jose::{Profile, Refusal, Reject, Route, Signed, TokenForm, Trust, UnixTime, Verdict, fingerprint};
use service::check::Check;

use crate::answer::{Decision, Outcome};
use crate::keys::KeyRing;
use crate::request::{Request, Text};
use crate::token_server::TokenServer;

/// Judges requests; shared by all connections.
#[derive(Debug)]
pub struct Verifier {
    keys: Arc<KeyRing>,
    trust: Trust,
    schemes: Vec<String>,
    max_token_bytes: usize,
    token_server: Option<TokenServer>,
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
        Self { keys, trust, schemes, max_token_bytes, token_server }
    }

    /// Judges one request that is worth an answer until `deadline`.
    pub async fn decide(&self, request: &Request, now: UnixTime, deadline: Instant) -> Decision {
        let mut decision = Decision {
            outcome: Outcome::refused(Reject::UnknownPolicy),
            id: None,
            profile: self.trust.profile(),
            policy: None,
        };
        let route = match &request.policy {
            Text::Absent => self.trust.route(None),
            Text::Given(name) => self.trust.route(Some(name)),
            Text::Binary => None,
        };
        let Some(route) = route else {
            return decision;
        };
        decision.policy = Some(route.name.clone());
        decision.outcome = match request.token(&self.schemes, self.max_token_bytes) {
            Err(reject) => Outcome::refused(reject),
            Ok(token) => {
                decision.id = Some(fingerprint(token));
                self.judge(token, route, now, deadline).await
            }
        };
        decision
    }

    async fn judge(&self, token: &str, route: &Route, now: UnixTime, deadline: Instant) -> Outcome {
        // HAProxy has given up on a request that waited longer than its budget; deciding it would only delay others.
        if Instant::now() >= deadline {
            return Outcome::refused(Reject::Overloaded);
        }
        if TokenForm::of(token) == TokenForm::Jwe {
            return self.judge_encrypted(token, deadline).await;
        }
        match self.trust.verify(token, &self.keys.current(), route, now) {
            Verdict::Accept(signed) => self.judge_revocation(signed, deadline).await,
            Verdict::Refuse(Refusal { reject, signed }) => {
                if reject.suggests_newer_keys() {
                    self.keys.refresh_soon();
                }
                Outcome::Refused { reject, signed }
            }
        }
    }

    async fn judge_encrypted(&self, token: &str, deadline: Instant) -> Outcome {
        let Some(server) = &self.token_server else {
            return Outcome::refused(match self.trust.profile() {
                Profile::Standard => Reject::Unsupported,
                // The backends of this profile have the keys and decide themselves when we cannot.
                Profile::MsUsers => Reject::NoTokenServer,
            });
        };
        match server.check(Check::Token(token.to_owned()), deadline).await {
            Err(reject) => Outcome::refused(reject),
            // An answer without the claims cannot make a decrypted token valid.
            Ok(()) => Outcome::refused(Reject::Unsupported),
        }
    }

    async fn judge_revocation(&self, signed: Signed, deadline: Instant) -> Outcome {
        let Some(server) = &self.token_server else {
            return Outcome::Accepted(signed);
        };
        let Ok(payload) = serde_json::value::RawValue::from_string(signed.claims.as_json().to_owned()) else {
            return Outcome::Refused { reject: Reject::Malformed, signed: None };
        };
        match server.check(Check::Payload(payload), deadline).await {
            Ok(()) => Outcome::Accepted(signed),
            Err(reject) => Outcome::Refused { reject, signed: Some(signed) },
        }
    }
}

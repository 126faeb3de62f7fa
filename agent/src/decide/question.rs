//! What is asked: the token of a request, what it shows beside it, the policy that is to be applied, and the keys at hand.

use std::borrow::Cow;
use std::sync::Arc;

use jose::{
    AuthScheme, ClaimNames, Claimed, Confirmation, Evidence, IssuerPolicy, Opaque, Policy, Reject,
    ShownProof, TokenForm, TokenHash, Trust,
};
use keys::{KeyRing, Keys};

use super::unknown_policies::UnknownPolicies;
use crate::cache::Key;
use crate::decision::{Decision, Outcome};
use crate::mcp::Rows;
use crate::request::{CertificateForm, Request, Stream};

/// Where the token of a request may stand, and how long it may be.
#[derive(Debug)]
pub struct Reading {
    /// Accepted schemes of `Authorization`.
    pub schemes: Vec<String>,
    /// The longest token.
    pub max_token_bytes: usize,
    /// Which policy judges which call.
    pub mcp: Rows,
    /// How certificates of clients are told.
    pub certificates: CertificateForm,
    /// Those that HAProxy named.
    pub unknown_policies: UnknownPolicies,
}

/// A token, and what it is to be decided by.
#[derive(Clone)]
pub struct Question<'a> {
    /// The token.
    pub token: Cow<'a, str>,
    /// What the request shows of its client beside it.
    pub evidence: Evidence,
    /// The proof of its client's key, which is judged when the token is known to be good; absent where the scheme is not `DPoP`.
    pub proof: Option<Result<Box<ShownProof<'a>>, Reject>>,
    /// What its verdict is kept under.
    pub key: Key,
    /// The keys of that version.
    pub keys: Arc<Keys>,
    /// What a log calls the request.
    pub request: Option<Cow<'a, str>>,
    /// Whether the request may stay open after its answer.
    pub may_stay_open: bool,
    /// The stream that it may open, where streams are looked after.
    pub stream: Option<Stream>,
}

impl<'a> Question<'a> {
    /// What a request asks, as far as that can be known without looking at the token.
    ///
    /// # Errors
    ///
    /// The decision, where that decides already.
    pub fn of(
        request: &'a Request<'_>,
        reading: &Reading,
        trust: &Trust,
        keys: &KeyRing,
    ) -> Result<Self, Box<Decision>> {
        let scheme = request.scheme(&reading.schemes);
        let refused = |reject, policy: Option<&Policy>| {
            let outcome = Outcome::refused(reject);
            Box::new(Decision {
                version: outcome.version(trust.profile(), None),
                outcome,
                confirmation: Confirmation::NONE,
                names: ClaimNames::default(),
                id: None,
                policy: policy.map(|policy| policy.name.clone()),
                challenges: policy.map(|policy| policy.challenges.clone()),
                scheme,
            })
        };
        let name = request.policy().map_err(|reject| refused(reject, None))?;
        let mut policies = trust.policies().iter().enumerate();
        let found = match name {
            None => policies.next(),
            Some(name) if reading.mcp.has(name) => {
                let call = request.mcp_call();
                let decider = call.and_then(|call| reading.mcp.decider(name, &call));
                policies.nth(decider.map_err(|reject| refused(reject, None))?)
            }
            Some(name) => policies.find(|(_, policy)| policy.name == name),
        };
        let Some((index, policy)) = found else {
            reading.unknown_policies.warn(name.unwrap_or_default());
            return Err(refused(Reject::UnknownPolicy, None));
        };
        let token = request
            .token(&reading.schemes, reading.max_token_bytes)
            .map_err(|reject| refused(reject, Some(policy)))?;
        let evidence = request.evidence(reading.certificates);
        let evidence = evidence.map_err(|reject| refused(reject, Some(policy)))?;
        let keys = keys.current();
        let key = Key { token: TokenHash::of(&token), policy: index, keys: keys.version, scheme };
        // Beside a token of another scheme a proof is not looked at.
        let proof = (scheme == AuthScheme::Dpop).then(|| request.shown_proof());
        Ok(Self {
            token,
            evidence,
            proof,
            key,
            keys,
            request: request.name().map(Cow::Borrowed),
            may_stay_open: request.may_stay_open(),
            stream: None,
        })
    }

    /// Asks by other keys from now on.
    pub fn renew(&mut self, keys: Arc<Keys>) {
        self.key.keys = keys.version;
        self.keys = keys;
    }

    /// The same question, for longer than the request is at hand.
    pub fn into_owned(self) -> Question<'static> {
        Question {
            token: self.token.into_owned().into(),
            evidence: self.evidence,
            proof: self.proof.map(|shown| shown.map(|shown| Box::new(shown.into_owned()))),
            key: self.key,
            keys: self.keys,
            request: self.request.map(|name| name.into_owned().into()),
            may_stay_open: self.may_stay_open,
            stream: self.stream,
        }
    }

    /// The policy that is to be applied.
    pub fn policy<'t>(&self, trust: &'t Trust) -> Option<&'t Policy> {
        trust.policies().get(self.key.policy)
    }

    /// Whether the token is one that is no JWT, and its policy has a token-server asked about those.
    pub fn is_introspected(&self, trust: &Trust) -> bool {
        TokenForm::of(&self.token) == TokenForm::Opaque
            && self.policy(trust).is_some_and(|policy| policy.opaque == Opaque::Introspect)
    }

    /// The decision, with this outcome, for clients that show what they have to. A token whose binding cannot be told is
    /// refused.
    pub fn decided(&self, trust: &Trust, outcome: Outcome) -> Decision {
        let policy = self.policy(trust);
        let asked = match (outcome.shown(), policy) {
            (None, _) => Ok(Confirmation::NONE),
            (Some(signed), Some(policy)) => trust.confirmation(signed, policy, self.key.scheme),
            (Some(_), None) => Err(Reject::UnknownPolicy),
        };
        let (outcome, confirmation) = match asked {
            Ok(confirmation) => (outcome, confirmation),
            Err(reject) => (Outcome::refused(reject), Confirmation::NONE),
        };
        let names = policy.zip(outcome.signed()).map(|(policy, signed)| trust.claim_names(policy, signed));
        Decision {
            names: names.unwrap_or_default(),
            version: outcome.version(trust.profile(), Some(TokenForm::of(&self.token))),
            outcome,
            confirmation,
            id: Some(self.key.token.fingerprint()),
            policy: policy.map(|policy| policy.name.clone()),
            challenges: policy.map(|policy| policy.challenges.clone()),
            scheme: self.key.scheme,
        }
    }

    /// What is counted and logged of the token beside the decision on it.
    pub fn claimed<'t>(&self, trust: &'t Trust, outcome: &Outcome) -> Claimed<'t> {
        match (outcome, self.policy(trust)) {
            (Outcome::Accepted(signed), _) => {
                let issuer = trust.issuer_policy(signed).ok().and_then(IssuerPolicy::name);
                Claimed { issuer, ..Claimed::default() }
            }
            (Outcome::Refused { reject: Reject::Issuer, .. }, Some(policy)) => {
                let stranger = trust.named_issuer(&self.token);
                Claimed { stranger, ..trust.claimed(&self.token, policy) }
            }
            (Outcome::Refused { .. }, Some(policy)) => trust.claimed(&self.token, policy),
            (Outcome::Refused { .. }, None) => Claimed::default(),
        }
    }
}

#[cfg(test)]
mod tests;

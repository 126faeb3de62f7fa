//! What was decided about a request.

use jose::{
    AuthScheme, Challenges, ClaimNames, Confirmation, Profile, Reason, Refusal, Reject, Signed, TokenForm,
    TokenVersion, Verdict,
};

/// What was decided about one request.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The outcome, for a client that shows what it has to.
    pub outcome: Outcome,
    /// What that is.
    pub confirmation: Confirmation,
    /// Short names that claims have as variables.
    pub names: ClaimNames,
    /// Fingerprint of the token; absent when there was none.
    pub id: Option<String>,
    /// Which kind of token it was; absent in profiles that tell no kinds, and where nothing could be decided.
    pub version: Option<TokenVersion>,
    /// The name of the policy that was applied; absent when an unknown one was asked for.
    pub policy: Option<String>,
    /// What that policy tells a client that is refused.
    pub challenges: Option<Challenges>,
    /// The scheme behind which the token stands.
    pub scheme: AuthScheme,
}

/// Accepted or refused.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Signature, policy and revocation all passed.
    Accepted(Signed),
    /// Refused; `signed` is there once the signature was good.
    Refused {
        /// Why.
        reject: Reject,
        /// Header and claims whose signature is good.
        signed: Option<Signed>,
    },
}

impl Decision {
    /// Refused for this reason instead, with nothing shown of the token.
    #[must_use]
    pub fn refused(self, reject: Reject) -> Self {
        Self { outcome: Outcome::refused(reject), confirmation: Confirmation::NONE, ..self }
    }

    /// The decision for clients that do not show what they have to; absent where nothing has to be shown.
    pub fn unproved(&self) -> Option<Self> {
        let signed = self.outcome.signed().cloned();
        let outcome = Outcome::Refused { reject: Reject::Binding, signed };
        let is_bound = !self.confirmation.is_none();
        is_bound.then(|| Self { outcome, confirmation: Confirmation::NONE, ..self.clone() })
    }

    /// What its client is told; absent where a better token would not help.
    pub fn challenge(&self) -> Option<&str> {
        self.challenges.as_ref()?.of(self.outcome.reject()?, self.scheme)
    }

    /// For the operator who has a token's fingerprint, or a request's name, from HAProxy's log. Never the token, nor what is in
    /// it.
    pub fn log(&self, request: Option<&str>) {
        tracing::debug!(
            request,
            id = self.id.as_deref(),
            reason = self.outcome.reason().as_str(),
            detail = self.outcome.detail(),
            policy = self.policy.as_deref(),
            "decided"
        );
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept(signed) => Self::Accepted(signed),
            Verdict::Refuse(Refusal { reject, signed }) => Self::Refused { reject, signed },
        }
    }
}

impl Outcome {
    /// Refused, with nothing verified about the token.
    pub const fn refused(reject: Reject) -> Self {
        Self::Refused { reject, signed: None }
    }

    /// What becomes of a token that no key at hand verifies, while newer keys may exist and cannot be had.
    #[must_use]
    pub fn undecided(self) -> Self {
        match self {
            // There are no keys at all: that is the better word.
            Self::Refused { reject: Reject::NoKeys, .. } => self,
            Self::Refused { .. } | Self::Accepted(_) => Self::refused(Reject::KeysStale),
        }
    }

    /// Why it was refused, if it was.
    pub const fn reject(&self) -> Option<Reject> {
        match self {
            Self::Accepted(_) => None,
            Self::Refused { reject, .. } => Some(*reject),
        }
    }

    /// What a good signature vouches for, if there was one.
    pub const fn signed(&self) -> Option<&Signed> {
        match self {
            Self::Accepted(signed) => Some(signed),
            Self::Refused { signed, .. } => signed.as_ref(),
        }
    }

    /// The coarse code.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Accepted(_) => Reason::Ok,
            Self::Refused { reject, .. } => reject.reason(),
        }
    }

    /// The one word.
    pub const fn detail(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "ok",
            Self::Refused { reject, .. } => reject.detail(),
        }
    }

    /// Which kind of token it was, by its form and by what is in it. Only the `ms-users` profile tells; and where nothing could
    /// be decided its backends look for themselves.
    ///
    /// An encrypted token is a stateless one whether it opens or not: its refusal is final, where that of a legacy one sends
    /// backends to their own check.
    pub fn version(&self, profile: Profile, form: Option<TokenForm>) -> Option<TokenVersion> {
        match (profile, self.reason(), form) {
            (Profile::Standard, _, _) | (Profile::MsUsers, Reason::BackendUnavailable, _) => None,
            (Profile::MsUsers, _, Some(TokenForm::Jwe)) => Some(TokenVersion::Stateless),
            (Profile::MsUsers, _, Some(TokenForm::Jws | TokenForm::Opaque | TokenForm::Other) | None) => {
                Some(self.signed().map_or(TokenVersion::Legacy, |signed| signed.version))
            }
        }
    }

    /// What may be shown of the token: everything when accepted, and of a legacy token, whose signature was good.
    pub const fn shown(&self) -> Option<&Signed> {
        match self {
            Self::Accepted(signed) | Self::Refused { reject: Reject::Legacy, signed: Some(signed) } => {
                Some(signed)
            }
            Self::Refused { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;

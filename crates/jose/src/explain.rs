//! Why a verdict is what it is, for a person who asks.
//!
//! Slower than [`Trust::verify`], whose verdict it repeats: every key is accounted for. Nothing here holds a key.

use crate::trust::Choice;
use crate::{Claims, KeyKind, KeySet, Policy, SkippedKey, Trust, UnixTime, Verdict};

/// The verdict on a token and what led to it.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The verdict, as [`Trust::verify`] gives it.
    pub verdict: Verdict,
    /// The header as compact JSON, if the token could be taken apart; not verified.
    pub header: Option<String>,
    /// The claims, if the payload holds some; not verified.
    pub claims: Option<Claims>,
    /// The issuer whose keys were tried; absent when any issuer is accepted, or none was found.
    pub issuer: Option<String>,
    /// What became of each key of that issuer, in the order of its sources.
    pub keys: Vec<KeyTrial>,
    /// The keys of that issuer that were left out and that the token may mean: those of its `kid` and
    /// those without a readable one, or all if it names none.
    pub left_out: Vec<SkippedKey>,
}

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTrial {
    /// The key's identifier.
    pub kid: Option<String>,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// Whether it was tried.
    pub outcome: TrialOutcome,
}

/// Why a key was tried or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialOutcome {
    /// It made the signature.
    Verified,
    /// It was tried, and did not make the signature.
    Failed,
    /// It cannot verify the token's algorithm, by its type, curve, size or own `alg`.
    OtherAlgorithm,
    /// The token names another `kid`.
    OtherKid,
    /// It says that it is another tenant's.
    OtherTenant,
    /// Another key verified before its turn, or the limit of tried keys was reached.
    NotReached,
    /// The token's algorithm is not allowed, so that no key was tried.
    NotAllowed,
}

impl TrialOutcome {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "made the signature",
            Self::Failed => "tried, did not make the signature",
            Self::OtherAlgorithm => "not tried: it cannot verify the token's algorithm",
            Self::OtherKid => "not tried: the token names another kid",
            Self::OtherTenant => "not tried: it says that it is another tenant's",
            Self::NotReached => "not tried: it was not its turn",
            Self::NotAllowed => "not tried: the token's algorithm is not allowed",
        }
    }
}

impl Trust {
    /// Decides on a token as [`verify`](Self::verify) does, and says how that came.
    pub fn explain(&self, token: &str, keys: &[KeySet], policy: &Policy, now: UnixTime) -> Explanation {
        let mut explanation = Explanation {
            verdict: self.verify(token, keys, policy, now),
            header: None,
            claims: None,
            issuer: None,
            keys: Vec::new(),
            left_out: Vec::new(),
        };
        let Ok(unverified) = self.open(token) else {
            return explanation;
        };
        let header = unverified.header();
        explanation.header = Some(header.json.clone());
        explanation.claims = Claims::parse(unverified.payload()).ok();
        let Ok(Choice { issuer, keys, owner, algorithms }) = self.choose(&unverified, keys, policy) else {
            return explanation;
        };
        explanation.issuer = issuer.policy.issuers.first().map(ToString::to_string);
        let is_meant = |skipped: &&SkippedKey| {
            header.kid.is_none() || skipped.kid.is_none() || skipped.kid == header.kid
        };
        explanation.left_out = keys.skipped().iter().filter(is_meant).cloned().collect();
        let allowed = algorithms.contains(header.algorithm);
        let mut turns: Vec<_> = keys.candidates(header, &owner).collect();
        let maker = turns.iter().position(|key| unverified.is_signed_by(key));
        turns.truncate(maker.map_or(turns.len(), |turn| turn.saturating_add(1)));
        explanation.keys = keys
            .keys()
            .iter()
            .map(|key| {
                let turn = turns.iter().position(|tried| std::ptr::eq(*tried, key));
                let outcome = match turn {
                    _ if !allowed => TrialOutcome::NotAllowed,
                    Some(turn) if Some(turn) == maker => TrialOutcome::Verified,
                    Some(_) => TrialOutcome::Failed,
                    None if !key.algorithms().contains(header.algorithm) => TrialOutcome::OtherAlgorithm,
                    None if !owner.may_use(key) => TrialOutcome::OtherTenant,
                    None if header.kid.is_some() && key.kid() != header.kid.as_deref() => {
                        TrialOutcome::OtherKid
                    }
                    None => TrialOutcome::NotReached,
                };
                KeyTrial { kid: key.kid().map(str::to_owned), kind: key.kind(), outcome }
            })
            .collect();
        explanation
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_outcome_is_told_in_words_of_its_own() {
        let outcomes = [
            TrialOutcome::Verified,
            TrialOutcome::Failed,
            TrialOutcome::OtherAlgorithm,
            TrialOutcome::OtherKid,
            TrialOutcome::OtherTenant,
            TrialOutcome::NotReached,
            TrialOutcome::NotAllowed,
        ];
        let words: BTreeSet<_> = outcomes.iter().map(|outcome| outcome.as_str()).collect();
        assert_eq!(words.len(), outcomes.len());
        let tried = |outcome: &TrialOutcome| matches!(outcome, TrialOutcome::Verified | TrialOutcome::Failed);
        for outcome in outcomes {
            assert_eq!(!outcome.as_str().starts_with("not tried: "), tried(&outcome), "{outcome:?}");
        }
    }
}

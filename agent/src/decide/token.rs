//! What a token is worth by itself: its signature verified, its claims validated. Pure: no I/O, no clock, and no word on
//! revocation.

use jose::{
    Claims, Hint, Policy, Refusal, Reject, Signed, TokenForm, TokenVersion, Trust, UnixTime, Verdict, Window,
};
use revocation::check::CheckResult;
use revocation::lease::Word;
use serde_json::value::RawValue;

use super::question::Question;
use crate::decision::Outcome;

/// An outcome, and what it rests on.
#[derive(Debug)]
pub struct Finding {
    /// What is decided.
    pub outcome: Outcome,
    /// What a token-server said, where the outcome rests on that.
    pub word: Option<Word>,
    /// What a refused token says of itself, where newer keys might verify it.
    pub hint: Option<Hint>,
}

impl Finding {
    /// What no token-server has a part in.
    pub const fn alone(outcome: Outcome) -> Self {
        Self { outcome, word: None, hint: None }
    }

    /// When the outcome under `policy` may be used again; absent: never.
    pub fn window(&self, trust: &Trust, policy: &Policy, now: UnixTime) -> Option<Window> {
        match &self.outcome {
            Outcome::Accepted(signed) => trust.window(signed, policy).ok(),
            // What is shown of a refused token with a good signature may be shown while the token lasts. A rule can be taken
            // back, which the lease hears of.
            Outcome::Refused { reject, signed } => {
                let is_lasting = reject.is_lasting() || (self.word.is_some() && *reject == Reject::Revoked);
                is_lasting.then(|| {
                    let own = signed.as_ref().and_then(|signed| trust.window(signed, policy).ok());
                    own.filter(|own| own.validate(now).is_ok()).unwrap_or(Window::ALWAYS)
                })
            }
        }
    }
}

/// Verifies and validates the token of a question.
pub fn verify(trust: &Trust, question: &Question<'_>, now: UnixTime) -> Finding {
    let (verdict, hint) = verify_signed(&question.token, trust, question, now);
    Finding { outcome: verdict.into(), word: None, hint }
}

/// Validates what a token-server found in an encrypted token, and verifies the signed token where one is inside, or what it
/// knows of an opaque one; together with the server's own verdict on it.
pub fn verify_opened(
    trust: &Trust,
    question: &Question<'_>,
    result: CheckResult,
    word: Word,
    now: UnixTime,
) -> Finding {
    let theirs = result.verdict();
    let (ours, hint) = verify_inner(trust, question, result, now);
    let hint = hint.filter(|_| theirs.is_ok());
    Finding { outcome: of_both(theirs, ours), word: Some(word), hint }
}

fn verify_inner(
    trust: &Trust,
    question: &Question<'_>,
    result: CheckResult,
    now: UnixTime,
) -> (Verdict, Option<Hint>) {
    let refused = |reject| (Verdict::Refuse(Refusal { reject, signed: None }), None);
    let Some(policy) = question.policy(trust) else {
        return refused(Reject::UnknownPolicy);
    };
    let is_opaque = TokenForm::of(&question.token) == TokenForm::Opaque;
    let header = result.header.as_deref().map(RawValue::get);
    let opened = match (result.token, header, result.claims) {
        // Not a legacy token: it came encrypted.
        (Some(_), _, _) if trust.is_keyless() => return refused(Reject::NoKeys),
        (Some(nested), _, _) if !is_opaque => return verify_signed(&nested, trust, question, now),
        (None, Some(header), Some(claims)) if !is_opaque => {
            let of = |claims| Signed { header: header.to_owned(), claims, version: TokenVersion::Stateless };
            Claims::parse(claims.get().as_bytes()).map(of)
        }
        (None, None, Some(claims)) if is_opaque => Claims::parse(claims.get().as_bytes()).map(Signed::opaque),
        // An answer without the claims cannot make a token valid, nor can one to another question.
        (_, _, _) => Err(Reject::Unsupported),
    };
    match opened {
        Ok(opened) => (trust.validate_decrypted(opened, policy, now), None),
        Err(reject) => refused(reject),
    }
}

/// The verdict on a signed token, and what it says of itself where newer keys might change it.
fn verify_signed(
    token: &str,
    trust: &Trust,
    question: &Question<'_>,
    now: UnixTime,
) -> (Verdict, Option<Hint>) {
    let Some(policy) = question.policy(trust) else {
        return (Verdict::Refuse(Refusal { reject: Reject::UnknownPolicy, signed: None }), None);
    };
    let verdict = trust.verify(token, &question.keys.sets, policy, now);
    let hint = match &verdict {
        Verdict::Refuse(refusal) if refusal.reject.suggests_newer_keys() => Some(trust.hint(token, policy)),
        Verdict::Refuse(_) | Verdict::Accept(_) => None,
    };
    (verdict, hint)
}

/// What a token-server's verdict on a token that it opened and our own on what was in it come to.
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

#[cfg(test)]
mod tests;

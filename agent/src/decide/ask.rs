//! What only a token-server knows: whether a token is revoked, what an encrypted one holds, and what an opaque one means.

use std::sync::Arc;
use std::time::Instant;

use jose::{Profile, Reject, Signed, Trust, UnixTime};
use revocation::check::Check;
use revocation::lease::{Stamp, Word};
use serde_json::value::RawValue;

use super::question::Question;
use super::token::{Finding, verify_opened};
use crate::decision::Outcome;
use crate::token_server::{Answer, TokenServer};

/// Checks what a signature vouches for against the revocation rules, where a token-server is configured.
pub async fn check(server: Option<&TokenServer>, signed: Signed, deadline: Instant) -> Finding {
    let Some(server) = server else {
        return Finding::alone(Outcome::Accepted(signed));
    };
    let payload = RawValue::from_string(signed.claims.as_json().to_owned());
    let answer = match payload {
        Ok(payload) => server.check(Check::Payload(payload), deadline).await,
        Err(_) => Err(Reject::Malformed),
    };
    match answer {
        Ok(answer) => {
            let outcome = match answer.result.verdict() {
                Ok(()) => Outcome::Accepted(signed),
                Err(reject) => Outcome::Refused { reject, signed: Some(signed) },
            };
            Finding { outcome, word: Some(word(&answer)), hint: None }
        }
        Err(reject) => Finding::alone(Outcome::Refused { reject, signed: Some(signed) }),
    }
}

/// Has an encrypted or an opaque token opened: the token-server's verdict on time and rules, then ours on the policy, and on the
/// signature where one is inside.
pub async fn open(
    server: Option<&TokenServer>,
    trust: &Trust,
    question: &Question<'_>,
    now: UnixTime,
    deadline: Instant,
) -> Finding {
    let Some(server) = server else {
        return Finding::alone(Outcome::refused(match trust.profile() {
            Profile::Standard => Reject::Unsupported,
            // The backends of this profile have the keys and decide themselves when we cannot.
            Profile::MsUsers => Reject::NoTokenServer,
        }));
    };
    match server.check(Check::Token(question.token.clone().into_owned()), deadline).await {
        Ok(answer) => {
            let word = word(&answer);
            verify_opened(trust, question, answer.result, word, now)
        }
        Err(reject) => Finding::alone(Outcome::refused(reject)),
    }
}

/// What makes an answer usable again, as long as the lease allows it.
fn word(answer: &Answer) -> Word {
    let Answer { server, asked, epoch, revision, result } = answer;
    let stamp = Stamp::of(result, *server, Arc::clone(epoch), *revision, *asked);
    Word::new(stamp, result.subject.as_deref().map(Into::into))
}

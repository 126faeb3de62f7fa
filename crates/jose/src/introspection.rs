//! Signed answers of authorization servers about tokens (RFC 9701 section 5).
//!
//! An answer is bound to its issuer, to the client that asked, and to a time, but to no token: that it answers this question is
//! what TLS proves. What is judged here keeps out answers of other issuers, answers for other clients, old ones, and tokens that
//! are no answers.

use std::time::Duration;

use crate::issuer::Owner;
use crate::json::{Object, string};
use crate::purpose::is_same_type;
use crate::verify::open;
use crate::{AlgorithmSet, Claim, Claims, IssuerName, KeySet, Profile, Reject, TokenForm, UnixTime};

/// The `typ` of an answer.
const TYPE: &str = "token-introspection+jwt";

/// How far the clocks of both sides may be apart, the time of the call included.
const MAX_SKEW: Duration = Duration::from_secs(60);

/// Why a text is no answer of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// It is encrypted.
    #[error(
        "an encrypted answer, which cannot be read here: have the server only sign its answers to this client \
         (no introspection_encrypted_response_alg)"
    )]
    Encrypted,
    /// As an access token is refused: by its form, its header or its signature.
    #[error("an answer that cannot be verified ({}); are keys and algorithm those of the issuer's jwks_uri?", .0.detail())]
    Refused(Reject),
    /// `iss` is missing, or of another issuer.
    #[error("an answer whose iss is not the issuer")]
    Issuer,
    /// `typ` is missing, or another.
    #[error("a signed text whose typ is not token-introspection+jwt (RFC 9701 section 5)")]
    Type,
    /// `aud` does not name the client.
    #[error("an answer whose aud is not client_id, so that it is for another client")]
    Audience,
    /// A time is missing, no number, or does not fit the time of the question.
    #[error("an answer whose {0} does not fit the time of the question, within 60 s; are both clocks right?")]
    Time(&'static str),
    /// There is no object `token_introspection`.
    #[error("an answer without the object token_introspection (RFC 9701 section 5)")]
    Member,
}

/// What a signed answer says of a token: the JSON object `token_introspection`. It was made for this client, `asked` then, by an
/// issuer of these names and keys; a shared secret is no such key.
///
/// # Errors
///
/// See [`AnswerFault`], of which [`Reject::suggests_newer_keys`] tells whether newer keys might help.
pub fn verify_introspection(
    answer: &str,
    names: &[IssuerName],
    keys: &KeySet,
    client: &str,
    asked: UnixTime,
) -> Result<String, AnswerFault> {
    match TokenForm::of(answer) {
        TokenForm::Jws => {}
        TokenForm::Jwe => return Err(AnswerFault::Encrypted),
        TokenForm::Opaque | TokenForm::Other => return Err(AnswerFault::Refused(Reject::Malformed)),
    }
    let unverified = open(answer, Profile::Standard).map_err(AnswerFault::Refused)?;
    let unproven = Claims::parse(unverified.payload()).map_err(AnswerFault::Refused)?;
    if !names.iter().any(|name| name.is_told_by(&unproven)) {
        return Err(AnswerFault::Issuer);
    }
    let has_type = has_type(&unverified.header().json);
    let asymmetric: AlgorithmSet =
        AlgorithmSet::ALL.iter().filter(|algorithm| !AlgorithmSet::HMAC.contains(*algorithm)).collect();
    let verified = unverified.verify(keys, &Owner::of(names, &unproven), asymmetric);
    let claims =
        Claims::parse(&verified.map_err(AnswerFault::Refused)?.payload).map_err(AnswerFault::Refused)?;
    if !has_type {
        return Err(AnswerFault::Type);
    }
    if !is_for(&claims, client) {
        return Err(AnswerFault::Audience);
    }
    judge_times(&claims, asked)?;
    match claims.get("token_introspection") {
        Some(Claim::Json(json)) if json.starts_with('{') => Ok(json.to_owned()),
        Some(_) | None => Err(AnswerFault::Member),
    }
}

fn has_type(header: &str) -> bool {
    let header = Object::members_of(header);
    let typ = header.as_ref().and_then(|header| header.get("typ")).and_then(string);
    typ.is_some_and(|typ| is_same_type(&typ, TYPE))
}

/// Whether `aud`, a text or a list of them, names the client.
fn is_for(claims: &Claims, client: &str) -> bool {
    match claims.get("aud") {
        Some(Claim::String(told)) => told == client,
        Some(Claim::Json(json)) => {
            let told: Vec<String> = serde_json::from_str(json).unwrap_or_default();
            told.iter().any(|audience| audience == client)
        }
        Some(_) | None => false,
    }
}

/// `iat` must be there (RFC 9701 section 5); `exp` and `nbf` need not, and bind where they are (RFC 7519 section 4.1).
fn judge_times(claims: &Claims, asked: UnixTime) -> Result<(), AnswerFault> {
    let skew = i64::try_from(MAX_SKEW.as_millis()).unwrap_or(i64::MAX);
    let after = |name: &'static str| match claims.numeric_date(name) {
        Ok(date) => Ok(date.map(|date| date.as_millis().saturating_sub(asked.as_millis()))),
        Err(_) => Err(AnswerFault::Time(name)),
    };
    match after("iat")? {
        Some(after) if (-skew..=skew).contains(&after) => {}
        Some(_) | None => return Err(AnswerFault::Time("iat")),
    }
    if after("exp")?.is_some_and(|after| after <= -skew) {
        return Err(AnswerFault::Time("exp"));
    }
    if after("nbf")?.is_some_and(|after| after > skew) {
        return Err(AnswerFault::Time("nbf"));
    }
    Ok(())
}

//! What a security event token of a stream must be (RFC 8417; Shared Signals Framework 1.0 section 4).
//!
//! The signature is verified before (`belief`). A token that was made for something else must not count here: access tokens,
//! ID tokens and logout tokens of the same keys have no `events`, or another type, an `exp` or a `sub`.

use jose::{Claim, SecurityEvent, UnixTime};
use serde_json::{Map, Value};

use super::events::EventFault;
use crate::config::ssf::{Profile, Stream};
use crate::signals::age::Age;

const TYPE: &str = "secevent+jwt";

/// Bytes of a `jti`: as many as the audit trail and an acknowledgement can hold.
const MAX_JTI_BYTES: usize = 512;

/// A good security event token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Set {
    /// Its name, which it keeps when it is sent again.
    pub(crate) jti: String,
    /// When it was made, whole seconds; a fraction counts as a second.
    pub(crate) issued: i64,
    /// The type of its event.
    pub(crate) kind: String,
    /// What the event holds.
    pub(crate) holds: Map<String, Value>,
    /// Of whom, or of what, it speaks.
    pub(crate) subject: Option<Value>,
}

/// Why a token is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SetFault {
    /// The header names another type.
    #[error("its typ is not secevent+jwt{}", if *.draft { ", JWT or absent" } else { "; a sender of an older draft needs profile = \"draft\"" })]
    Type {
        /// Whether the stream is of an older draft.
        draft: bool,
    },
    /// SSF 1.0 sections 4.1.2, 4.1.7: what would make it look like another token.
    #[error("it has the claim {0}, which no security event token may have")]
    Forbidden(&'static str),
    /// It has no name.
    #[error("it has no jti of 1 to {MAX_JTI_BYTES} bytes")]
    Jti,
    /// It is for others.
    #[error("its aud is none of the stream's audiences")]
    Audience,
    /// It is of another time.
    #[error("its iat is in the future")]
    Future,
    /// So old that all that it could end has ended.
    #[error("its iat is older than the longest access token")]
    Old,
    /// CAEP interoperability profile: exactly one.
    #[error("it has {0} events, and must have one")]
    Events(usize),
    /// An event that is no object.
    #[error("its event is no JSON object")]
    NotAnObject,
    /// It names no subject.
    #[error("it has no subject: sub_id is missing")]
    NoSubject,
    /// SSF 1.0 sections 8.1.4.1, 8.1.5.
    #[error(
        "it tells of a stream, and its sub_id names none: expected the format opaque, and the stream's id"
    )]
    NoStream,
    /// The same.
    #[error(
        "it tells of another stream: its sub_id is not {expected}, which stream_id, or the transmitter, says"
    )]
    OtherStream {
        /// The stream's own id.
        expected: String,
    },
    /// SSF 1.0 section 8.1.4.1.
    #[error("its state is none that this server has asked with")]
    State,
    /// A subject that is none.
    #[error("its subject is none: {0}")]
    Subject(String),
    /// See [`EventFault`].
    #[error(transparent)]
    Event(#[from] EventFault),
}

impl SetFault {
    /// The word for it (RFC 8935 section 2.4; SSF 1.0 section 8.1.4.1).
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Audience => "invalid_audience",
            Self::State => "invalid_state",
            Self::Type { .. }
            | Self::Forbidden(_)
            | Self::Jti
            | Self::Future
            | Self::Old
            | Self::Events(_)
            | Self::NotAnObject
            | Self::NoSubject
            | Self::NoStream
            | Self::OtherStream { .. }
            | Self::Subject(_)
            | Self::Event(_) => "invalid_request",
        }
    }
}

impl Set {
    /// What a verified token says, if it is one for this stream, and of now.
    ///
    /// # Errors
    /// See [`SetFault`].
    pub(crate) fn read(event: &SecurityEvent, stream: &Stream, now: UnixTime) -> Result<Self, SetFault> {
        let draft = stream.profile == Profile::Draft;
        let is_typed = event.has_type(TYPE);
        if !is_typed && !(draft && (event.typ.is_none() || event.has_type("JWT"))) {
            return Err(SetFault::Type { draft });
        }
        let is_there = |name: &str| event.claims.get(name).is_some();
        let forbidden = ["exp", "nonce"].into_iter().find(|name| is_there(name));
        if let Some(name) = forbidden.or_else(|| (!draft && is_there("sub")).then_some("sub")) {
            return Err(SetFault::Forbidden(name));
        }
        if !event.is_for(&stream.audiences) {
            return Err(SetFault::Audience);
        }
        let is_name = |jti: &String| (1..=MAX_JTI_BYTES).contains(&jti.len());
        let jti = event.jti.clone().filter(is_name).ok_or(SetFault::Jti)?;
        validate_time(event.issued, stream, now)?;
        let [(kind, holds)] = event.events.as_slice() else {
            return Err(SetFault::Events(event.events.len()));
        };
        let Ok(Value::Object(mut holds)) = serde_json::from_str(holds) else {
            return Err(SetFault::NotAnObject);
        };
        let subject = event.claims.get("sub_id").map(|subject| match subject {
            Claim::Json(text) => serde_json::from_str(text).unwrap_or_default(),
            _ => Value::Null,
        });
        let subject = match (subject, draft) {
            (None, true) => holds.remove("subject").map(of_draft),
            (subject, _) => subject,
        };
        let issued = event.issued.as_millis().saturating_add(999).div_euclid(1_000);
        Ok(Self { jti, issued, kind: kind.clone(), holds, subject })
    }
}

/// A sender repeats for hours what could not be done, so that a token is not too old before nothing is left that it could end.
fn validate_time(issued: UnixTime, stream: &Stream, now: UnixTime) -> Result<(), SetFault> {
    match Age::of(issued, stream.max_age, stream.leeway.start, now) {
        Age::Recent => Ok(()),
        Age::Future => Err(SetFault::Future),
        Age::Old => Err(SetFault::Old),
    }
}

/// A subject in the words of RFC 9493: drafts said `subject_type` for `format`, wrote formats with hyphens, and told a complex
/// one by its members alone.
pub(super) fn of_draft(subject: Value) -> Value {
    let Value::Object(mut subject) = subject else { return subject };
    if !subject.contains_key("format") {
        let format = match subject.remove("subject_type") {
            Some(Value::String(told)) => Value::String(match told.as_str() {
                "iss-sub" => "iss_sub".to_owned(),
                "phone" | "phone-number" => "phone_number".to_owned(),
                "jwt-id" => "jwt_id".to_owned(),
                "saml-assertion-id" => "saml_assertion_id".to_owned(),
                _ => told,
            }),
            Some(told) => told,
            None if subject.values().all(Value::is_object) => {
                let members = subject.into_iter().map(|(name, part)| (name, of_draft(part)));
                subject = members.collect();
                Value::String("complex".to_owned())
            }
            None => return Value::Object(subject),
        };
        // What drafts of identifiers held beside.
        if format == "iss_sub" {
            subject.retain(|name, _| matches!(name.as_str(), "iss" | "sub"));
        }
        subject.insert("format".to_owned(), format);
    }
    Value::Object(subject)
}

#[cfg(test)]
mod tests;

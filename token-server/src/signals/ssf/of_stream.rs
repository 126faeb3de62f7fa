//! What a transmitter tells of the stream itself: that it works (SSF 1.0 section 8.1.4.1), or its status (section 8.1.5). Pure.

use serde_json::Value;

use super::events::EventFault;
use super::set::{Set, SetFault};
use crate::config::ssf::Profile;
use crate::signals::told::Status;

/// Characters of a reason that are kept.
const MAX_REASON_CHARS: usize = 200;

/// What is told of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfStream {
    /// The stream by the name that its transmitter gave it; senders of drafts may leave it out.
    pub(crate) stream_id: Option<String>,
    /// What is told.
    pub(crate) news: News,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// The stream works.
    Verification {
        /// As it was asked for; absent where the transmitter sends it by itself.
        state: Option<String>,
    },
    /// The stream has this status from now on.
    Updated {
        /// The status.
        status: Status,
        /// Why, for people: one line.
        reason: Option<String>,
    },
}

/// What a verification event says.
///
/// # Errors
/// Its subject is no stream, or its state no text.
pub(crate) fn verification(set: &Set, profile: Profile) -> Result<OfStream, SetFault> {
    let state = match set.holds.get("state") {
        None => None,
        Some(Value::String(state)) => Some(state.clone()),
        Some(_) => return Err(EventFault::Member("state").into()),
    };
    Ok(OfStream { stream_id: stream_id(set, profile)?, news: News::Verification { state } })
}

/// What a `stream-updated` event says.
///
/// # Errors
/// Its subject is no stream, or its status none that is defined.
pub(crate) fn updated(set: &Set, profile: Profile) -> Result<OfStream, SetFault> {
    let text = |name: &str| set.holds.get(name).and_then(Value::as_str);
    let told = text("status");
    let status = Status::ALL.into_iter().find(|status| told == Some(status.as_str()));
    let status = status.ok_or(EventFault::Member("status"))?;
    let shown =
        |reason: &str| reason.chars().filter(|char| !char.is_control()).take(MAX_REASON_CHARS).collect();
    let reason = text("reason").map(shown);
    Ok(OfStream { stream_id: stream_id(set, profile)?, news: News::Updated { status, reason } })
}

/// The `id` of a subject of the format `opaque`, which is how a stream is named.
fn stream_id(set: &Set, profile: Profile) -> Result<Option<String>, SetFault> {
    let Some(subject) = &set.subject else {
        // Drafts of RISC name no stream: an issuer had one for each receiver.
        return if profile == Profile::Draft { Ok(None) } else { Err(SetFault::NoSubject) };
    };
    let text = |name: &str| subject.get(name).and_then(Value::as_str);
    match (text("format"), text("id")) {
        (Some("opaque"), Some(id)) if !id.is_empty() => Ok(Some(id.to_owned())),
        _ => Err(SetFault::NoStream),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(subject: Value, holds: Value) -> Set {
        let Value::Object(holds) = holds else { panic!("an event is an object") };
        let subject = (!subject.is_null()).then_some(subject);
        Set { jti: "one".to_owned(), issued: 1_700_000_000, kind: String::new(), holds, subject }
    }

    fn opaque() -> Value {
        json!({ "format": "opaque", "id": "stream-1" })
    }

    #[test]
    fn a_stream_is_named_by_an_opaque_subject_alone() {
        for (subject, expected) in [
            (opaque(), Ok(Some("stream-1".to_owned()))),
            (json!(null), Err(SetFault::NoSubject)),
            (json!({ "format": "opaque", "id": "" }), Err(SetFault::NoStream)),
            (json!({ "format": "opaque", "id": 7 }), Err(SetFault::NoStream)),
            (
                json!({ "format": "iss_sub", "iss": "i", "sub": "s", "id": "stream-1" }),
                Err(SetFault::NoStream),
            ),
            (json!({ "format": "complex", "user": opaque() }), Err(SetFault::NoStream)),
            (json!("stream-1"), Err(SetFault::NoStream)),
        ] {
            let set = set(subject.clone(), json!({ "status": "paused" }));
            let ids = [verification(&set, Profile::Ssf), updated(&set, Profile::Ssf)];
            assert_eq!(
                ids.map(|told| told.map(|told| told.stream_id)),
                [expected.clone(), expected],
                "{subject}"
            );
        }
        let of_draft = verification(&set(json!(null), json!({})), Profile::Draft).unwrap();
        assert_eq!(of_draft.stream_id, None);
        assert_eq!(verification(&set(json!("x"), json!({})), Profile::Draft), Err(SetFault::NoStream));
    }

    #[test]
    fn a_state_is_a_text_or_absent_and_a_status_one_of_three() {
        let state = |holds| verification(&set(opaque(), holds), Profile::Ssf).map(|told| told.news);
        let told = |state: Option<&str>| Ok(News::Verification { state: state.map(str::to_owned) });
        assert_eq!(state(json!({ "state": "x" })), told(Some("x")));
        assert_eq!(state(json!({ "other": 1 })), told(None));
        for strange in [json!(null), json!(1), json!({})] {
            assert_eq!(
                state(json!({ "state": strange })),
                Err(EventFault::Member("state").into()),
                "{strange}"
            );
        }
        let status = |holds| updated(&set(opaque(), holds), Profile::Ssf).map(|told| told.news);
        for known in Status::ALL {
            let told = Ok(News::Updated { status: known, reason: Some("x".to_owned()) });
            assert_eq!(status(json!({ "status": known.as_str(), "reason": "x" })), told);
        }
        for strange in
            [json!({}), json!({ "status": "Enabled" }), json!({ "status": "" }), json!({ "status": 1 })]
        {
            assert_eq!(status(strange.clone()), Err(EventFault::Member("status").into()), "{strange}");
        }
    }
}

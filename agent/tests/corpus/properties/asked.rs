//! What the `spop` crate's messages ask, beside our own reading of a NOTIFY.

use jwt_agent::request::{Request, Text};
use spop::TypedData;
use spop::frame::Message;

/// What the crate's messages ask.
pub fn asked(messages: &[Message]) -> Request<'_> {
    let mut request = Request::default();
    let ours = messages.iter().find(|message| message.name == "verify-jwt");
    for (name, value) in ours.map_or(&[][..], |message| &message.args) {
        match name.as_str() {
            "authorization" => request.authorization = text(value),
            "token" => request.token = text(value),
            "policy" => request.policy = text(value),
            "request_id" => request.request_id = text(value),
            "auth_count" => {
                request.auth_count = match value {
                    TypedData::Null => 0,
                    TypedData::Int32(count) => i64::from(*count),
                    TypedData::UInt32(count) => i64::from(*count),
                    TypedData::Int64(count) => *count,
                    TypedData::UInt64(count) => i64::try_from(*count).unwrap_or(i64::MAX),
                    _ => i64::MAX,
                }
            }
            _ => {}
        }
    }
    request
}

fn text(value: &TypedData) -> Text<'_> {
    match value {
        TypedData::Null => Text::Absent,
        TypedData::String(text) if text.is_empty() => Text::Absent,
        TypedData::String(text) => Text::Given(text.as_str().into()),
        _ => Text::Binary,
    }
}

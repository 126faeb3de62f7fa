//! What the `spop` crate's messages ask, beside our own reading of a NOTIFY.

use jwt_agent::request::{Count, Request, Text};
use spop::TypedData;
use spop::frame::Message;

/// What the crate's messages ask.
pub fn asked(messages: &[Message]) -> Request<'_> {
    let mut request = Request::default();
    let mut ours = messages.iter().filter(|message| message.name == "verify-jwt");
    let first = ours.next();
    request.asks_twice = ours.next().is_some();
    let arguments = first.map_or(&[][..], |message| &message.args);
    for (index, (name, value)) in arguments.iter().enumerate() {
        let is_repeated = arguments.iter().take(index).any(|(before, _)| before == name);
        let (text, count) =
            if is_repeated { (Text::Unreadable, Count::Unreadable) } else { (text(value), count(value)) };
        match name.as_str() {
            "authorization" => request.authorization = text,
            "auth_count" => request.auth_count = count,
            "token" => request.token = text,
            "token_count" => request.token_count = count,
            "policy" => request.policy = text,
            "request_id" => request.request_id = text,
            _ => {}
        }
    }
    request
}

fn text(value: &TypedData) -> Text<'_> {
    match value {
        TypedData::Null => Text::Empty,
        TypedData::String(text) if text.is_empty() => Text::Empty,
        TypedData::String(text) => Text::Given(text.as_str().into()),
        _ => Text::Unreadable,
    }
}

fn count(value: &TypedData) -> Count {
    let number = match value {
        TypedData::Null => return Count::Null,
        TypedData::Int32(count) => i128::from(*count),
        TypedData::UInt32(count) => i128::from(*count),
        TypedData::Int64(count) => i128::from(*count),
        TypedData::UInt64(count) => i128::from(*count),
        _ => return Count::Unreadable,
    };
    u64::try_from(number).map_or(Count::Unreadable, Count::Number)
}

//! Members of a request's body and parameters of its query, each refused by its own name.

use jose::UnixTime;
use rules::ExpireAt;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::error::ApiError;
use crate::api::request::Document;
use crate::payload::seconds;
use crate::revocations::Why;
use crate::store::Mode;
use crate::when;

/// Bytes of a request: a rule of the largest size, with white space to spare.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// Lines of a batch: as many groups as one answer of the feed names, so that agents ask again about these and no others.
pub(crate) const MAX_BATCH_LINES: usize = 1_000;

/// Bytes of a batch: rules are about 200 bytes long with their notes.
pub(crate) const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;

/// An `expireAt` from here on was meant in milliseconds; in seconds it is the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Bytes of a note: a sentence or two and the number of a ticket.
const MAX_NOTE_BYTES: usize = 1_000;

/// Bytes of a name.
const MAX_BY_BYTES: usize = 200;

/// Groups or rules of one page, unless the caller wants fewer or more.
const PAGE: usize = 100;

/// Groups or rules of the largest page.
const MAX_PAGE: usize = 1_000;

/// When a rule ends, in unix seconds or as [`when`] reads it; it must not have ended at `now` (unix seconds).
pub(in crate::api) fn end(text: &RawValue, now: i64) -> Result<ExpireAt, ApiError> {
    let refuse = |why: String| Err(ApiError::invalid("expireAt", why));
    let seconds = match serde_json::from_str::<Value>(text.get()) {
        Ok(Value::Number(number)) => match number.as_i64() {
            Some(0) => return Ok(ExpireAt::Never),
            Some(seconds) if seconds >= MILLISECONDS_FROM => {
                return refuse("looks like milliseconds; write unix seconds".to_owned());
            }
            Some(seconds) => seconds,
            None => return refuse("is not a whole number of unix seconds".to_owned()),
        },
        Ok(Value::String(text)) => match when::parse_future(&text, UnixTime::from_secs(now)) {
            // A rule that holds up to some time within a second holds for that second.
            Ok(at) => seconds(UnixTime::from_millis(at.as_millis().saturating_add(999))),
            Err(error) => return refuse(error.to_string()),
        },
        Ok(_) | Err(_) => {
            return refuse(
                "is neither a whole number of unix seconds nor a time such as \"in 30d\"".to_owned(),
            );
        }
    };
    if seconds <= now {
        return refuse("is in the past; write a time to come, or 0 for never".to_owned());
    }
    Ok(ExpireAt::At(seconds))
}

pub(in crate::api) fn mode(text: &RawValue) -> Result<Mode, ApiError> {
    serde_json::from_str(text.get())
        .map_err(|_| ApiError::invalid("mode", "is neither \"enforce\" nor \"shadow\""))
}

pub(in crate::api) fn note(text: &RawValue) -> Result<String, ApiError> {
    prose("note", text, MAX_NOTE_BYTES)
}

pub(in crate::api) fn by(text: &RawValue) -> Result<String, ApiError> {
    prose("by", text, MAX_BY_BYTES)
}

/// Who says to change something, and why.
pub(in crate::api) fn why(document: &mut Document) -> Result<Why, ApiError> {
    let (by_whom, reason) = (document.take("by"), document.take("note"));
    Ok(Why {
        by: by_whom.map(|text| by(&text)).transpose()?,
        note: reason.map(|text| note(&text)).transpose()?,
    })
}

pub(in crate::api) fn flag(field: &str, text: &str) -> Result<bool, ApiError> {
    text.parse().map_err(|_| ApiError::invalid(field, "is neither true nor false"))
}

pub(in crate::api) fn string(field: &str, text: &RawValue) -> Result<String, ApiError> {
    serde_json::from_str(text.get()).map_err(|_| ApiError::invalid(field, "is not a string"))
}

pub(in crate::api) fn page_size(limit: Option<String>) -> Result<usize, ApiError> {
    let Some(limit) = limit else { return Ok(PAGE) };
    limit
        .parse()
        .ok()
        .filter(|limit| (1..=MAX_PAGE).contains(limit))
        .ok_or_else(|| ApiError::invalid("limit", format!("is not a number from 1 to {MAX_PAGE}")))
}

/// A text for people, which terminals and logs show as it is.
fn prose(field: &str, text: &RawValue, max: usize) -> Result<String, ApiError> {
    let text = string(field, text)?;
    if text.len() > max {
        return Err(ApiError::invalid(field, format!("has more than {max} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(ApiError::invalid(field, "has control characters"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_said_in_unix_seconds_or_as_people_say_times() {
        let now = 1_795_820_810;
        for (json, expected) in [
            ("0", Ok(0)),
            ("1795820811", Ok(1_795_820_811)),
            (r#""in 30d""#, Ok(1_798_412_810)),
            (r#""30d""#, Ok(1_798_412_810)),
            (r#""2026-11-28""#, Ok(1_795_824_000)),
            (r#""2026-11-28T00:00:00.5Z""#, Ok(1_795_824_001)),
            (r#""2026-11-28T01:00:00+01:00""#, Ok(1_795_824_000)),
            (r#""1795820811""#, Ok(1_795_820_811)),
            ("1795820810", Err("in the past")),
            (r#""4h ago""#, Err("in the past")),
            (r#""now""#, Err("in the past")),
            ("1795820811000", Err("milliseconds")),
            (r#""1795820811000""#, Err("milliseconds")),
            (r#""tomorrow""#, Err("no time that can be read")),
            (r#""2026-11-28T00:00:00""#, Err("says no zone")),
            ("1795820811.5", Err("whole number")),
            ("1e300", Err("whole number")),
            ("true", Err("neither a whole number")),
            ("null", Err("neither a whole number")),
        ] {
            let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
            match (end(&raw, now), expected) {
                (Ok(end), Ok(expected)) => assert_eq!(end.as_seconds(), expected, "{json}"),
                (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{json}: {error}"),
                (told, expected) => panic!("{json}: {told:?} instead of {expected:?}"),
            }
        }
    }
}

//! Members of a request's body and parameters of its query, each refused by its own name.

use rules::ExpireAt;
use serde_json::value::RawValue;

use crate::api::error::ApiError;
use crate::api::request::Document;
use crate::revocations::Why;
use crate::store::Mode;

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

/// When a rule ends; it must not have ended at `now` (unix seconds).
pub(in crate::api) fn end(text: &RawValue, now: i64) -> Result<ExpireAt, ApiError> {
    let refuse = |why: &str| Err(ApiError::invalid("expireAt", why));
    match serde_json::from_str::<i64>(text.get()) {
        Ok(0) => Ok(ExpireAt::Never),
        Ok(seconds) if seconds >= MILLISECONDS_FROM => refuse("looks like milliseconds; write unix seconds"),
        Ok(seconds) if seconds <= now => refuse("is in the past; write unix seconds, or 0 for never"),
        Ok(seconds) => Ok(ExpireAt::At(seconds)),
        Err(_) => refuse("is not a whole number of unix seconds"),
    }
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

//! The `after` of a page of rules: the `next` of the page before, which this module alone understands.
//!
//! ```text
//! base64url( "e" cursor )     after a rule that is enforced, in the order of the store; these come first
//! base64url( "t" text )       after a rule that is only tried, in the order of the texts
//! ```

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::api::error::ApiError;
use crate::store::Cursor;

/// Where a page begins.
#[derive(Debug, PartialEq)]
pub(super) enum Place {
    Enforced(Option<Cursor>),
    Tried(String),
}

impl Place {
    /// Before all rules.
    pub(super) const START: Self = Self::Enforced(None);

    pub(super) fn parse(after: &str) -> Result<Self, ApiError> {
        let bytes = URL_SAFE_NO_PAD.decode(after).unwrap_or_default();
        let place = match bytes.split_first() {
            Some((b'e', cursor)) => Cursor::parse(cursor).map(|cursor| Self::Enforced(Some(cursor))),
            Some((b't', text)) => String::from_utf8(text.to_vec()).ok().map(Self::Tried),
            Some(_) | None => None,
        };
        place.ok_or_else(|| ApiError::invalid("after", "is not the next of a page of this list"))
    }

    /// The text behind which the rules that are only tried begin.
    pub(super) fn tried_after(&self) -> &str {
        match self {
            Self::Enforced(_) => "",
            Self::Tried(text) => text,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match self {
            Self::Enforced(cursor) => {
                [&b"e"[..], &cursor.as_ref().map(Cursor::to_bytes).unwrap_or_default()].concat()
            }
            Self::Tried(text) => [b"t", text.as_bytes()].concat(),
        };
        formatter.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_and_understood_and_nothing_else_is() {
        for place in [
            Place::Enforced(Some(Cursor::after(1_700_000_000.0, r#"{"rt":"\u00e4 +/?"}"#))),
            Place::Tried(r#"{"rt":"x"}"#.to_owned()),
            Place::Tried(String::new()),
        ] {
            let told = place.to_string();
            assert!(told.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
            assert_eq!(Place::parse(&told).ok(), Some(place));
        }
        for bad in ["", "anna", "e", "ZQ", "eHg", "!", "dP8"] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }
}

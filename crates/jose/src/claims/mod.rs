//! The claims set of a token (RFC 7519 section 4), with every value as it was sent.
//!
//! The payload is parsed up front, into places within its compact text: no number loses a digit, `[]` stays `[]`,
//! members keep their order. What the claims must say is the policy's concern.

mod claim;
mod decimal;
mod names;
mod path;
mod subject;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

pub use claim::Claim;
pub use names::{ClaimNameError, ClaimNames};
pub(crate) use path::Found;
pub use subject::{EVERYBODY, MAX_GROUP_BYTES};

use crate::json::{Malformed, Object, compact};
use crate::{Reject, UnixTime};

/// The claims set: one JSON object whose members are unique at every depth.
#[derive(Clone, PartialEq, Eq)]
pub struct Claims {
    json: String,
    members: Vec<Member>,
}

/// A top-level claim: places within the compact text.
#[derive(Clone, PartialEq, Eq)]
struct Member {
    name: Name,
    value: Range<usize>,
}

/// Names with an escape are rare, so only they are kept apart from the text.
#[derive(Clone, PartialEq, Eq)]
enum Name {
    Plain(Range<usize>),
    Unescaped(Box<str>),
}

impl Claims {
    /// Reads a payload.
    ///
    /// # Errors
    ///
    /// [`Reject::Malformed`] for anything but one JSON object in UTF-8, for a member that comes twice in its object,
    /// for nesting beyond [`MAX_JSON_DEPTH`](crate::MAX_JSON_DEPTH), and for strings and nested numbers that JSON's
    /// grammar allows but common readers cannot hold (lone surrogates, `1e400`).
    pub fn parse(payload: &[u8]) -> Result<Self, Reject> {
        Self::read(payload).map_err(|Malformed| Reject::Malformed)
    }

    fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(payload).map_err(|_| Malformed)?;
        let json = compact(text)?.into_owned();
        let members = Object::parse(&json)?
            .into_members()
            .map(|(name, value)| Member::of(&json, name, value))
            .collect();
        Ok(Self { json, members })
    }

    /// The whole payload without white space between tokens, otherwise byte for byte.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// The value of the top-level claim of that name.
    pub fn get(&self, name: &str) -> Option<Claim<'_>> {
        self.raw(name).and_then(Claim::read)
    }

    /// Names (unescaped) and values of the top-level claims, in the order of the payload.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Claim<'_>)> {
        self.members.iter().filter_map(|member| {
            let value = self.json.get(member.value.clone())?;
            Some((member.name(&self.json)?, Claim::read(value)?))
        })
    }

    /// A NumericDate claim (RFC 7519 section 2): seconds since the epoch, whole or with a fraction.
    ///
    /// # Errors
    ///
    /// [`Reject::ClaimType`] for any other type, `null` included, and for numbers that [`UnixTime`] cannot hold.
    pub fn numeric_date(&self, name: &str) -> Result<Option<UnixTime>, Reject> {
        let millis = match self.get(name) {
            None => return Ok(None),
            Some(Claim::Int(seconds)) => seconds.checked_mul(1000),
            Some(Claim::Number(literal)) => fractional_seconds(literal),
            Some(Claim::Null | Claim::Bool(_) | Claim::String(_) | Claim::Json(_)) => None,
        };
        millis.map(|millis| Some(UnixTime::from_millis(millis))).ok_or(Reject::ClaimType)
    }

    fn raw(&self, name: &str) -> Option<&str> {
        let member = self.members.iter().find(|member| member.name(&self.json) == Some(name))?;
        self.json.get(member.value.clone())
    }
}

/// Claims are personal data, so only their number is shown.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("len", &self.members.len()).finish_non_exhaustive()
    }
}

impl Member {
    fn of(json: &str, name: Cow<'_, str>, value: &str) -> Self {
        let name = match name {
            Cow::Borrowed(name) => Name::Plain(place(json, name)),
            Cow::Owned(name) => Name::Unescaped(name.into_boxed_str()),
        };
        Self { name, value: place(json, value) }
    }

    fn name<'a>(&'a self, json: &'a str) -> Option<&'a str> {
        match &self.name {
            Name::Plain(place) => json.get(place.clone()),
            Name::Unescaped(name) => Some(name),
        }
    }
}

/// Where in `text` its own slice `part` stands.
fn place(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    start..start.saturating_add(part.len())
}

/// Milliseconds of a literal such as `1700000000.5` or `17e8`, to the nearest one; `None` if out of range.
fn fractional_seconds(literal: &str) -> Option<i64> {
    let seconds: f64 = literal.parse().ok()?;
    let distance = Duration::try_from_secs_f64(seconds.abs()).ok()?;
    let rounded = distance.saturating_add(Duration::from_micros(500));
    let millis = i64::try_from(rounded.as_millis()).ok()?;
    Some(if seconds.is_sign_negative() { -millis } else { millis })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(payload: &str) -> Claims {
        Claims::parse(payload.as_bytes()).unwrap()
    }

    #[test]
    fn gives_every_value_as_it_was_sent() {
        let claims = claims(
            r#"{ "z":null, "y":true,"x":false, "i":-7, "big":12345678901234567890, "f":1.50, "s":"a b",
                "\u0073\"":"\u00fc\n", "o":{ "a" : [ ] }, "l":[ 1 , "x y" ] }"#,
        );
        assert_eq!(
            claims.as_json(),
            r#"{"z":null,"y":true,"x":false,"i":-7,"big":12345678901234567890,"f":1.50,"s":"a b","\u0073\"":"\u00fc\n","o":{"a":[]},"l":[1,"x y"]}"#
        );
        assert_eq!(
            claims.iter().collect::<Vec<_>>(),
            [
                ("z", Claim::Null),
                ("y", Claim::Bool(true)),
                ("x", Claim::Bool(false)),
                ("i", Claim::Int(-7)),
                ("big", Claim::Number("12345678901234567890")),
                ("f", Claim::Number("1.50")),
                ("s", Claim::String("a b".into())),
                ("s\"", Claim::String("ü\n".into())),
                ("o", Claim::Json(r#"{"a":[]}"#)),
                ("l", Claim::Json(r#"[1,"x y"]"#)),
            ]
        );
        assert_eq!(claims.get("s\""), Some(Claim::String("ü\n".into())));
        assert_eq!(claims.get(r"\u0073"), None);
        assert_eq!(claims.get(""), None);
    }

    #[test]
    fn refuses_payloads_that_are_not_one_plain_object() {
        let too_deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(32), "]".repeat(32));
        for payload in
            ["", "null", "[]", "\"x\"", "{}{}", r#"{"a":1,"a":1}"#, r#"{"a":{"b":1,"b":1}}"#, &too_deep]
        {
            assert_eq!(Claims::parse(payload.as_bytes()), Err(Reject::Malformed), "{payload}");
        }
        assert_eq!(Claims::parse(b"{\"a\":\"\xff\"}"), Err(Reject::Malformed));
        assert_eq!(Claims::parse(b"\xef\xbb\xbf{}"), Err(Reject::Malformed));
        assert_eq!(claims("{}").iter().count(), 0);
    }

    #[test]
    fn a_numeric_date_is_a_number_within_reach_and_nothing_else() {
        for (value, expected) in [
            ("1700000000", Ok(1_700_000_000_000)),
            ("-5", Ok(-5000)),
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("1700000000.5", Ok(1_700_000_000_500)),
            ("1700000000.001", Ok(1_700_000_000_001)),
            ("-1.5", Ok(-1500)),
            ("17e8", Ok(1_700_000_000_000)),
            ("1e-400", Ok(0)),
            ("1e400", Err(Reject::ClaimType)),
            ("-1e400", Err(Reject::ClaimType)),
            ("1e30", Err(Reject::ClaimType)),
            ("9223372036854775807", Err(Reject::ClaimType)),
            ("12345678901234567890123", Err(Reject::ClaimType)),
            ("\"1700000000\"", Err(Reject::ClaimType)),
            ("null", Err(Reject::ClaimType)),
            ("true", Err(Reject::ClaimType)),
            ("[1700000000]", Err(Reject::ClaimType)),
            ("{}", Err(Reject::ClaimType)),
        ] {
            let claims = claims(&format!(r#"{{"exp":{value}}}"#));
            let expected = expected.map(|millis| Some(UnixTime::from_millis(millis)));
            assert_eq!(claims.numeric_date("exp"), expected, "{value}");
        }
        assert_eq!(claims("{}").numeric_date("exp"), Ok(None));
        assert_eq!(Claims::parse(br#"{"exp":NaN}"#), Err(Reject::Malformed));
    }

    #[test]
    fn debug_shows_no_claim() {
        assert_eq!(format!("{:?}", claims(r#"{"sub":"alice"}"#)), "Claims { len: 1, .. }");
    }
}

//! What HAProxy asks: the arguments of `verify-jwt`, and the token in them.

use std::borrow::Cow;

use jose::Reject;
use service::credentials;
use spop::TypedData;

use crate::spoa::data::{Value, string, value};

/// The message that we answer; any other asks about nothing.
const MESSAGE: &[u8] = b"verify-jwt";

/// The longest name of a request that is logged, in bytes: a UUID has 36, what HAProxy's manual proposes about 50.
const MAX_REQUEST_ID: usize = 128;

/// The arguments of one `verify-jwt` message. Absent and empty are the same.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// The whole value of the `Authorization` header.
    pub authorization: Text<'a>,
    /// How many `Authorization` headers there were.
    pub auth_count: i64,
    /// A bare token that HAProxy took from a cookie, the query or another header.
    pub token: Text<'a>,
    /// The name of a policy; empty: the default one.
    pub policy: Text<'a>,
    /// The name of the request in HAProxy's log. It decides nothing.
    pub request_id: Text<'a>,
}

/// A textual argument. Its `Debug` does not show it: it may be a token.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Text<'a> {
    /// Not sent, or NULL, or empty.
    #[default]
    Absent,
    /// What was sent. HAProxy's STRING is decoded lossily, so that a replacement character may stand for anything.
    Given(Cow<'a, str>),
    /// Sent as something that is no text.
    Binary,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Request").field("auth_count", &self.auth_count).finish_non_exhaustive()
    }
}

impl<'a> From<Value<'a>> for Text<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Other(TypedData::Null) => Self::Absent,
            Value::Text(text) if text.is_empty() => Self::Absent,
            Value::Text(text) => Self::Given(text),
            Value::Other(_) => Self::Binary,
        }
    }
}

impl<'a> Request<'a> {
    /// Reads the first `verify-jwt` among the messages of a NOTIFY; without one the request is empty. Nothing, where they
    /// are no list of messages.
    ///
    /// ```text
    /// LIST-OF-MESSAGES : [ <MESSAGE-NAME> <NB-ARGS:1 byte> <KV-LIST> ... ]
    /// ```
    pub fn read(messages: &'a [u8]) -> Option<Self> {
        let mut request = None;
        let mut rest = messages;
        while !rest.is_empty() {
            let (message, after) = string(rest)?;
            let (&count, after) = after.split_first()?;
            rest = after;
            let mut arguments = (request.is_none() && message == MESSAGE).then(Self::default);
            for _ in 0..count {
                let (name, after) = string(rest)?;
                let (value, after) = value(after)?;
                rest = after;
                if let Some(request) = &mut arguments {
                    request.set(name, value);
                }
            }
            request = request.or(arguments);
        }
        Some(request.unwrap_or_default())
    }

    fn set(&mut self, name: &[u8], value: Value<'a>) {
        match name {
            b"authorization" => self.authorization = value.into(),
            b"token" => self.token = value.into(),
            b"policy" => self.policy = value.into(),
            b"request_id" => self.request_id = value.into(),
            b"auth_count" => self.auth_count = count(&value),
            _ => {}
        }
    }

    /// What a log calls the request, where HAProxy says so in few words.
    pub fn name(&self) -> Option<&str> {
        match &self.request_id {
            Text::Given(name) if name.len() <= MAX_REQUEST_ID => Some(name),
            Text::Given(_) | Text::Absent | Text::Binary => None,
        }
    }

    /// The one token of the request, if its form allows to tell which that is.
    ///
    /// # Errors
    ///
    /// No token, more than one, one behind another scheme, or one that is too long.
    pub fn token(&self, schemes: &[String], max_bytes: usize) -> Result<&str, Reject> {
        if self.auth_count > 1 {
            return Err(Reject::DuplicateHeader);
        }
        let bare = match &self.token {
            Text::Absent => None,
            Text::Given(token) => Some(token.as_ref()),
            Text::Binary => return Err(Reject::Malformed),
        };
        let credentials = match &self.authorization {
            Text::Absent => None,
            Text::Given(value) => Some(credentials::token(value, schemes)),
            Text::Binary => return Err(Reject::Malformed),
        };
        let token = match (credentials, bare) {
            (None, None) => Err(Reject::Missing),
            (None, Some(bare)) => Ok(bare),
            (Some(credentials), None) => credentials,
            (Some(Ok(token)), Some(bare)) if token == bare => Ok(token),
            (Some(_), Some(_)) => Err(Reject::Ambiguous),
        }?;
        if token.len() > max_bytes { Err(Reject::TokenSize) } else { Ok(token) }
    }
}

/// A count that is not a number could hide a second header: it counts as many.
fn count(value: &Value<'_>) -> i64 {
    let Value::Other(value) = value else { return i64::MAX };
    match value {
        TypedData::Null => 0,
        TypedData::Int32(count) => i64::from(*count),
        TypedData::UInt32(count) => i64::from(*count),
        TypedData::Int64(count) => *count,
        TypedData::UInt64(count) => i64::try_from(*count).unwrap_or(i64::MAX),
        _ => i64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(authorization: &str, token: &str, count: i64) -> Result<String, Reject> {
        let given = |text| Text::from(Value::Text(Cow::Borrowed(text)));
        let request = Request {
            authorization: given(authorization),
            auth_count: count,
            token: given(token),
            ..Request::default()
        };
        let schemes = ["JWT".to_owned(), "Bearer".to_owned()];
        request.token(&schemes, 8).map(str::to_owned)
    }

    #[test]
    fn finds_the_one_token_or_says_why_there_is_none() {
        for (authorization, token, count, expected) in [
            ("Bearer a.b.c", "", 1, Ok("a.b.c")),
            ("bearer a.b.c", "", 1, Ok("a.b.c")),
            ("jWt a.b.c", "", 1, Ok("a.b.c")),
            ("JWT  a.b.c", "", 1, Ok("a.b.c")),
            (" JWT a.b.c\t", "", 1, Ok("a.b.c")),
            ("JWT a.b c", "", 1, Ok("a.b c")),
            ("", "a.b.c", 0, Ok("a.b.c")),
            ("Bearer a.b.c", "a.b.c", 1, Ok("a.b.c")),
            ("", "", 0, Err(Reject::Missing)),
            (" ", "", 1, Err(Reject::Missing)),
            ("Bearer", "", 1, Err(Reject::Missing)),
            ("Bearer ", "", 1, Err(Reject::Missing)),
            ("Basic dTpw", "", 1, Err(Reject::Scheme)),
            ("Bearera.b.c", "", 1, Err(Reject::Scheme)),
            ("Bearer\ta.b.c", "", 1, Err(Reject::Scheme)),
            ("Bearer a.b.c", "x.y.z", 1, Err(Reject::Ambiguous)),
            ("Basic dTpw", "x.y.z", 1, Err(Reject::Ambiguous)),
            ("Bearer", "x.y.z", 1, Err(Reject::Ambiguous)),
            ("Bearer a.b.c", "", 2, Err(Reject::DuplicateHeader)),
            ("Bearer aaaa.b.cc", "", 1, Err(Reject::TokenSize)),
        ] {
            let found = judge(authorization, token, count);
            assert_eq!(found, expected.map(str::to_owned), "{authorization:?} {token:?} {count}");
        }
    }

    /// As HAProxy writes it; all lengths are below 240, one byte each.
    fn message(name: &str, arguments: &[(&str, TypedData)]) -> Vec<u8> {
        let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let mut message = text(name);
        message.push(u8::try_from(arguments.len()).unwrap());
        for (name, value) in arguments {
            message.extend(text(name));
            value.to_bytes(&mut message);
        }
        message
    }

    #[test]
    fn reads_arguments_by_name_and_ignores_others() {
        let text = |text: &str| TypedData::String(text.to_owned());
        let messages = [
            message("other", &[("token", text("no"))]),
            message(
                "verify-jwt",
                &[
                    ("", text("unnamed")),
                    ("policy", text("api")),
                    ("auth_count", TypedData::Int64(2)),
                    ("authorization", TypedData::Null),
                    ("token", TypedData::Binary(vec![1])),
                    ("path", text("/")),
                    ("request_id", text("r1")),
                ],
            ),
            message("verify-jwt", &[("policy", text("second"))]),
        ]
        .concat();
        let expected = Request {
            authorization: Text::Absent,
            auth_count: 2,
            token: Text::Binary,
            policy: Text::Given("api".into()),
            request_id: Text::Given("r1".into()),
        };
        assert_eq!(expected.name(), Some("r1"));
        assert_eq!(Request::read(&messages), Some(expected));
        assert_eq!(Request::read(&[]), Some(Request::default()));
        for end in [1, 5, messages.len() - 1] {
            assert_eq!(Request::read(&messages[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_become_replacement_characters() {
        let mut messages = message("verify-jwt", &[("token", TypedData::String("a.b?c".to_owned()))]);
        *messages.iter_mut().rfind(|byte| **byte == b'?').unwrap() = 0xff;
        assert!(Request::read(&messages).unwrap().token == Text::Given("a.b\u{fffd}c".into()));
    }

    #[test]
    fn a_name_that_would_fill_the_log_is_none() {
        let named = |name| Request { request_id: Text::from(name), ..Request::default() };
        let text = |bytes: usize| Value::Text("r".repeat(bytes).into());
        assert_eq!(named(text(MAX_REQUEST_ID)).name().map(str::len), Some(MAX_REQUEST_ID));
        let binary = TypedData::Binary(vec![b'r']);
        for refused in
            [text(MAX_REQUEST_ID + 1), text(0), Value::Other(TypedData::Null), Value::Other(binary)]
        {
            assert_eq!(named(refused).name(), None);
        }
    }

    #[test]
    fn a_count_that_is_no_number_counts_as_many() {
        assert_eq!(count(&Value::Text("1".into())), i64::MAX);
        assert_eq!(count(&Value::Other(TypedData::UInt64(u64::MAX))), i64::MAX);
        assert_eq!(count(&Value::Other(TypedData::Null)), 0);
    }
}

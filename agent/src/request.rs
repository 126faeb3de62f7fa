//! What HAProxy asks: the arguments of `verify-jwt`, and the token in them.

use jose::Reject;
use service::credentials;
use spop::TypedData;
use spop::frame::Message;

/// The message that we answer; any other asks about nothing.
const MESSAGE: &str = "verify-jwt";

/// The longest name of a request that is logged, in bytes: a UUID has 36, what HAProxy's manual proposes about 50.
const MAX_REQUEST_ID: usize = 128;

/// The arguments of one `verify-jwt` message. Absent and empty are the same.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The whole value of the `Authorization` header.
    pub authorization: Text,
    /// How many `Authorization` headers there were.
    pub auth_count: i64,
    /// A bare token that HAProxy took from a cookie, the query or another header.
    pub token: Text,
    /// The name of a policy; empty: the default one.
    pub policy: Text,
    /// The name of the request in HAProxy's log. It decides nothing.
    pub request_id: Text,
}

/// A textual argument. Its `Debug` does not show it: it may be a token.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Text {
    /// Not sent, or NULL, or empty.
    #[default]
    Absent,
    /// What was sent. HAProxy's STRING is decoded lossily, so that a replacement character may stand for anything.
    Given(String),
    /// Sent as something that is no text.
    Binary,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Request").field("auth_count", &self.auth_count).finish_non_exhaustive()
    }
}

impl From<&TypedData> for Text {
    fn from(value: &TypedData) -> Self {
        match value {
            TypedData::Null => Self::Absent,
            TypedData::String(text) if text.is_empty() => Self::Absent,
            TypedData::String(text) => Self::Given(text.clone()),
            _ => Self::Binary,
        }
    }
}

impl Request {
    /// Reads the first `verify-jwt` among the messages of a NOTIFY; without one the request is empty.
    pub fn from_messages(messages: &[Message]) -> Self {
        let mut request = Self::default();
        let Some(message) = messages.iter().find(|message| message.name == MESSAGE) else {
            return request;
        };
        for (name, value) in &message.args {
            match name.as_str() {
                "authorization" => request.authorization = value.into(),
                "token" => request.token = value.into(),
                "policy" => request.policy = value.into(),
                "request_id" => request.request_id = value.into(),
                "auth_count" => request.auth_count = count(value),
                _ => {}
            }
        }
        request
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
            Text::Given(token) => Some(token.as_str()),
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
fn count(value: &TypedData) -> i64 {
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
        let given = |text: &str| Text::from(&TypedData::String(text.to_owned()));
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

    #[test]
    fn reads_arguments_by_name_and_ignores_others() {
        let text = |text: &str| TypedData::String(text.to_owned());
        let message = |name: &str, args: Vec<(&str, TypedData)>| Message {
            name: name.to_owned(),
            args: args.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        let request = Request::from_messages(&[
            message("other", vec![("token", text("no"))]),
            message(
                MESSAGE,
                vec![
                    ("", text("unnamed")),
                    ("policy", text("api")),
                    ("auth_count", TypedData::Int64(2)),
                    ("authorization", TypedData::Null),
                    ("token", TypedData::Binary(vec![1])),
                    ("path", text("/")),
                    ("request_id", text("r1")),
                ],
            ),
            message(MESSAGE, vec![("policy", text("second"))]),
        ]);
        let expected = Request {
            authorization: Text::Absent,
            auth_count: 2,
            token: Text::Binary,
            policy: Text::Given("api".to_owned()),
            request_id: Text::Given("r1".to_owned()),
        };
        assert_eq!(request, expected);
        assert_eq!(request.name(), Some("r1"));
        assert_eq!(Request::from_messages(&[]), Request::default());
    }

    #[test]
    fn a_name_that_would_fill_the_log_is_none() {
        let named = |name: TypedData| Request { request_id: Text::from(&name), ..Request::default() };
        let text = |bytes: usize| TypedData::String("r".repeat(bytes));
        assert_eq!(named(text(MAX_REQUEST_ID)).name().map(str::len), Some(MAX_REQUEST_ID));
        for refused in [text(MAX_REQUEST_ID + 1), text(0), TypedData::Null, TypedData::Binary(vec![b'r'])] {
            assert_eq!(named(refused).name(), None);
        }
    }

    #[test]
    fn a_count_that_is_no_number_counts_as_many() {
        assert_eq!(count(&TypedData::String("1".into())), i64::MAX);
        assert_eq!(count(&TypedData::UInt64(u64::MAX)), i64::MAX);
    }
}

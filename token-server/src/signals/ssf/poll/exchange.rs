//! What is asked of a transmitter and what it answers (RFC 8936 section 2). Pure.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use std::collections::BTreeMap;

/// A question, with what is told of the tokens of earlier answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    /// The most tokens that are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_events: Option<usize>,
    /// Whether an empty answer is wanted rather than to wait for a token.
    pub(super) return_immediately: bool,
    #[serde(flatten)]
    pub(super) told: Told,
}

/// What is told of tokens that came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    /// Those that are done: what they ask for is durable, or is known to be nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ack: Vec<String>,
    /// Those that are no good.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) set_errs: BTreeMap<String, SetError>,
}

/// Why a token is no good (RFC 8935 section 2.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SetError {
    pub(super) err: &'static str,
    pub(super) description: String,
}

/// An answer.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    /// The tokens by their names, as they came.
    #[serde(deserialize_with = "members")]
    pub(super) sets: Vec<(String, Value)>,
    /// Whether there are more.
    #[serde(default)]
    pub(super) more_available: bool,
}

/// The members of an object in their order; of two with one name, both.
fn members<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Value)>, D::Error> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, Value)>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("an object of security event tokens")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    deserializer.deserialize_map(Members)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIRST: &str = "4d3559ec67504aaba65d40b0363faad8";
    const SECOND: &str = "3d0c3cf797584bd193bd0fb1bd4e7d30";

    fn error() -> (String, SetError) {
        let description = "The SET could not be authenticated".to_owned();
        (FIRST.to_owned(), SetError { err: "authentication_failed", description })
    }

    #[test]
    fn questions_are_those_of_the_examples_of_rfc_8936() {
        let both = || vec![FIRST.to_owned(), SECOND.to_owned()];
        let none = Told::default();
        for (figure, max_events, return_immediately, told, expected) in [
            ("1", None, true, none, json!({"returnImmediately": true})),
            (
                "3",
                Some(0),
                true,
                Told { ack: both(), ..Told::default() },
                json!({"ack": [FIRST, SECOND], "maxEvents": 0, "returnImmediately": true}),
            ),
            (
                "4",
                None,
                false,
                Told { ack: both(), ..Told::default() },
                json!({"ack": [FIRST, SECOND], "returnImmediately": false}),
            ),
            (
                "5",
                None,
                true,
                Told { ack: vec![SECOND.to_owned()], set_errs: BTreeMap::from([error()]) },
                json!({
                    "ack": [SECOND],
                    "setErrs": {FIRST: {"err": "authentication_failed", "description": "The SET could not be authenticated"}},
                    "returnImmediately": true
                }),
            ),
        ] {
            let request = Request { max_events, return_immediately, told };
            assert_eq!(serde_json::to_value(&request).unwrap(), expected, "figure {figure}");
        }
    }

    #[test]
    fn the_answer_of_the_example_of_rfc_8936_is_understood() {
        let text = format!(
            r#"{{ "sets": {{ "{FIRST}": "eyJhbGciOiJub25lIn0.e30.", "{SECOND}": "eyJhbGciOiJub25lIn0.e30." }} }}"#
        );
        let answer: Answer = serde_json::from_str(&text).unwrap();
        let names: Vec<_> = answer.sets.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((names, answer.more_available), (vec![FIRST, SECOND], false));
        let answer: Answer = serde_json::from_str(r#"{"sets":{},"moreAvailable":true,"other":1}"#).unwrap();
        assert_eq!(answer, Answer { sets: Vec::new(), more_available: true });
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for text in
            ["", "null", "[]", "{}", r#"{"sets":[]}"#, r#"{"sets":"x"}"#, r#"{"sets":{},"moreAvailable":1}"#]
        {
            assert!(serde_json::from_str::<Answer>(text).is_err(), "{text}");
        }
        let twice: Answer = serde_json::from_str(r#"{"sets":{"a":"x","a":7}}"#).unwrap();
        assert_eq!(twice.sets, [("a".to_owned(), json!("x")), ("a".to_owned(), json!(7))]);
    }
}

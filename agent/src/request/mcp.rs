//! The arguments of the message `mcp`: what the headers of an MCP call say.

use jose::Reject;

use super::{Count, Text};
use crate::mcp::Call;
use crate::spoa::messages::Value;

/// What HAProxy sends of each header.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct McpHeaders<'a> {
    method: Header<'a>,
    name: Header<'a>,
    version: Header<'a>,
}

/// The value of the last header of a name, and how many there were.
#[derive(Clone, Default, PartialEq, Eq)]
struct Header<'a> {
    value: Text<'a>,
    count: Count,
}

impl Header<'_> {
    /// The value. A second header is refused, since a server may read another one than HAProxy sends; and so is one that was
    /// not counted.
    fn one(&self) -> Result<Option<&str>, Reject> {
        match (self.count, self.value.given()?) {
            (Count::Unreadable, _) => Err(Reject::Argument),
            (Count::Number(1), value) => Ok(value),
            (Count::Number(0) | Count::Null | Count::Absent, None) => Ok(None),
            (Count::Number(_) | Count::Null | Count::Absent, _) => Err(Reject::McpHeader),
        }
    }
}

impl<'a> McpHeaders<'a> {
    /// Those of a call of this method and name.
    #[cfg(test)]
    pub(crate) fn of(method: &'a str, name: &'a str) -> Self {
        let one = |value: &'a str| Header {
            value: Value::Text(value.into()).into(),
            count: Count::Number(u64::from(!value.is_empty())),
        };
        Self { method: one(method), name: one(name), version: one(crate::mcp::FIRST_VERSION) }
    }

    pub(super) fn set(&mut self, name: &[u8], value: Value<'a>) {
        match name {
            b"mcp_method" => self.method.value.set(value),
            b"mcp_method_count" => self.method.count.set(value),
            b"mcp_name" => self.name.value.set(value),
            b"mcp_name_count" => self.name.count.set(value),
            b"mcp_version" => self.version.value.set(value),
            b"mcp_version_count" => self.version.count.set(value),
            _ => {}
        }
    }

    /// The call that they tell of.
    ///
    /// # Errors
    ///
    /// [`Reject::McpHeader`] where one is absent, doubled, or cannot be decoded; [`Reject::Argument`] where what HAProxy sends
    /// cannot be read.
    pub fn call(&self) -> Result<Call<'_>, Reject> {
        Call::read(self.method.one()?, self.name.one()?, self.version.one()?)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use spop::TypedData;

    use super::*;

    /// Headers with these values, each of which came so often.
    fn headers(values: [(&'static str, i64); 3]) -> McpHeaders<'static> {
        let mut headers = McpHeaders::default();
        let names: [(&[u8], &[u8]); 3] = [
            (b"mcp_method", b"mcp_method_count"),
            (b"mcp_name", b"mcp_name_count"),
            (b"mcp_version", b"mcp_version_count"),
        ];
        for ((value, count), (name, counted)) in values.into_iter().zip(names) {
            headers.set(name, Value::Text(Cow::Borrowed(value)));
            headers.set(counted, Value::Other(TypedData::Int64(count)));
        }
        headers
    }

    #[test]
    fn each_header_comes_once_and_a_name_where_there_is_one() {
        let version = ("2026-07-28", 1);
        assert!(headers([("tools/call", 1), ("read_x", 1), version]).call().is_ok());
        assert!(headers([("tools/list", 1), ("", 0), version]).call().is_ok());
        for (what, doubled) in [
            ("two methods", [("tools/list", 2), ("", 0), version]),
            ("two names", [("tools/call", 1), ("read_x", 2), version]),
            ("two names where none counts", [("tools/list", 1), ("read_x", 2), version]),
            ("two versions", [("tools/list", 1), ("", 0), ("2026-07-28", 2)]),
            ("a name that was not counted", [("tools/call", 1), ("read_x", 0), version]),
            ("an empty name", [("tools/call", 1), ("", 1), version]),
            ("no method", [("", 0), ("", 0), version]),
            ("no version", [("tools/list", 1), ("", 0), ("", 0)]),
            ("no header", [("", 0), ("", 0), ("", 0)]),
        ] {
            assert_eq!(headers(doubled).call(), Err(Reject::McpHeader), "{what}");
        }
        assert_eq!(McpHeaders::default().call(), Err(Reject::McpHeader));
    }

    #[test]
    fn a_count_that_is_not_sent_or_cannot_be_read_counts_as_no_one() {
        for (count, expected) in [
            (None, Reject::McpHeader),
            (Some(TypedData::Null), Reject::McpHeader),
            (Some(TypedData::Int64(-1)), Reject::Argument),
            (Some(TypedData::Bool(true)), Reject::Argument),
        ] {
            let mut headers = headers([("tools/list", 1), ("", 0), ("2026-07-28", 1)]);
            headers.method.count = count.map_or(Count::Absent, |count| Value::Other(count).into());
            assert_eq!(headers.call(), Err(expected));
        }
    }

    #[test]
    fn an_argument_that_comes_twice_or_is_no_text_cannot_be_read() {
        let mut twice = headers([("tools/list", 1), ("", 0), ("2026-07-28", 1)]);
        twice.set(b"mcp_method", Value::Text("tools/call".into()));
        assert_eq!(twice.call(), Err(Reject::Argument));
        let mut bytes = headers([("tools/list", 1), ("", 0), ("", 1)]);
        bytes.version.value = Value::Other(TypedData::Binary(vec![1])).into();
        assert_eq!(bytes.call(), Err(Reject::Argument));
    }
}

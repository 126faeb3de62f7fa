//! The arguments of the message `stream`: which stream of HAProxy a request is that may stay open after its answer.
//!
//! They decide nothing. What cannot be read leaves the request as it is, and its stream unknown.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use spop::TypedData;

use super::Count;
use crate::spoa::messages::Value;

/// A stream of HAProxy. Two are the same that have one process, one number and one client; a number of a later process with the
/// same id is told from it by when that process began.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// The id of HAProxy's process: `%pid` of its log formats.
    pub process: u32,
    /// The number of the stream in that process: `%rt`, which `show sess` prints as `id`.
    pub number: u64,
    /// The other end of its connection, also where that names another client; absent where it is a unix socket.
    pub client: Option<SocketAddr>,
    /// When it was told of.
    pub since: Instant,
}

impl Stream {
    fn name(&self) -> (u32, u64, Option<SocketAddr>) {
        (self.process, self.number, self.client)
    }
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Stream {}

impl Hash for Stream {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

/// What HAProxy sends of the stream.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SentStream {
    number: Count,
    process: Count,
    address: Address,
    port: Count,
}

/// The stream cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

#[derive(Clone, Default, PartialEq, Eq)]
enum Address {
    /// Not sent.
    #[default]
    Absent,
    /// Sent as NULL: there is none.
    Null,
    /// What was sent.
    Known(IpAddr),
    /// Sent as something else, or twice.
    Unreadable,
}

impl From<Value<'_>> for Address {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Other(TypedData::Null) => Self::Null,
            Value::Other(TypedData::IPv4(address)) => Self::Known(address.into()),
            Value::Other(TypedData::IPv6(address)) => Self::Known(address.into()),
            Value::Other(_) | Value::Text(_) => Self::Unreadable,
        }
    }
}

/// A variable that a log format made is a text.
fn number(value: Value<'_>) -> Count {
    match value {
        Value::Text(text) if text.is_empty() => Count::Null,
        Value::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().map_or(Count::Unreadable, Count::Number)
        }
        Value::Text(_) | Value::Other(_) => value.into(),
    }
}

impl SentStream {
    pub(super) fn set(&mut self, name: &[u8], value: Value<'_>) {
        let once = |before, value| if before == Count::Absent { value } else { Count::Unreadable };
        match name {
            b"stream" => self.number = once(self.number, number(value)),
            b"process" => self.process = once(self.process, number(value)),
            b"src" if self.address == Address::Absent => self.address = value.into(),
            b"src" => self.address = Address::Unreadable,
            b"src_port" => self.port.set(value),
            _ => {}
        }
    }

    /// Whether the message is about a stream at all, readable or not.
    pub(super) fn is_one(&self) -> bool {
        let is_sent = |number| !matches!(number, Count::Absent | Count::Null);
        is_sent(self.number) || is_sent(self.process)
    }

    /// The stream, of which a message told at this moment; absent where neither its number nor its process is sent, as of a request that does not stay open.
    ///
    /// # Errors
    ///
    /// An argument is missing beside another one, is sent twice, or is not what it should be.
    pub fn read(&self, since: Instant) -> Result<Option<Stream>, Unreadable> {
        if !self.is_one() {
            return Ok(None);
        }
        let (Count::Number(number), Count::Number(process)) = (self.number, self.process) else {
            return Err(Unreadable);
        };
        let client = match (&self.address, self.port) {
            (Address::Absent | Address::Null, Count::Absent | Count::Null | Count::Number(_)) => None,
            (Address::Known(address), Count::Number(port)) => {
                let port = u16::try_from(port).map_err(|_| Unreadable)?;
                Some(SocketAddr::new(*address, port))
            }
            (_, _) => return Err(Unreadable),
        };
        let process = u32::try_from(process).map_err(|_| Unreadable)?;
        Ok(Some(Stream { process, number, client, since }))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn text(text: &'static str) -> Value<'static> {
        Value::Text(Cow::Borrowed(text))
    }

    fn v4() -> Value<'static> {
        Value::Other(TypedData::IPv4([192, 0, 2, 7].into()))
    }

    fn port(port: i32) -> Value<'static> {
        Value::Other(TypedData::Int32(port))
    }

    fn null() -> Value<'static> {
        Value::Other(TypedData::Null)
    }

    fn read(arguments: Vec<(&str, Value<'static>)>) -> Result<Option<Stream>, Unreadable> {
        let mut sent = SentStream::default();
        for (name, value) in arguments {
            sent.set(name.as_bytes(), value);
        }
        sent.read(Instant::now())
    }

    #[test]
    fn a_stream_is_told_by_its_process_its_number_and_its_client() {
        let of = |number, process, client: Option<&str>| {
            let client = client.map(|client| client.parse().unwrap());
            Ok(Some(Stream { process, number, client, since: Instant::now() }))
        };
        let v6 = || Value::Other(TypedData::IPv6("2001:db8::7".parse().unwrap()));
        let named = || vec![("stream", text("17")), ("process", text("42"))];
        for (what, arguments, expected) in [
            ("IPv4", vec![("src", v4()), ("src_port", port(5))], of(17, 42, Some("192.0.2.7:5"))),
            ("IPv6", vec![("src", v6()), ("src_port", port(65535))], of(17, 42, Some("[2001:db8::7]:65535"))),
            ("a unix socket", vec![("src", null()), ("src_port", null())], of(17, 42, None)),
            ("a unix socket with port 0", vec![("src", null()), ("src_port", port(0))], of(17, 42, None)),
            ("no client is sent", vec![], of(17, 42, None)),
            ("another argument", vec![("host", text("a"))], of(17, 42, None)),
        ] {
            assert_eq!(read(named().into_iter().chain(arguments).collect()), expected, "{what}");
        }
    }

    #[test]
    fn a_request_that_is_no_stream_is_none_and_half_a_name_is_no_name() {
        for (what, arguments, expected) in [
            ("nothing", vec![], Ok(None)),
            ("variables that are not set", vec![("stream", null()), ("process", null())], Ok(None)),
            ("empty ones", vec![("stream", text("")), ("process", text(""))], Ok(None)),
            ("a client alone", vec![("src", v4()), ("src_port", port(5))], Ok(None)),
            ("no process", vec![("stream", text("17")), ("process", null())], Err(Unreadable)),
            ("no number", vec![("process", text("42"))], Err(Unreadable)),
            ("no digits", vec![("stream", text("+17")), ("process", text("42"))], Err(Unreadable)),
            ("hexadecimal", vec![("stream", text("0x11")), ("process", text("42"))], Err(Unreadable)),
            (
                "too large",
                vec![("stream", text("18446744073709551616")), ("process", text("42"))],
                Err(Unreadable),
            ),
            (
                "a large process",
                vec![("stream", text("1")), ("process", text("4294967296"))],
                Err(Unreadable),
            ),
            (
                "a number twice",
                vec![("stream", text("17")), ("stream", text("17")), ("process", text("42"))],
                Err(Unreadable),
            ),
            (
                "a client twice",
                vec![
                    ("stream", text("17")),
                    ("process", text("42")),
                    ("src", v4()),
                    ("src", v4()),
                    ("src_port", port(5)),
                ],
                Err(Unreadable),
            ),
            (
                "no port",
                vec![("stream", text("17")), ("process", text("42")), ("src", v4()), ("src_port", null())],
                Err(Unreadable),
            ),
            (
                "no port of TCP",
                vec![
                    ("stream", text("17")),
                    ("process", text("42")),
                    ("src", v4()),
                    ("src_port", port(65536)),
                ],
                Err(Unreadable),
            ),
            (
                "an address as text",
                vec![
                    ("stream", text("17")),
                    ("process", text("42")),
                    ("src", text("192.0.2.7")),
                    ("src_port", port(5)),
                ],
                Err(Unreadable),
            ),
        ] {
            assert_eq!(read(arguments), expected, "{what}");
        }
    }
}

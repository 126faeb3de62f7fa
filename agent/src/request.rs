//! What HAProxy asks: the arguments of `verify-jwt`, and the token in them; of `mcp`, where the request is a call; and of
//! `certificate` and `proof`, where its client showed one; and of `stream`, where it may stay open.

mod certificate;
mod mcp;
mod proof;
mod stream;

use std::borrow::Cow;

use jose::{AuthScheme, Credentials, Evidence, Place, Reject, ShownProof};
use spop::TypedData;

use crate::mcp::Call;
use crate::spoa::messages::{FromMessages, Messages, Piece, Value};
pub use certificate::{Certificate, CertificateForm};
pub use mcp::McpHeaders;
pub use proof::SentProof;
pub use stream::{SentStream, Stream, Unreadable};

/// The message that we answer; any other asks about nothing.
const MESSAGE: &[u8] = b"verify-jwt";
/// The message that tells of a call of the Model Context Protocol.
const MCP_MESSAGE: &[u8] = b"mcp";
/// The message that tells of the client's certificate.
const CERTIFICATE_MESSAGE: &[u8] = b"certificate";
/// The message that tells of the proof beside the token.
const PROOF_MESSAGE: &[u8] = b"proof";
/// The message that tells which stream the request is.
const STREAM_MESSAGE: &[u8] = b"stream";

/// The longest name of a request that is logged, in bytes: a UUID has 36, what HAProxy's manual proposes about 50.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// The arguments of one `verify-jwt` message, and of those beside it. Absent and empty are the same, but for a name that comes twice.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// The whole value of the `Authorization` header.
    pub authorization: Text<'a>,
    /// How many `Authorization` headers there were.
    pub auth_count: Count,
    /// A bare token that HAProxy took from another header, or from anywhere.
    pub token: Text<'a>,
    /// How many such headers, cookies or parameters there were.
    pub token_count: Count,
    /// What else HAProxy sends of places where the token may stand. Boxed, since few configurations do.
    pub elsewhere: Option<Box<Elsewhere<'a>>>,
    /// The name of a policy; empty: the default one.
    pub policy: Text<'a>,
    /// What HAProxy sends of an MCP call, where it does.
    pub mcp: Option<Box<McpHeaders<'a>>>,
    /// What HAProxy sends of the certificate that the client showed, where it does.
    pub certificate: Option<Box<Certificate<'a>>>,
    /// What HAProxy sends of the proof beside the token, where it does.
    pub proof: Option<Box<SentProof<'a>>>,
    /// What HAProxy sends of a stream that may stay open, where it does.
    pub stream: Option<Box<SentStream>>,
    /// The name of the request in HAProxy's log. It decides nothing.
    pub request_id: Text<'a>,
    /// Whether the NOTIFY asks a second time, perhaps about something else. One ACK cannot answer both.
    pub asks_twice: bool,
}

/// Places in which the agent itself looks for the token.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Elsewhere<'a> {
    /// The name of the cookie that may hold the token.
    pub cookie: Text<'a>,
    /// The whole value of the `Cookie` header.
    pub cookies: Text<'a>,
    /// How many `Cookie` headers there were.
    pub cookies_count: Count,
    /// The name of the parameter that may hold the token.
    pub parameter: Text<'a>,
    /// The query, as it was sent.
    pub query: Text<'a>,
    /// The whole value of the `Sec-WebSocket-Protocol` header, where it may hold the token.
    pub ws_protocol: Text<'a>,
    /// How many such headers there were.
    pub ws_protocol_count: Count,
}

/// A textual argument. Its `Debug` does not show it: it may be a token.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Text<'a> {
    /// Not sent.
    #[default]
    Absent,
    /// Sent as NULL, or empty.
    Empty,
    /// What was sent. HAProxy's STRING is decoded lossily, so that a replacement character may stand for anything.
    Given(Cow<'a, str>),
    /// Sent as something that is no text, or twice.
    Unreadable,
}

/// How many there were of what there may be one of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Count {
    /// Not sent: HAProxy did not count.
    #[default]
    Absent,
    /// Sent as NULL: HAProxy could not count.
    Null,
    /// What was sent.
    Number(u64),
    /// Sent as something that is no number, or below zero, or twice.
    Unreadable,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Request").field("auth_count", &self.auth_count).finish_non_exhaustive()
    }
}

impl<'a> From<Value<'a>> for Text<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Other(TypedData::Null) => Self::Empty,
            Value::Text(text) if text.is_empty() => Self::Empty,
            Value::Text(text) => Self::Given(text),
            Value::Other(_) => Self::Unreadable,
        }
    }
}

impl<'a> Text<'a> {
    /// Which of two values counts would depend on HAProxy's configuration and on our reading of it: neither does.
    fn set(&mut self, value: Value<'a>) {
        *self = if matches!(self, Self::Absent) { value.into() } else { Self::Unreadable };
    }

    fn given(&self) -> Result<Option<&str>, Reject> {
        match self {
            Self::Absent | Self::Empty => Ok(None),
            Self::Given(text) => Ok(Some(text)),
            Self::Unreadable => Err(Reject::Argument),
        }
    }
}

impl From<Value<'_>> for Count {
    fn from(value: Value<'_>) -> Self {
        let Value::Other(value) = value else { return Self::Unreadable };
        let number = match value {
            TypedData::Null => return Self::Null,
            TypedData::Int32(count) => u64::try_from(count),
            TypedData::Int64(count) => u64::try_from(count),
            TypedData::UInt32(count) => Ok(u64::from(count)),
            TypedData::UInt64(count) => Ok(count),
            _ => return Self::Unreadable,
        };
        number.map_or(Self::Unreadable, Self::Number)
    }
}

impl Count {
    fn set(&mut self, value: Value<'_>) {
        *self = if matches!(self, Self::Absent) { value.into() } else { Self::Unreadable };
    }

    /// Whether there may have been more than the one that HAProxy sent: the application might read another of them.
    fn judge(self, counted: &Text<'_>) -> Result<(), Reject> {
        match self {
            Self::Absent | Self::Number(0 | 1) => Ok(()),
            Self::Number(_) => Err(Reject::DuplicateHeader),
            // Where there is nothing, HAProxy may have nothing to count in.
            Self::Null if matches!(counted, Text::Absent | Text::Empty) => Ok(()),
            Self::Null | Self::Unreadable => Err(Reject::Argument),
        }
    }
}

/// What the arguments of the message that is being read are about.
enum Part {
    /// The token, and where else it may stand.
    Question,
    /// The MCP call.
    Call,
    /// The client's certificate.
    Certificate,
    /// The proof beside the token.
    Proof,
    /// The stream.
    Stream,
    /// Nothing that is read.
    Unread,
}

/// Reads the `verify-jwt` among the messages of a NOTIFY; without one the request is empty. Of several the first is read,
/// and it is noted that there are more. An argument of another message that comes twice cannot be read.
impl<'a> FromMessages<'a> for Request<'a> {
    fn from_messages(messages: &mut Messages<'a>) -> Self {
        let mut request = Self::default();
        let (mut has_asked, mut part) = (false, Part::Unread);
        for piece in messages {
            match piece {
                Piece::Message(name) => {
                    part = match name {
                        MESSAGE if !has_asked => Part::Question,
                        MCP_MESSAGE => Part::Call,
                        CERTIFICATE_MESSAGE => Part::Certificate,
                        PROOF_MESSAGE => Part::Proof,
                        STREAM_MESSAGE => Part::Stream,
                        _ => Part::Unread,
                    };
                    let is_ours = name == MESSAGE;
                    request.asks_twice |= is_ours && has_asked;
                    has_asked |= is_ours;
                }
                Piece::Argument(name, value) => match part {
                    Part::Question => request.set(name, value),
                    Part::Call => request.mcp.get_or_insert_default().set(name, value),
                    Part::Certificate => request.certificate.get_or_insert_default().set(name, value),
                    Part::Proof => request.proof.get_or_insert_default().set(name, value),
                    Part::Stream => request.stream.get_or_insert_default().set(name, value),
                    Part::Unread => {}
                },
            }
        }
        request
    }
}

impl<'a> Request<'a> {
    fn set(&mut self, name: &[u8], value: Value<'a>) {
        match name {
            b"authorization" => self.authorization.set(value),
            b"auth_count" => self.auth_count.set(value),
            b"token" => self.token.set(value),
            b"token_count" => self.token_count.set(value),
            b"cookie" => self.elsewhere().cookie.set(value),
            b"cookies" => self.elsewhere().cookies.set(value),
            b"cookies_count" => self.elsewhere().cookies_count.set(value),
            b"parameter" => self.elsewhere().parameter.set(value),
            b"query" => self.elsewhere().query.set(value),
            b"ws_protocol" => self.elsewhere().ws_protocol.set(value),
            b"ws_protocol_count" => self.elsewhere().ws_protocol_count.set(value),
            b"policy" => self.policy.set(value),
            b"request_id" => self.request_id.set(value),
            _ => {}
        }
    }

    fn elsewhere(&mut self) -> &mut Elsewhere<'a> {
        self.elsewhere.get_or_insert_default()
    }

    /// Whether HAProxy names its stream, as that may stay open after the answer.
    pub fn may_stay_open(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.is_one())
    }

    /// What a log calls the request, where HAProxy says so in few words.
    pub fn name(&self) -> Option<&str> {
        match &self.request_id {
            Text::Given(name) if name.len() <= MAX_REQUEST_ID_BYTES => Some(name),
            Text::Given(_) | Text::Absent | Text::Empty | Text::Unreadable => None,
        }
    }

    /// The name of the policy to apply; absent: the default one.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn policy(&self) -> Result<Option<&str>, Reject> {
        self.policy.given()
    }

    /// The MCP call that the request is.
    ///
    /// # Errors
    ///
    /// [`Reject::McpHeader`]: nothing was sent of one, or what its headers say names none. [`Reject::Argument`]: that cannot be
    /// read.
    pub fn mcp_call(&self) -> Result<Call<'_>, Reject> {
        self.mcp.as_ref().ok_or(Reject::McpHeader)?.call()
    }

    /// What it shows of its client beside the token.
    ///
    /// # Errors
    ///
    /// [`Reject::Argument`], [`Reject::DuplicateHeader`]: that cannot be told.
    pub fn evidence(&self, form: CertificateForm) -> Result<Evidence, Reject> {
        let certificate = self.certificate.as_ref().map_or(Ok(None), |sent| sent.thumbprint(form))?;
        Ok(Evidence { certificate, ..Evidence::NONE })
    }

    /// The scheme behind which its token stands, if that is an accepted one.
    pub fn scheme(&self, schemes: &[String]) -> AuthScheme {
        let Text::Given(authorization) = &self.authorization else { return AuthScheme::Bearer };
        let scheme = AuthScheme::of(authorization);
        let is_accepted = schemes.iter().any(|accepted| accepted.eq_ignore_ascii_case(scheme.as_str()));
        if is_accepted { scheme } else { AuthScheme::Bearer }
    }

    /// The proof that comes with a token of the scheme `DPoP`.
    ///
    /// # Errors
    ///
    /// [`Reject::Binding`] where there is none, and those of [`SentProof::one`].
    pub fn shown_proof(&self) -> Result<Box<ShownProof<'_>>, Reject> {
        self.proof.as_ref().ok_or(Reject::Binding)?.one().map(Box::new)
    }

    /// The value of `Authorization` and the name of the policy, empty for the default one, where nothing else of the request
    /// decides: never so for an MCP call, whose method and name choose the policy.
    pub fn alone_in_authorization(&self) -> Option<(&str, &str)> {
        let is_absent = |text: &Text<'_>| matches!(text, Text::Absent | Text::Empty);
        let is_alone = self.auth_count == Count::Number(1)
            && is_absent(&self.token)
            && self.mcp.is_none()
            && self.elsewhere.as_deref().is_none_or(Elsewhere::is_absent);
        match (&self.authorization, self.policy()) {
            (Text::Given(authorization), Ok(policy)) if is_alone => {
                Some((authorization, policy.unwrap_or_default()))
            }
            (_, _) => None,
        }
    }

    /// The one token of the request, if its form allows to tell which that is.
    ///
    /// # Errors
    ///
    /// No token, more than one, one behind another scheme, one that is too long, or arguments that cannot be read.
    pub fn token(&self, schemes: &[String], max_bytes: usize) -> Result<Cow<'_, str>, Reject> {
        if self.asks_twice {
            return Err(Reject::Argument);
        }
        self.auth_count.judge(&self.authorization)?;
        self.token_count.judge(&self.token)?;
        let elsewhere = self.elsewhere.as_deref();
        elsewhere.map_or(Ok(()), Elsewhere::judge_counts)?;
        let places =
            [alone(&self.authorization, Place::Authorization), alone(&self.token, Place::Bare)].into_iter();
        let places = places.chain(elsewhere.into_iter().flat_map(Elsewhere::places));
        let places = places.filter_map(Result::transpose);
        Credentials::read(places, schemes, max_bytes)?.required()
    }
}

impl Elsewhere<'_> {
    fn is_absent(&self) -> bool {
        let Self {
            cookie: _,
            cookies,
            cookies_count: _,
            parameter: _,
            query,
            ws_protocol,
            ws_protocol_count: _,
        } = self;
        [cookies, query, ws_protocol].into_iter().all(|text| matches!(text, Text::Absent | Text::Empty))
    }

    fn judge_counts(&self) -> Result<(), Reject> {
        self.cookies_count.judge(&self.cookies)?;
        self.ws_protocol_count.judge(&self.ws_protocol)
    }

    fn places(&self) -> [Result<Option<Place<'_>>, Reject>; 3] {
        let cookie = named(&self.cookie, &self.cookies);
        let parameter = named(&self.parameter, &self.query);
        [
            cookie.map(|it| it.map(|(name, cookies)| Place::Cookie { name, headers: vec![cookies] })),
            parameter.map(|it| it.map(|(name, query)| Place::Query { name, query })),
            alone(&self.ws_protocol, Place::WebSocket),
        ]
    }
}

/// A place whose value needs no name.
fn alone<'a>(text: &'a Text<'_>, place: fn(&'a str) -> Place<'a>) -> Result<Option<Place<'a>>, Reject> {
    Ok(text.given()?.map(place))
}

/// What to look for, and where. A name of nothing finds nothing; without a name the configuration is at fault, since what
/// HAProxy sends would be ignored.
fn named<'a>(name: &'a Text<'_>, text: &'a Text<'_>) -> Result<Option<(&'a str, &'a str)>, Reject> {
    match (name.given()?, text.given()?) {
        (Some(name), Some(text)) => Ok(Some((name, text))),
        (None, Some(_)) => Err(Reject::Argument),
        (_, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests;

//! Bytes to frames and back: the only module that calls the `spop` crate's parser and serialiser. A NOTIFY, of which one
//! comes with each request, is read by [`super::messages`] instead, which copies nothing.
//!
//! ```text
//! <FRAME-LENGTH:4 bytes> <FRAME-TYPE:1 byte> <FLAGS:4 bytes> <STREAM-ID:varint> <FRAME-ID:varint> <FRAME-PAYLOAD>
//! ```
//!
//! The parser tells a bad frame from a good one, not why it is bad; HAProxy's log shows the status code that we send,
//! so the cause is worked out here, from the header alone and, for a HELLO, from the items that it names.

use spop::frames::{Ack, AgentDisconnect, AgentHello, FrameCapabilities, HaproxyHello};
use spop::parser::parse_frame_with_limit;
use spop::types::typed_data;
use spop::{
    Action, FramePayload, FrameType, SpopFrame, StatusCode, TypedData, decode_varint, encode_varint_into,
    varint_len,
};

use super::messages::{self, FromMessages};

/// The largest frame that we take, and offer in HELLO: four of HAProxy's default buffers.
pub const MAX_FRAME_SIZE: u32 = 65_536;
/// The largest frame before HELLO has settled the size: HAProxy's default buffer.
pub const MAX_HELLO_SIZE: u32 = 16_384;
/// Bytes of the length prefix, which the frame size does not count.
pub const LENGTH_PREFIX: usize = 4;

const FIN: u32 = 1;
/// The item of a HELLO that lists the versions of SPOP that HAProxy speaks.
const VERSIONS: &[u8] = b"supported-versions";
/// The major version of SPOP that we speak.
const OUR_MAJOR: &str = "2";

/// A frame from HAProxy, whose messages become an `R`.
#[derive(Debug)]
pub enum Frame<R> {
    /// HAPROXY-HELLO.
    Hello(HaproxyHello),
    /// HAPROXY-DISCONNECT.
    Disconnect {
        /// HAProxy's status code.
        status: u32,
        /// HAProxy's words.
        message: String,
    },
    /// NOTIFY.
    Notify(Notify<R>),
}

/// A NOTIFY: which request of HAProxy's, and what it asks.
#[derive(Debug)]
pub struct Notify<R> {
    /// Repeated in the ACK.
    pub ids: Ids,
    /// What its messages ask.
    pub request: R,
}

/// Which NOTIFY of a connection an ACK answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// The stream.
    pub stream: u64,
    /// The frame within it.
    pub frame: u64,
}

/// Why a connection must end. Each has a status code of SPOE.txt section 3.5.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The length prefix announces more than was negotiated.
    #[error("a frame of {len} bytes, the limit is {max}")]
    FrameTooBig {
        /// What the prefix says.
        len: u32,
        /// What was negotiated.
        max: u32,
    },
    /// The FIN flag is not set; fragmentation was never announced.
    #[error("a fragmented frame")]
    Fragmented,
    /// The frame is not what its type says, or of an unknown type.
    #[error("a malformed frame")]
    Malformed,
    /// A frame other than HELLO came first, or a second HELLO.
    #[error("a frame out of order")]
    OutOfOrder,
    /// A HELLO or DISCONNECT that names a stream or a frame.
    #[error("HELLO or DISCONNECT with ids other than 0")]
    Ids,
    /// HELLO without `supported-versions`.
    #[error("HELLO without supported-versions")]
    NoVersion,
    /// HELLO without `max-frame-size`.
    #[error("HELLO without max-frame-size")]
    NoFrameSize,
    /// HELLO without `capabilities`.
    #[error("HELLO without capabilities")]
    NoCapabilities,
    /// HAProxy does not speak SPOP 2.0.
    #[error("no common SPOP version")]
    BadVersion,
    /// `max-frame-size` is below the protocol's minimum.
    #[error("max-frame-size is too small")]
    BadFrameSize,
    /// HELLO, or the rest of a frame, did not come in time.
    #[error("nothing came in time")]
    Timeout,
    /// HAProxy has not read our answers for so long that it has given up on them.
    #[error("answers are not read")]
    Unread,
    /// We take no more work: not ready, or asked to stop.
    #[error("not ready")]
    NotReady,
}

impl Fault {
    /// The status code of AGENT-DISCONNECT.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::FrameTooBig { .. } => StatusCode::TooBig,
            Self::Fragmented => StatusCode::FragmentationNotSupported,
            Self::Malformed | Self::OutOfOrder | Self::Ids => StatusCode::Invalid,
            Self::NoVersion => StatusCode::NoVersion,
            Self::NoFrameSize => StatusCode::NoFrameSize,
            Self::NoCapabilities => StatusCode::NoCapabilities,
            Self::BadVersion => StatusCode::BadVersion,
            Self::BadFrameSize => StatusCode::BadFrameSize,
            Self::Timeout | Self::Unread => StatusCode::Timeout,
            Self::NotReady => StatusCode::Resource,
        }
    }
}

/// Takes the first frame of `input`, with the number of bytes that it used; `None` while it is incomplete.
///
/// # Errors
///
/// The peer broke the protocol; nothing behind this frame can be trusted.
pub fn decode<'a, R: FromMessages<'a>>(
    input: &'a [u8],
    max: u32,
) -> Result<Option<(Frame<R>, usize)>, Fault> {
    let Some(len) = input.first_chunk().map(|prefix| u32::from_be_bytes(*prefix)) else {
        return Ok(None);
    };
    if len > max {
        return Err(Fault::FrameTooBig { len, max });
    }
    let used = LENGTH_PREFIX.saturating_add(usize::try_from(len).map_err(|_| Fault::Malformed)?);
    let Some(whole) = input.get(..used) else {
        return Ok(None);
    };
    let header = whole.get(LENGTH_PREFIX..).unwrap_or_default();
    if let Some(flags) = header.get(1..).and_then(|rest| rest.first_chunk())
        && u32::from_be_bytes(*flags) & FIN == 0
    {
        return Err(Fault::Fragmented);
    }
    if let Some((&kind, rest)) = header.split_first()
        && kind == FrameType::Notify.to_u8()
    {
        return Ok(Some((Frame::Notify(notify(rest).ok_or(Fault::Malformed)?), used)));
    }
    let Ok((_, frame)) = parse_frame_with_limit(whole, max) else {
        let hello = header.first() == Some(&FrameType::HaproxyHello.to_u8());
        return Err(if hello { hello_fault(header) } else { Fault::Malformed });
    };
    let ids = frame.metadata();
    if (ids.stream_id, ids.frame_id) != (0, 0) {
        return Err(Fault::Ids);
    }
    let frame = match frame.payload() {
        items @ FramePayload::KVList(_) if *frame.frame_type() == FrameType::HaproxyHello => {
            Frame::Hello(HaproxyHello::try_from(items).map_err(|_| hello_fault(header))?)
        }
        FramePayload::KVList(items) => Frame::Disconnect {
            status: match items.get("status-code") {
                Some(TypedData::UInt32(status)) => *status,
                _ => StatusCode::Unknown.to_u32(),
            },
            message: match items.get("message") {
                Some(TypedData::String(message)) => message.clone(),
                _ => String::new(),
            },
        },
        FramePayload::ListOfMessages(_) | FramePayload::ListOfActions(_) => return Err(Fault::Malformed),
    };
    Ok(Some((frame, used)))
}

/// NOTIFY behind its type; nothing, where it is none.
fn notify<'a, R: FromMessages<'a>>(frame: &'a [u8]) -> Option<Notify<R>> {
    let (flags, rest) = frame.split_first_chunk()?;
    // Of the others one is ABORT, which belongs to fragmentation, and the rest are reserved.
    if u32::from_be_bytes(*flags) != FIN {
        return None;
    }
    let (rest, stream) = decode_varint(rest).ok()?;
    let (list, frame) = decode_varint(rest).ok()?;
    Some(Notify { ids: Ids { stream, frame }, request: messages::read(list)? })
}

/// Whether one of the versions in a HELLO's list is ours, whatever else is among them.
fn names_our_version(versions: &str) -> bool {
    versions.split(',').any(|version| {
        let parts = version.trim().split_once('.');
        parts.is_some_and(|(major, minor)| major == OUR_MAJOR && minor.parse::<u32>().is_ok())
    })
}

/// Which mandatory item a HELLO lacks, or names in vain (SPOE.txt section 3.2.4).
fn hello_fault(header: &[u8]) -> Fault {
    let mut names = Vec::new();
    let mut rest = header.get(5..).unwrap_or_default();
    for _ in 0..2 {
        match decode_varint(rest) {
            Ok((after, _)) => rest = after,
            Err(_) => return Fault::Malformed,
        }
    }
    while !rest.is_empty() {
        let Ok((after, len)) = decode_varint(rest) else {
            return Fault::Malformed;
        };
        let Some((name, after)) = usize::try_from(len).ok().and_then(|len| after.split_at_checked(len))
        else {
            return Fault::Malformed;
        };
        let Ok((after, value)) = typed_data(after) else {
            return Fault::Malformed;
        };
        if name == VERSIONS
            && let TypedData::String(versions) = value
            && !names_our_version(&versions)
        {
            return Fault::BadVersion;
        }
        names.push(name);
        rest = after;
    }
    for (name, fault) in [
        (VERSIONS, Fault::NoVersion),
        (&b"max-frame-size"[..], Fault::NoFrameSize),
        (b"capabilities", Fault::NoCapabilities),
    ] {
        if !names.contains(&name) {
            return fault;
        }
    }
    Fault::Malformed
}

/// Appends AGENT-HELLO: version 2.0, the negotiated size, and `pipelining` where HAProxy offers it.
///
/// `fragmentation` and `async` are never announced.
pub fn encode_hello(hello: &HaproxyHello, max_frame_size: u32, out: &mut Vec<u8>) {
    let pipelining = hello
        .capabilities
        .iter()
        .copied()
        .filter(|capability| matches!(capability, FrameCapabilities::Pipelining));
    append(
        &AgentHello { version: spop::SUPPORTED_VERSION, max_frame_size, capabilities: pipelining.collect() },
        out,
    );
}

/// Appends AGENT-DISCONNECT.
pub fn encode_disconnect(status: StatusCode, message: &str, out: &mut Vec<u8>) {
    append(&AgentDisconnect { status_code: status.to_u32(), message: message.to_owned() }, out);
}

/// The type of an action that sets a variable, and its number of arguments (SPOE.txt section 3.4).
const SET_VAR: u8 = 1;
const SET_VAR_ARGUMENTS: u8 = 3;

/// Bytes before the actions of an ACK whose ids are 0: length, type, flags, and a varint for each id.
const ACK_HEADER: usize = LENGTH_PREFIX + 1 + 4 + 1 + 1;

/// The actions as an ACK carries them, to be sent any number of times.
pub fn encode_actions(actions: Vec<Action>) -> Box<[u8]> {
    let mut frame = Vec::new();
    append(&Ack { stream_id: 0, frame_id: 0, actions }, &mut frame);
    frame.get(ACK_HEADER..).unwrap_or_default().into()
}

/// The variables that encoded actions set, in their order; nothing, where the bytes are no such actions.
///
/// ```text
/// <SET-VAR:1> <NB-ARGS:1> <SCOPE:1> <NAME:STRING> <VALUE:TYPED-DATA>
/// ```
pub fn read_actions(mut actions: &[u8]) -> Option<Vec<(String, TypedData)>> {
    let mut set = Vec::new();
    while let [SET_VAR, SET_VAR_ARGUMENTS, _scope, rest @ ..] = actions {
        let (name, rest) = messages::string(rest)?;
        let (rest, value) = typed_data(rest).ok()?;
        set.push((str::from_utf8(name).ok()?.to_owned(), value));
        actions = rest;
    }
    actions.is_empty().then_some(set)
}

/// Appends an ACK with these encoded actions, one piece behind the other, unless it is larger than `max`; says whether it was
/// appended.
///
/// ```text
/// <FRAME-LENGTH:4 bytes> <103> <FLAGS:4 bytes, FIN alone> <STREAM-ID:varint> <FRAME-ID:varint> <LIST-OF-ACTIONS>
/// ```
#[must_use]
pub fn encode_ack(ids: Ids, actions: &[&[u8]], max: u32, out: &mut Vec<u8>) -> bool {
    let bytes = varint_len(ids.stream).saturating_add(varint_len(ids.frame)).saturating_add(5);
    let bytes = actions.iter().fold(bytes, |bytes, piece| bytes.saturating_add(piece.len()));
    let Some(len) = u32::try_from(bytes).ok().filter(|len| *len <= max) else {
        return false;
    };
    out.reserve(LENGTH_PREFIX.saturating_add(bytes));
    out.extend_from_slice(&len.to_be_bytes());
    out.push(FrameType::Ack.to_u8());
    out.extend_from_slice(&FIN.to_be_bytes());
    encode_varint_into(ids.stream, out);
    encode_varint_into(ids.frame, out);
    for piece in actions {
        out.extend_from_slice(piece);
    }
    true
}

fn append(frame: &dyn SpopFrame, out: &mut Vec<u8>) {
    let before = out.len();
    if let Err(error) = frame.serialize_into(out) {
        // The three frames that we send are all of forms that the crate serialises; if that ever changes, HAProxy
        // must get nothing rather than half a frame: it then denies after its timeout.
        out.truncate(before);
        tracing::error!(%error, "a frame could not be serialised");
    }
}

#[cfg(test)]
mod tests;

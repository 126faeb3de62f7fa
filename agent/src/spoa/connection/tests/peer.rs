//! The other end of a connection that is served: it is made of bytes, and keeps how ours are written.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use service::readiness::Readiness;
use spop::types::typed_data;
use spop::{TypedData, decode_varint, encode_varint_into};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tracing::Span;

use super::super::*;
use crate::spoa::frame::{Notify, encode_ack, encode_actions};

pub(super) const HAPROXY_HELLO: u8 = 1;
pub(super) const HAPROXY_DISCONNECT: u8 = 2;
pub(crate) const NOTIFY: u8 = 3;
pub(crate) const AGENT_HELLO: u8 = 101;
pub(super) const AGENT_DISCONNECT: u8 = 102;
pub(crate) const ACK: u8 = 103;

/// One end of a connection whose other end is served.
pub(crate) struct Peer {
    pub(super) stream: DuplexStream,
    pub(super) leave: Leave,
    pub(super) serving: tokio::task::JoinHandle<()>,
    /// The bytes of each write to us.
    pub(super) writes: Writes,
}

pub(super) type Writes = Arc<Mutex<Vec<Vec<u8>>>>;

/// Refuses every request: those of a stream with an even number at once.
struct Refuses(Readiness);

impl Respond for Refuses {
    type Request<'a> = ();

    fn answer(
        &self,
        notify: &Notify<()>,
        max: u32,
        _: &mut DecidingTime,
        out: &mut Vec<u8>,
    ) -> Option<impl Future<Output = Vec<u8>> + Send + 'static + use<>> {
        let (scope, value) = (spop::VarScope::Transaction, TypedData::Bool(false));
        let actions = encode_actions(vec![spop::Action::SetVar { scope, name: "valid".to_owned(), value }]);
        let mut ack = Vec::new();
        assert!(encode_ack(notify.ids, &[&actions], max, &mut ack));
        if notify.ids.stream.is_multiple_of(2) {
            out.extend(ack);
            return None;
        }
        Some(std::future::ready(ack))
    }

    fn answer_health_check(&self) -> bool {
        self.0.check().is_ok()
    }

    fn count_fault(&self, _: &Fault) {}
}

/// The end that is served.
struct Recorded {
    stream: DuplexStream,
    writes: Writes,
}

impl AsyncRead for Recorded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.writes.lock().unwrap_or_else(PoisonError::into_inner).push(bytes[..count].to_vec());
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) kind: u8,
    pub(crate) stream_id: u64,
    pub(crate) frame_id: u64,
    pub(crate) payload: Vec<u8>,
}

impl Answer {
    pub(crate) fn items(&self) -> BTreeMap<String, TypedData> {
        let mut items = BTreeMap::new();
        let mut rest = self.payload.as_slice();
        while !rest.is_empty() {
            let (after, len) = decode_varint(rest).unwrap();
            let (name, after) = after.split_at(usize::try_from(len).unwrap());
            let (after, value) = typed_data(after).unwrap();
            items.insert(String::from_utf8(name.to_vec()).unwrap(), value);
            rest = after;
        }
        items
    }

    pub(super) fn status(&self) -> StatusCode {
        assert_eq!(self.kind, AGENT_DISCONNECT, "{self:?}");
        match self.items().get("status-code") {
            Some(TypedData::UInt32(status)) => StatusCode::from_u32(*status),
            other => panic!("{other:?}"),
        }
    }
}

impl Peer {
    pub(super) fn new(readiness: Readiness) -> Self {
        Self::asking(Arc::new(Refuses(readiness)))
    }

    /// The other end of a connection whose requests this one answers.
    pub(crate) fn asking<R: Respond>(responder: Arc<R>) -> Self {
        Self::leaving(responder, Leave::new())
    }

    /// The other end of a connection that has this place.
    pub(super) fn placed(place: service::places::Place) -> Self {
        Self::leaving(Arc::new(Refuses(Readiness::new())), Leave::new().of(place))
    }

    fn leaving<R: Respond>(responder: Arc<R>, leave: Leave) -> Self {
        let (stream, served) = tokio::io::duplex(1 << 20);
        let writes = Writes::default();
        let recorded = Recorded { stream: served, writes: Arc::clone(&writes) };
        let serving = tokio::spawn(serve(recorded, responder, leave.clone(), Span::none()));
        Self { stream, leave, serving, writes }
    }

    pub(super) async fn greeted() -> Self {
        let mut peer = Self::new(Readiness::new());
        peer.send(&hello(false, "2.0", 16380)).await;
        assert_eq!(peer.answer().await.unwrap().kind, AGENT_HELLO);
        peer
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).await.ok()?;
        let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame[1..5], [0, 0, 0, 1], "only FIN is set");
        let (rest, stream_id) = decode_varint(&frame[5..]).unwrap();
        let (payload, frame_id) = decode_varint(rest).unwrap();
        Some(Answer { kind: frame[0], stream_id, frame_id, payload: payload.to_vec() })
    }

    /// The status of the DISCONNECT that comes next, and is the last.
    pub(super) async fn farewell(mut self) -> StatusCode {
        let status = self.answer().await.expect("a DISCONNECT").status();
        assert!(self.answer().await.is_none());
        drop(self.stream);
        self.serving.await.unwrap();
        status
    }
}

pub(crate) fn frame(kind: u8, stream_id: u64, frame_id: u64, payload: &[u8]) -> Vec<u8> {
    let mut body = vec![kind, 0, 0, 0, 1];
    encode_varint_into(stream_id, &mut body);
    encode_varint_into(frame_id, &mut body);
    body.extend(payload);
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

pub(crate) fn items(items: &[(&str, TypedData)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in items {
        encode_varint_into(name.len() as u64, &mut out);
        out.extend(name.as_bytes());
        value.to_bytes(&mut out);
    }
    out
}

pub(crate) fn hello(health_check: bool, version: &str, max_frame_size: u32) -> Vec<u8> {
    frame(HAPROXY_HELLO, 0, 0, &greeting(health_check, version, max_frame_size))
}

/// The items of HELLO.
pub(super) fn greeting(health_check: bool, version: &str, max_frame_size: u32) -> Vec<u8> {
    items(&[
        ("supported-versions", TypedData::String(version.into())),
        ("max-frame-size", TypedData::UInt32(max_frame_size)),
        ("capabilities", TypedData::String("pipelining,async".into())),
        ("healthcheck", TypedData::Bool(health_check)),
    ])
}

pub(crate) fn notify(stream_id: u64, authorization: &str) -> Vec<u8> {
    let mut payload = vec![10];
    payload.extend(b"verify-jwt");
    payload.push(1);
    payload.extend(items(&[("authorization", TypedData::String(authorization.into()))]));
    frame(NOTIFY, stream_id, 1, &payload)
}

pub(super) fn bye() -> Vec<u8> {
    items(&[("status-code", TypedData::UInt32(0)), ("message", TypedData::String("normal".into()))])
}

//! The loop against a peer made of bytes, with paused time. No HAProxy would send most of this.

use std::collections::BTreeMap;

use jose::{AlgorithmSet, Policy, Profile, Trust};
use prometheus_client::registry::Registry;
use service::lease::{SharedLease, Terms};
use service::readiness::Readiness;
use spop::types::typed_data;
use spop::{TypedData, decode_varint, encode_varint_into};
use tokio::io::DuplexStream;

use super::*;
use crate::answer::Variables;
use crate::cache::{Limits, VerdictCache};
use crate::current::Current;
use crate::metrics::Metrics;
use crate::request::Text;
use crate::responder::Responder;
use crate::spoa::frame::{Ids, encode_ack};
use crate::verifier::Verifier;
use keys::{KeyMetrics, KeyRing};

const HAPROXY_HELLO: u8 = 1;
const HAPROXY_DISCONNECT: u8 = 2;
const NOTIFY: u8 = 3;
const AGENT_HELLO: u8 = 101;
const AGENT_DISCONNECT: u8 = 102;
const ACK: u8 = 103;

/// One end of a connection whose other end is served.
struct Peer {
    stream: DuplexStream,
    leave: Leave,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Answer {
    kind: u8,
    stream_id: u64,
    frame_id: u64,
    payload: Vec<u8>,
}

impl Answer {
    fn items(&self) -> BTreeMap<String, TypedData> {
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

    fn status(&self) -> StatusCode {
        assert_eq!(self.kind, AGENT_DISCONNECT, "{self:?}");
        match self.items().get("status-code") {
            Some(TypedData::UInt32(status)) => StatusCode::from_u32(*status),
            other => panic!("{other:?}"),
        }
    }
}

impl Peer {
    fn new(readiness: Readiness) -> Self {
        let metrics = Metrics::register(&mut Registry::default());
        let ring = Arc::new(KeyRing::new(
            1,
            &[],
            std::time::Duration::ZERO,
            readiness.clone(),
            KeyMetrics::default(),
        ));
        let policy = Policy {
            name: "default".into(),
            profile: Profile::Standard,
            algorithms: AlgorithmSet::ALL,
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::ZERO,
            binding: jose::Binding::IfBound,
            requirements: jose::Requirements::default(),
        };
        let verifier = Verifier::new(ring, Trust::single(policy), vec!["Bearer".into()], 8192, None);
        let lease = SharedLease::new(Terms { ttl: Duration::ZERO, ttl_max: Duration::ZERO });
        let cache = VerdictCache::new(Limits { entries: 100, bytes: 1 << 20 }, Arc::new(lease));
        let budget = Duration::from_secs(1);
        let responder = Responder::new(verifier, cache, Variables::All, None, budget, readiness, metrics);
        let (stream, served) = tokio::io::duplex(1 << 20);
        let leave = Leave::new();
        let serving = tokio::spawn(serve(served, Arc::new(Current::new(responder)), leave.clone()));
        Self { stream, leave, serving }
    }

    async fn greeted() -> Self {
        let mut peer = Self::new(Readiness::new());
        peer.send(&hello(false, "2.0", 16380)).await;
        assert_eq!(peer.answer().await.unwrap().kind, AGENT_HELLO);
        peer
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn answer(&mut self) -> Option<Answer> {
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
    async fn farewell(mut self) -> StatusCode {
        let status = self.answer().await.expect("a DISCONNECT").status();
        assert!(self.answer().await.is_none());
        drop(self.stream);
        self.serving.await.unwrap();
        status
    }
}

fn frame(kind: u8, stream_id: u64, frame_id: u64, payload: &[u8]) -> Vec<u8> {
    let mut body = vec![kind, 0, 0, 0, 1];
    encode_varint_into(stream_id, &mut body);
    encode_varint_into(frame_id, &mut body);
    body.extend(payload);
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

fn items(items: &[(&str, TypedData)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in items {
        encode_varint_into(name.len() as u64, &mut out);
        out.extend(name.as_bytes());
        value.to_bytes(&mut out);
    }
    out
}

fn hello(health_check: bool, version: &str, max_frame_size: u32) -> Vec<u8> {
    let payload = items(&[
        ("supported-versions", TypedData::String(version.into())),
        ("max-frame-size", TypedData::UInt32(max_frame_size)),
        ("capabilities", TypedData::String("pipelining,async".into())),
        ("healthcheck", TypedData::Bool(health_check)),
    ]);
    frame(HAPROXY_HELLO, 0, 0, &payload)
}

fn notify(stream_id: u64, authorization: &str) -> Vec<u8> {
    let mut payload = vec![10];
    payload.extend(b"verify-jwt");
    payload.push(1);
    payload.extend(items(&[("authorization", TypedData::String(authorization.into()))]));
    frame(NOTIFY, stream_id, 1, &payload)
}

#[tokio::test]
async fn twenty_requests_in_one_write_get_twenty_answers_with_valid_last() {
    let mut peer = Peer::greeted().await;
    let all: Vec<u8> = (0..20).flat_map(|id| notify(id, "Bearer a.b.c")).collect();
    peer.send(&all).await;
    let mut seen = Vec::new();
    for _ in 0..20 {
        let answer = peer.answer().await.unwrap();
        assert_eq!((answer.kind, answer.frame_id), (ACK, 1));
        let valid = [&[1, 3, 2, 5][..], b"valid", &[1]].concat();
        assert!(answer.payload.ends_with(&valid), "{answer:?}");
        seen.push(answer.stream_id);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_notify_without_our_message_gets_an_answer_with_actions() {
    let mut peer = Peer::greeted().await;
    peer.send(&frame(NOTIFY, 7, 3, b"\x05other\x00")).await;
    let answer = peer.answer().await.unwrap();
    assert_eq!((answer.kind, answer.stream_id, answer.frame_id), (ACK, 7, 3));
    let text = String::from_utf8_lossy(&answer.payload).into_owned();
    assert!(text.contains("missing") && text.contains("E_TKN_INVALID"), "{text}");
}

/// A NOTIFY of these messages of ours.
fn asking(messages: &[&[(&str, TypedData)]]) -> Vec<u8> {
    let mut payload = Vec::new();
    for arguments in messages {
        payload.push(10);
        payload.extend(b"verify-jwt");
        payload.push(u8::try_from(arguments.len()).unwrap());
        payload.extend(items(arguments));
    }
    frame(NOTIFY, 1, 1, &payload)
}

#[tokio::test]
async fn what_the_configuration_of_haproxy_gets_wrong_is_never_judged_as_if_it_were_right() {
    let text = |text: &str| TypedData::String(text.into());
    let policy = |value| [("token", text("a.b.c")), ("policy", value)];
    let counted = |count| [("token", text("a.b.c")), ("token_count", count)];
    let [first, second] = [[("token", text("a.b.c"))], [("policy", text("admin"))]];
    for (what, bytes, reason, detail) in [
        ("an unknown policy", asking(&[&policy(text("admin"))]), "E_BACKEND_UNAVAIL", "unknown_policy"),
        ("another case", asking(&[&policy(text("Default"))]), "E_BACKEND_UNAVAIL", "unknown_policy"),
        ("a long name", asking(&[&policy(text(&"p".repeat(9000)))]), "E_BACKEND_UNAVAIL", "unknown_policy"),
        (
            "a binary policy",
            asking(&[&policy(TypedData::Binary(b"default".to_vec()))]),
            "E_BACKEND_UNAVAIL",
            "argument",
        ),
        ("a policy of a number", asking(&[&policy(TypedData::Int64(0))]), "E_BACKEND_UNAVAIL", "argument"),
        ("no policy", asking(&[&policy(TypedData::Null)]), "E_TKN_INVALID", "malformed"),
        ("the default policy", asking(&[&policy(text("default"))]), "E_TKN_INVALID", "malformed"),
        ("two cookies", asking(&[&counted(TypedData::Int64(2))]), "E_TKN_INVALID", "duplicate_header"),
        ("less than none", asking(&[&counted(TypedData::Int64(-1))]), "E_BACKEND_UNAVAIL", "argument"),
        ("two questions", asking(&[&first, &second]), "E_BACKEND_UNAVAIL", "argument"),
    ] {
        let mut peer = Peer::greeted().await;
        // The second answer is no other one.
        for _ in 0..2 {
            peer.send(&bytes).await;
            let answer = peer.answer().await.unwrap();
            let told = String::from_utf8_lossy(&answer.payload);
            assert!(told.contains(reason) && told.contains(detail), "{what}: {told}");
        }
    }
}

#[tokio::test]
async fn each_breach_of_the_protocol_ends_with_its_status() {
    for (what, bytes, status) in [
        ("NOTIFY first", notify(0, ""), StatusCode::Invalid),
        ("garbage", b"GET / HTTP/1.1\r\n\r\n".to_vec(), StatusCode::TooBig),
        ("a HELLO over the limit", 20_000_u32.to_be_bytes().to_vec(), StatusCode::TooBig),
        ("an old version", hello(false, "1.0", 16380), StatusCode::BadVersion),
        ("no version number", hello(false, "two", 16380), StatusCode::Invalid),
        ("tiny frames", hello(false, "2.0", 255), StatusCode::BadFrameSize),
    ] {
        let mut peer = Peer::new(Readiness::new());
        peer.send(&bytes).await;
        assert_eq!(peer.farewell().await, status, "{what}");
    }
    for (what, bytes, status) in [
        ("a second HELLO", hello(false, "2.0", 16380), StatusCode::Invalid),
        ("a frame over the negotiated size", 16_381_u32.to_be_bytes().to_vec(), StatusCode::TooBig),
        ("an unknown frame", frame(42, 0, 0, b""), StatusCode::Invalid),
        ("HAPROXY-DISCONNECT", frame(HAPROXY_DISCONNECT, 0, 0, &bye()), StatusCode::None),
    ] {
        let mut peer = Peer::greeted().await;
        peer.send(&bytes).await;
        assert_eq!(peer.farewell().await, status, "{what}");
    }
}

fn bye() -> Vec<u8> {
    items(&[("status-code", TypedData::UInt32(0)), ("message", TypedData::String("normal".into()))])
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_or_half_a_frame_is_shown_the_door() {
    assert_eq!(Peer::new(Readiness::new()).farewell().await, StatusCode::Timeout);
    let mut half_hello = Peer::new(Readiness::new());
    half_hello.send(&hello(false, "2.0", 16380)[..9]).await;
    assert_eq!(half_hello.farewell().await, StatusCode::Timeout);
    let mut half_notify = Peer::greeted().await;
    half_notify.send(&notify(0, "Bearer a.b.c")[..9]).await;
    assert_eq!(half_notify.farewell().await, StatusCode::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_does_not_keep_a_frame_open() {
    let mut peer = Peer::greeted().await;
    let begun = Instant::now();
    for byte in notify(0, "Bearer a.b.c") {
        if peer.stream.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(peer.farewell().await, StatusCode::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_stays() {
    let mut peer = Peer::greeted().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    peer.send(&notify(1, "")).await;
    assert_eq!(peer.answer().await.unwrap().kind, ACK);
}

#[tokio::test]
async fn a_health_check_follows_readiness() {
    let readiness = Readiness::new();
    let mut peer = Peer::new(readiness.clone());
    peer.send(&hello(true, "2.0", 16380)).await;
    assert_eq!(peer.answer().await.unwrap().kind, AGENT_HELLO);

    readiness.block("keys", "none");
    let mut peer = Peer::new(readiness);
    peer.send(&hello(true, "2.0", 16380)).await;
    assert_eq!(peer.farewell().await, StatusCode::Resource);
}

#[tokio::test]
async fn what_has_arrived_is_answered_before_the_farewell() {
    let mut peer = Peer::greeted().await;
    let all: Vec<u8> = (0..50).flat_map(|id| notify(id, "Bearer a.b.c")).collect();
    peer.send(&all).await;
    // The first answer shows that the requests were read.
    let mut answers = vec![peer.answer().await.unwrap()];
    peer.leave.in_turn(1);
    while let Some(answer) = peer.answer().await {
        answers.push(answer);
    }
    let last = answers.pop().unwrap();
    assert_eq!(last.status(), StatusCode::None);
    assert_eq!(answers.len(), 50);
    assert!(answers.iter().all(|answer| answer.kind == ACK));
}

#[tokio::test]
async fn the_answer_that_would_not_fit_becomes_a_refusal() {
    let mut peer = Peer::new(Readiness::new());
    peer.send(&hello(false, "2.0", 256)).await;
    assert_eq!(peer.answer().await.unwrap().kind, AGENT_HELLO);
    peer.send(&notify(1, "Bearer a.b.c")).await;
    let answer = peer.answer().await.unwrap();
    assert_eq!(answer.kind, ACK);
    assert!(answer.payload.len() < 256);
}

#[tokio::test]
async fn bytes_split_anywhere_make_the_same_frames() {
    let mut peer = Peer::greeted().await;
    let all: Vec<u8> = (0..3).flat_map(|id| notify(id, "Bearer a.b.c")).collect();
    for piece in all.chunks(7) {
        peer.send(piece).await;
        tokio::task::yield_now().await;
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(peer.answer().await.unwrap().stream_id);
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2]);
}

/// Answers who has no token; with one it waits until the test lets go, and with the token `panic` it panics.
struct Patient(tokio::sync::Semaphore);

impl Respond for Patient {
    type Received = ();
    /// Whether to panic.
    type Question = bool;

    fn receive(&self) {}

    fn answer_at_once(&self, notify: &Notify<'_>, (): &(), max: u32, out: &mut Vec<u8>) -> Option<bool> {
        if notify.request.authorization == Text::Empty {
            assert!(encode_ack(notify.ids, &[], max, out));
            return None;
        }
        Some(notify.request.authorization == Text::Given("panic".into()))
    }

    async fn decide(self: Arc<Self>, ids: Ids, panics: bool, (): (), max: u32) -> Vec<u8> {
        assert!(!panics, "asked to panic");
        self.0.acquire().await.unwrap().forget();
        let mut ack = Vec::new();
        assert!(encode_ack(ids, &[], max, &mut ack));
        ack
    }

    fn answer_health_check(&self) -> bool {
        true
    }

    fn count_fault(&self, fault: &Fault) {
        panic!("{fault}");
    }
}

/// A connection whose decisions wait for this one's permits.
async fn patient() -> (Peer, Arc<Patient>) {
    let patient = Arc::new(Patient(tokio::sync::Semaphore::new(0)));
    let (stream, served) = tokio::io::duplex(1 << 20);
    let leave = Leave::new();
    let serving = tokio::spawn(serve(served, Arc::clone(&patient), leave.clone()));
    let mut peer = Peer { stream, leave, serving };
    peer.send(&hello(false, "2.0", 16380)).await;
    assert_eq!(peer.answer().await.unwrap().kind, AGENT_HELLO);
    (peer, patient)
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_waits_holds_up_nobody() {
    let (mut peer, patient) = patient().await;
    let all: Vec<u8> = [notify(1, "waits"), notify(2, "waits"), notify(3, "")].concat();
    peer.send(&all).await;
    assert_eq!(peer.answer().await.unwrap().stream_id, 3);
    peer.send(&notify(4, "")).await;
    assert_eq!(peer.answer().await.unwrap().stream_id, 4);
    patient.0.add_permits(2);
    let mut last = [peer.answer().await.unwrap().stream_id, peer.answer().await.unwrap().stream_id];
    last.sort_unstable();
    assert_eq!(last, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_panics_costs_no_other_its_answer() {
    let (mut peer, patient) = patient().await;
    patient.0.add_permits(1);
    let all: Vec<u8> = [notify(1, "panic"), notify(2, "waits"), notify(3, "")].concat();
    peer.send(&all).await;
    assert_eq!(peer.answer().await.unwrap().stream_id, 2);
    assert_eq!(peer.answer().await.unwrap().stream_id, 3);
    peer.send(&frame(HAPROXY_DISCONNECT, 0, 0, &bye())).await;
    assert_eq!(peer.farewell().await, StatusCode::None);
}

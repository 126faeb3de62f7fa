use super::*;
use crate::spoa::messages::{Messages, Piece};
use spop::{encode_varint_into, frame::Metadata};

/// How many messages there were.
#[derive(Debug, PartialEq, Eq)]
struct Count(usize);

impl FromMessages<'_> for Count {
    fn from_messages(messages: &mut Messages<'_>) -> Self {
        Self(messages.filter(|piece| matches!(piece, Piece::Message(_))).count())
    }
}

fn decode(input: &[u8], max: u32) -> Result<Option<(Frame<Count>, usize)>, Fault> {
    super::decode(input, max)
}

fn frame(kind: u8, flags: u32, body: &[u8]) -> Vec<u8> {
    frame_of(kind, flags, [0, 0], body)
}

fn frame_of(kind: u8, flags: u32, ids: [u8; 2], body: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 4];
    out.push(kind);
    out.extend(flags.to_be_bytes());
    out.extend(ids);
    out.extend(body);
    let len = u32::try_from(out.len() - 4).unwrap();
    out[..4].copy_from_slice(&len.to_be_bytes());
    out
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

fn hello(without: &str) -> Vec<u8> {
    hello_of([0, 0], "2.0", without)
}

fn hello_of(ids: [u8; 2], versions: &str, without: &str) -> Vec<u8> {
    let text = |text: &str| TypedData::String(text.to_owned());
    let mut all = vec![
        ("supported-versions", text(versions)),
        ("max-frame-size", TypedData::UInt32(16380)),
        ("capabilities", text("pipelining,async")),
    ];
    all.retain(|(name, _)| *name != without);
    frame_of(1, FIN, ids, &items(&all))
}

fn notify(args: &[(&str, TypedData)]) -> Vec<u8> {
    let mut body = vec![10];
    body.extend(b"verify-jwt");
    body.push(u8::try_from(args.len()).unwrap());
    body.extend(items(args));
    frame(3, FIN, &body)
}

#[test]
fn each_protocol_fault_has_its_status() {
    let too_big = [&70_000_u32.to_be_bytes()[..], &[3]].concat();
    for (what, bytes, status) in [
        ("a length over the limit", too_big, StatusCode::TooBig),
        ("the largest length", vec![0xff; 4], StatusCode::TooBig),
        ("an empty frame", vec![0; 4], StatusCode::Invalid),
        ("a frame of one byte", vec![0, 0, 0, 1, 3], StatusCode::Invalid),
        ("no FIN", frame(3, 0, b""), StatusCode::FragmentationNotSupported),
        ("ABORT", frame(3, 3, b""), StatusCode::Invalid),
        ("an unknown type", frame(9, FIN, b""), StatusCode::Invalid),
        ("our own type", frame(103, FIN, b""), StatusCode::Invalid),
        ("a cut argument", frame(3, FIN, b"\x0averify-jwt\x02\x05token"), StatusCode::Invalid),
        ("HELLO of garbage", frame(1, FIN, b"\xff\xff\xff"), StatusCode::Invalid),
        ("HELLO without version", hello("supported-versions"), StatusCode::NoVersion),
        ("HELLO without size", hello("max-frame-size"), StatusCode::NoFrameSize),
        ("HELLO without capabilities", hello("capabilities"), StatusCode::NoCapabilities),
        ("HELLO of no version", hello_of([0, 0], "", ""), StatusCode::BadVersion),
        ("HELLO of commas", hello_of([0, 0], " , ", ""), StatusCode::BadVersion),
        ("HELLO of half a version", hello_of([0, 0], "2", ""), StatusCode::BadVersion),
        ("HELLO of a word", hello_of([0, 0], "two", ""), StatusCode::BadVersion),
        ("HELLO of another version, and none", hello_of([0, 0], "3.0, x", ""), StatusCode::BadVersion),
        ("HELLO of our version, and none", hello_of([0, 0], "2.0, x", ""), StatusCode::Invalid),
        ("HELLO of a stream", hello_of([1, 0], "2.0", ""), StatusCode::Invalid),
        ("HELLO of a frame", hello_of([0, 1], "2.0", ""), StatusCode::Invalid),
        ("DISCONNECT of a stream", frame_of(2, FIN, [1, 0], b""), StatusCode::Invalid),
    ] {
        let fault = decode(&bytes, MAX_FRAME_SIZE).unwrap_err();
        assert_eq!(fault.status(), status, "{what}: {fault}");
    }
}

#[test]
fn an_incomplete_frame_waits_and_two_frames_come_one_by_one() {
    let one = notify(&[("token", TypedData::String("a.b.c".into()))]);
    for end in 0..one.len() {
        assert!(decode(&one[..end], MAX_FRAME_SIZE).unwrap().is_none(), "{end}");
    }
    let two = [one.clone(), hello("")].concat();
    let (first, used) = decode(&two, MAX_FRAME_SIZE).unwrap().unwrap();
    assert_eq!(used, one.len());
    assert!(matches!(first, Frame::Notify(Notify { ids: Ids { stream: 0, .. }, .. })));
    let (second, _) = decode(&two[used..], MAX_FRAME_SIZE).unwrap().unwrap();
    assert!(matches!(second, Frame::Hello(_)));
}

#[test]
fn a_notify_without_messages_still_asks() {
    let bytes = frame(3, FIN, b"");
    let (found, _) = decode(&bytes, MAX_FRAME_SIZE).unwrap().unwrap();
    let Frame::Notify(notify) = found else { panic!("{found:?}") };
    assert_eq!(notify.request, Count(0));
}

#[test]
fn a_disconnect_keeps_haproxys_words() {
    let body = items(&[
        ("status-code", TypedData::UInt32(2)),
        ("message", TypedData::String("a timeout occurred".into())),
    ]);
    let bytes = frame(2, FIN, &body);
    let (found, _) = decode(&bytes, MAX_FRAME_SIZE).unwrap().unwrap();
    let Frame::Disconnect { status, message } = found else { panic!("{found:?}") };
    assert_eq!((status, message.as_str()), (2, "a timeout occurred"));
}

#[test]
fn only_pipelining_is_ever_announced() {
    let bytes = hello("");
    let (found, _) = decode(&bytes, MAX_HELLO_SIZE).unwrap().unwrap();
    let Frame::Hello(hello) = found else { panic!("{found:?}") };
    let mut out = Vec::new();
    encode_hello(&hello, 16380, &mut out);
    let text = String::from_utf8_lossy(&out);
    assert!(text.contains("pipelining"), "{text:?}");
    assert!(!text.contains("async") && !text.contains("fragmentation"), "{text:?}");
}

fn body(len: usize) -> Vec<Action> {
    let value = TypedData::String("x".repeat(len));
    vec![Action::SetVar { scope: spop::VarScope::Transaction, name: "body".into(), value }]
}

#[test]
fn an_ack_that_does_not_fit_leaves_nothing_behind() {
    let mut out = b"before".to_vec();
    assert!(!encode_ack(Ids { stream: 1, frame: 1 }, &[&encode_actions(body(300))], 256, &mut out));
    assert_eq!(out, b"before");
    assert!(encode_ack(Ids { stream: 1, frame: 1 }, &[&encode_actions(body(200))], 256, &mut out));
    assert!(out.len() > 200);
}

#[test]
fn an_ack_is_what_the_crate_would_have_written() {
    for (stream_id, frame_id, len) in [(0, 0, 0), (1, 2, 10), (239, 240, 300), (u64::MAX, 1 << 33, 5000)] {
        let mut expected = Vec::new();
        append(&Ack { stream_id, frame_id, actions: body(len) }, &mut expected);
        let ids = Ids { stream: stream_id, frame: frame_id };
        let mut found = Vec::new();
        assert!(encode_ack(ids, &[&encode_actions(body(len))], MAX_FRAME_SIZE, &mut found));
        assert_eq!(found, expected, "{stream_id} {frame_id} {len}");
        let exact = u32::try_from(expected.len() - LENGTH_PREFIX).unwrap();
        assert!(encode_ack(ids, &[&encode_actions(body(len))], exact, &mut Vec::new()));
        assert!(!encode_ack(ids, &[&encode_actions(body(len))], exact - 1, &mut Vec::new()));
    }
}

#[test]
fn stream_and_frame_ids_come_back_as_they_were_sent() {
    let mut bytes = Vec::new();
    let metadata = Metadata {
        flags: spop::FrameFlags::new(true, false),
        stream_id: u64::from(u32::MAX) + 7,
        frame_id: 300,
    };
    bytes.push(3);
    metadata.write_to(&mut bytes);
    let framed = [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat();
    let (found, _) = decode(&framed, MAX_FRAME_SIZE).unwrap().unwrap();
    let Frame::Notify(notify) = found else { panic!("{found:?}") };
    assert_eq!(notify.ids, Ids { stream: metadata.stream_id, frame: 300 });
}

//! The loop against a peer made of bytes, with paused time. No HAProxy would send most of this.

use service::readiness::{Cause, Readiness};

use super::*;
use peer::{
    ACK, AGENT_DISCONNECT, AGENT_HELLO, HAPROXY_DISCONNECT, HAPROXY_HELLO, Peer, bye, frame, greeting, hello,
    notify,
};

pub(crate) mod peer;
mod unread;
mod waiting;

#[tokio::test]
async fn each_breach_of_the_protocol_ends_with_its_status() {
    for (what, bytes, status) in [
        ("NOTIFY first", notify(0, ""), StatusCode::Invalid),
        ("garbage", b"GET / HTTP/1.1\r\n\r\n".to_vec(), StatusCode::TooBig),
        ("a HELLO over the limit", 20_000_u32.to_be_bytes().to_vec(), StatusCode::TooBig),
        ("an old version", hello(false, "1.0", 16380), StatusCode::BadVersion),
        ("no version number", hello(false, "two", 16380), StatusCode::BadVersion),
        ("no version", hello(false, "", 16380), StatusCode::BadVersion),
        ("half a version", hello(false, "2", 16380), StatusCode::BadVersion),
        (
            "a HELLO of a frame",
            frame(HAPROXY_HELLO, 0, 1, &greeting(false, "2.0", 16380)),
            StatusCode::Invalid,
        ),
        (
            "a HELLO of a stream",
            frame(HAPROXY_HELLO, 1, 0, &greeting(false, "2.0", 16380)),
            StatusCode::Invalid,
        ),
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

    readiness.block(Cause::Keys, "none");
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

/// The kinds of the frames that these bytes are, if they are whole frames.
fn kinds(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kinds = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (frame, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        kinds.push(*frame.first()?);
        bytes = rest;
    }
    Some(kinds)
}

/// HAProxy 3.2 resets a connection whose HELLO arrives in two pieces.
#[tokio::test]
async fn every_frame_leaves_in_one_write() {
    let mut peer = Peer::greeted().await;
    for count in [1, 20] {
        let all: Vec<u8> = (0..count).flat_map(|id| notify(id, "Bearer a.b.c")).collect();
        peer.send(&all).await;
        for _ in 0..count {
            assert_eq!(peer.answer().await.unwrap().kind, ACK);
        }
    }
    peer.send(&frame(HAPROXY_DISCONNECT, 0, 0, &bye())).await;
    let writes = Arc::clone(&peer.writes);
    peer.farewell().await;
    let mut check = Peer::new(Readiness::new());
    check.send(&hello(true, "2.0", 16380)).await;
    assert_eq!(check.answer().await.unwrap().kind, AGENT_HELLO);
    let mut refused = Peer::new(Readiness::new());
    refused.send(&hello(false, "1.0", 16380)).await;
    let refusal = Arc::clone(&refused.writes);
    refused.farewell().await;
    for (what, writes, first) in [
        ("a session", writes, AGENT_HELLO),
        ("a health check", check.writes, AGENT_HELLO),
        ("a refusal", refusal, AGENT_DISCONNECT),
    ] {
        let writes = writes.lock().unwrap().clone();
        let kinds: Option<Vec<_>> = writes.iter().map(|bytes| kinds(bytes)).collect();
        let kinds = kinds.unwrap_or_else(|| panic!("{what}: {writes:?}"));
        assert_eq!(kinds.first().and_then(|write| write.first()), Some(&first), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_asked_nothing_whole_give_up_their_places_and_those_that_work_do_not() {
    let counts = service::places::Counts::default();
    let places = service::places::Places::new(2, counts.clone());
    let mut asking = Peer::placed(places.take(Instant::now()).unwrap());
    let greeting = hello(false, "2.0", 16380);
    asking.send(&greeting).await;
    assert_eq!(asking.answer().await.unwrap().kind, AGENT_HELLO);
    asking.send(&notify(1, "")).await;
    assert_eq!(asking.answer().await.unwrap().kind, ACK);
    let half = &notify(1, "")[..9];
    for sent in [&[][..], half, &[], half, &[]] {
        let mut silent = Peer::placed(places.take(Instant::now()).unwrap());
        silent.send(&greeting).await;
        assert_eq!(silent.answer().await.unwrap().kind, AGENT_HELLO);
        silent.send(sent).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let next = places.take(Instant::now()).unwrap();
        assert_eq!(silent.farewell().await, StatusCode::None);
        drop(next);
    }
    assert_eq!(counts.shed.get(), 5);
    asking.send(&notify(2, "")).await;
    assert_eq!(asking.answer().await.unwrap().kind, ACK);
}

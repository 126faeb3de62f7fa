//! Whole connections, whose requests the agent decides by no more than its own keys.

use std::time::{Duration, Instant};

use jose::{IssuerPolicy, Profile, Trust};
use keys::{KeyMetrics, KeyRing};
use prometheus_client::registry::Registry;
use revocation::lease::{SharedLease, Terms};
use service::sample::LogLines;
use spop::TypedData;

use super::*;
use crate::answer::Variables;
use crate::cache::{Limits, VerdictCache};
use crate::decide::Settings;
use crate::spoa::connection::tests::peer::{ACK, AGENT_HELLO, NOTIFY, Peer, frame, hello, items, notify};

/// What decides requests without a key.
pub(crate) fn current(readiness: Readiness) -> Arc<Current> {
    let metrics = Metrics::register(&mut Registry::default());
    let ring = Arc::new(KeyRing::new(1, &[], Duration::ZERO, readiness.clone(), KeyMetrics::default()));
    let settings = Settings {
        trust: Trust::single(IssuerPolicy::of(Profile::Standard)),
        schemes: vec!["Bearer".into()],
        max_token_bytes: 8192,
        mcp: crate::mcp::Rows::default(),
        certificates: Default::default(),
        proving: Default::default(),
        variables: Variables::All,
        claims: None,
        budget: Duration::from_secs(1),
        opaque_budget: Duration::from_secs(1),
        log_refusals: LogLines::Off,
        teller: None,
    };
    let lease = SharedLease::new(Terms { ttl: Duration::ZERO, ttl_max: Duration::ZERO }, Instant::now());
    let cache = VerdictCache::new(Limits { entries: 100, bytes: 1 << 20 }, Arc::new(lease));
    let decider = Decider::new(settings, ring, None, cache, (None, None), Arc::clone(&metrics));
    Arc::new(Current::new(decider, readiness, metrics))
}

/// The other end of a connection that has said HELLO.
async fn greeted() -> Peer {
    let mut peer = Peer::asking(current(Readiness::new()));
    peer.send(&hello(false, "2.0", 16380)).await;
    assert_eq!(peer.answer().await.unwrap().kind, AGENT_HELLO);
    peer
}

#[tokio::test]
async fn twenty_requests_in_one_write_get_twenty_answers_with_valid_last() {
    let mut peer = greeted().await;
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
    let mut peer = greeted().await;
    peer.send(&frame(NOTIFY, 7, 3, b"\x05other\x00")).await;
    let answer = peer.answer().await.unwrap();
    assert_eq!((answer.kind, answer.stream_id, answer.frame_id), (ACK, 7, 3));
    let text = String::from_utf8_lossy(&answer.payload).into_owned();
    assert!(text.contains("missing") && text.contains("E_TKN_INVALID"), "{text}");
}

/// A NOTIFY of these messages of ours.
fn notifying(messages: &[&[(&str, TypedData)]]) -> Vec<u8> {
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
        ("an unknown policy", notifying(&[&policy(text("admin"))]), "E_BACKEND_UNAVAIL", "unknown_policy"),
        ("another case", notifying(&[&policy(text("Default"))]), "E_BACKEND_UNAVAIL", "unknown_policy"),
        (
            "a long name",
            notifying(&[&policy(text(&"p".repeat(9000)))]),
            "E_BACKEND_UNAVAIL",
            "unknown_policy",
        ),
        (
            "a binary policy",
            notifying(&[&policy(TypedData::Binary(b"default".to_vec()))]),
            "E_BACKEND_UNAVAIL",
            "argument",
        ),
        (
            "a binary header",
            notifying(&[&[("authorization", TypedData::Binary(b"Bearer a.b.c".to_vec()))]]),
            "E_BACKEND_UNAVAIL",
            "argument",
        ),
        (
            "a binary token",
            notifying(&[&[("token", TypedData::Binary(b"a.b.c".to_vec()))]]),
            "E_BACKEND_UNAVAIL",
            "argument",
        ),
        ("a policy of a number", notifying(&[&policy(TypedData::Int64(0))]), "E_BACKEND_UNAVAIL", "argument"),
        ("no policy", notifying(&[&policy(TypedData::Null)]), "E_TKN_INVALID", "malformed"),
        ("the default policy", notifying(&[&policy(text("default"))]), "E_TKN_INVALID", "malformed"),
        ("two cookies", notifying(&[&counted(TypedData::Int64(2))]), "E_TKN_INVALID", "duplicate_header"),
        ("less than none", notifying(&[&counted(TypedData::Int64(-1))]), "E_BACKEND_UNAVAIL", "argument"),
        ("two questions", notifying(&[&first, &second]), "E_BACKEND_UNAVAIL", "argument"),
    ] {
        let mut peer = greeted().await;
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
async fn the_answer_that_would_not_fit_becomes_a_refusal() {
    let mut peer = Peer::asking(current(Readiness::new()));
    peer.send(&hello(false, "2.0", 256)).await;
    assert_eq!(peer.answer().await.unwrap().kind, AGENT_HELLO);
    peer.send(&notify(1, "Bearer a.b.c")).await;
    let answer = peer.answer().await.unwrap();
    assert_eq!(answer.kind, ACK);
    assert!(answer.payload.len() < 256);
}

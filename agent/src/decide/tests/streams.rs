//! Which streams are told of, and how they are judged again.

use std::sync::Mutex;

use spop::TypedData;

use super::agent::{Agent, Says, accepted, asking, refused};
use super::signing::{KEY, OTHER_KEY, document, token};
use super::whole::{GOOD, bound, showing};
use super::*;
use crate::spoa::messages;

/// A request of the same, on a stream of this number.
fn on<'a>(number: &str, request: Request<'a>) -> Request<'a> {
    let mut message = Vec::new();
    let text = |text: &str, out: &mut Vec<u8>| {
        out.push(u8::try_from(text.len()).unwrap());
        out.extend_from_slice(text.as_bytes());
    };
    text("stream", &mut message);
    message.push(4);
    let arguments = [
        ("stream", TypedData::String(number.to_owned())),
        ("process", TypedData::String("42".to_owned())),
        ("src", TypedData::IPv4([192, 0, 2, 7].into())),
        ("src_port", TypedData::Int32(5)),
    ];
    for (name, value) in arguments {
        text(name, &mut message);
        value.to_bytes(&mut message);
    }
    let sent: Request<'_> = messages::read(&message).unwrap();
    Request { stream: sent.stream, ..request }
}

/// What is held of a stream that this request opens.
async fn opening(agent: &Agent, request: Request<'_>) -> Arc<Held> {
    assert_eq!(agent.answer(on("17", request)).await, accepted());
    agent.opened().expect("it is told").held
}

/// What a stream is told by this agent.
async fn judged(agent: &Agent, held: &Held) -> Result<(), Option<Reject>> {
    match agent.decider.judge(held).await {
        Judged::Good(_) => Ok(()),
        Judged::Refused(reject) => Err(Some(reject)),
        Judged::Undecided => Err(None),
    }
}

fn says(detail: &str) -> Arc<Says> {
    let (detail, subject) = (detail.to_owned(), Some("ann".to_owned()));
    Arc::new(Says {
        result: Mutex::new(CheckResult { detail, subject, ..CheckResult::default() }),
        ..Says::default()
    })
}

#[tokio::test]
async fn a_stream_is_told_of_where_its_request_is_let_in_and_nowhere_else() {
    let agent = Agent::new(None).await;
    let good = token(KEY, GOOD);
    for (what, request, expected, is_told) in [
        ("found", on("17", asking(&good)), accepted(), true),
        ("kept", on("18", asking(&good)), accepted(), true),
        ("no stream", asking(&good), accepted(), false),
        ("not to be read", on("0x11", asking(&good)), accepted(), false),
        ("refused", on("19", asking("a.b.c")), refused(Reject::Malformed), false),
        ("without a token", on("20", Request::default()), refused(Reject::Missing), false),
        ("bound, and proved", on("21", showing(Some("anns"), &bound("anns", ""))), accepted(), true),
        (
            "kept, and not proved",
            on("22", showing(None, &bound("anns", ""))),
            refused(Reject::Binding),
            false,
        ),
        (
            "kept, and of another",
            on("23", showing(Some("bobs"), &bound("anns", ""))),
            refused(Reject::Binding),
            false,
        ),
    ] {
        assert_eq!(agent.answer(request).await, expected, "{what}");
        let opened = agent.opened();
        assert_eq!(opened.is_some(), is_told, "{what}");
        if let Some(Opened { stream, held, .. }) = opened {
            assert_eq!((stream.process, stream.client), (42, "192.0.2.7:5".parse().ok()), "{what}");
            assert!(!format!("{held:?}").contains("ey"), "a token is shown: {held:?}");
        }
    }
    assert!(agent.metrics().contains("streams_untracked_total{reason=\"unreadable\"} 1"));
}

#[tokio::test]
async fn what_is_left_of_a_token_is_told_where_its_request_may_stay_open_and_nowhere_else() {
    let agent = Agent::new(None).await;
    let now = UnixTime::from_system(SystemTime::now()).as_millis() / 1000;
    let lasting = |seconds: i64| token(KEY, &format!(r#"{{"exp":{}}}"#, now + seconds));
    let (hour, good) = (lasting(3_600), token(KEY, GOOD));
    let ttl = async |request| read_ttl(&agent.ack(request).await);
    for (what, request, is_told) in [
        ("found", on("17", asking(&hour)), true),
        ("kept", on("18", asking(&hour)), true),
        ("a number that cannot be read", on("0x11", asking(&hour)), true),
        ("no stream", asking(&hour), false),
        ("refused", on("19", asking("a.b.c")), false),
        ("not proved", on("20", showing(None, &bound("anns", ""))), false),
        ("proved", on("21", showing(Some("anns"), &bound("anns", ""))), true),
    ] {
        assert_eq!(ttl(request).await.is_some(), is_told, "{what}");
    }
    let told = ttl(on("22", asking(&hour))).await.unwrap();
    assert!((3_500..=3_600).contains(&told), "{told}");
    assert!(ttl(on("23", asking(&good))).await.unwrap() > 3_600, "for as long as the token says");
    let quiet = Agent::with(&[("JWT_VARIABLES", "detail")], None).await;
    assert_eq!(read_ttl(&quiet.ack(on("24", asking(&hour))).await), None, "not wanted");
}

/// The seconds that an answer tells.
fn read_ttl(ack: &[u8]) -> Option<i64> {
    let name = b"\x03ttl";
    let at = ack.windows(name.len()).position(|window| window == name)? + name.len();
    match TypedData::from_bytes(&ack[at..]) {
        Some(TypedData::Int64(seconds)) => Some(seconds),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn more_streams_than_can_be_taken_are_let_in_and_counted() {
    let agent = Agent::new(None).await;
    let good = token(KEY, GOOD);
    for number in 1..=5 {
        assert_eq!(agent.answer(on(&number.to_string(), asking(&good))).await, accepted());
    }
    assert!(agent.metrics().contains("streams_untracked_total{reason=\"busy\"} 3"));
}

#[tokio::test]
async fn a_rule_ends_what_it_is_for_and_no_newer_token_of_its_subject() {
    let says = says("ok");
    let agent = Agent::new(Some(&says)).await;
    assert_eq!(agent.answer(on("17", asking(&token(KEY, GOOD)))).await, accepted());
    let Opened { held, verdict, .. } = agent.opened().unwrap();
    let holds = |verdict: &Verdict| {
        agent.decider.holding(UnixTime::from_system(SystemTime::now()), Instant::now())(verdict)
    };
    assert!(holds(&verdict));
    agent.change_rules("bob");
    assert!(holds(&verdict), "a rule of another");
    agent.change_rules("ann");
    assert!(!holds(&verdict), "a rule of its subject");
    let before = says.count();
    assert_eq!(judged(&agent, &held).await, Ok(()), "newer than the rule");
    assert_eq!(says.count(), before + 1, "the token-server was asked");
    for (word, expected) in [
        ("rules", Err(None)),
        ("timeout", Err(None)),
        ("revoked", Err(Some(Reject::Revoked))),
        ("a word of a newer server", Err(Some(Reject::Revoked))),
    ] {
        agent.change_rules("ann");
        says.word(word);
        assert_eq!(judged(&agent, &held).await, expected, "{word}");
    }
}

#[tokio::test]
async fn the_stream_of_a_key_that_is_gone_is_refused_and_one_of_a_key_that_stays_is_not() {
    let agent = Agent::new(None).await;
    let held = opening(&agent, asking(&token(KEY, GOOD))).await;
    let before = agent.decider.basis();
    *agent.published.lock().unwrap() = document(OTHER_KEY);
    let now = UnixTime::from_system(SystemTime::now()).as_millis() / 1000;
    let rotated = token(OTHER_KEY, &format!(r#"{{"iat":{now},"exp":32503680000}}"#));
    let stays = opening(&agent, asking(&rotated)).await;
    assert_ne!(agent.decider.basis(), before);
    assert_eq!(judged(&agent, &held).await, Err(Some(Reject::Signature)));
    assert_eq!(judged(&agent, &stays).await, Ok(()));
}

#[tokio::test]
async fn another_configuration_judges_by_its_own_policies() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, b"[[policies]]\nname = 'p'\n").unwrap();
    let agent = Agent::with(&[("JWT_CONFIG", file.path().to_str().unwrap())], None).await;
    let good = token(KEY, GOOD);
    let default = opening(&agent, asking(&good)).await;
    let named = opening(&agent, Request { policy: Text::Given("p".into()), ..asking(&good) }).await;
    for (what, settings, of_default, of_named) in [
        ("the same", &[][..], Ok(()), Err(Some(Reject::UnknownPolicy))),
        (
            "another audience",
            &[("JWT_AUDIENCES", "x")],
            Err(Some(Reject::Audience)),
            Err(Some(Reject::UnknownPolicy)),
        ),
        (
            "shorter tokens",
            &[("JWT_MAX_TOKEN_BYTES", "256")],
            if good.len() > 256 { Err(Some(Reject::TokenSize)) } else { Ok(()) },
            Err(Some(Reject::UnknownPolicy)),
        ),
    ] {
        let agent = Agent::with(settings, None).await;
        assert_eq!(judged(&agent, &default).await, of_default, "{what}");
        assert_eq!(judged(&agent, &named).await, of_named, "{what}");
    }
    assert_eq!(judged(&agent, &named).await, Ok(()));
}

#[tokio::test]
async fn what_a_client_has_shown_counts_for_its_stream_alone() {
    let agent = Agent::new(None).await;
    let token = bound("anns", "");
    let shown = opening(&agent, showing(Some("anns"), &token)).await;
    assert_eq!(judged(&agent, &shown).await, Ok(()));
    assert_eq!(judged(&agent, &Held::of(&token)).await, Err(Some(Reject::Binding)), "nothing is shown");
}

#[tokio::test]
async fn a_stream_that_is_judged_again_is_no_request() {
    let agent = Agent::new(None).await;
    let held = opening(&agent, asking(&token(KEY, GOOD))).await;
    let before = agent.decided(None);
    assert_eq!(judged(&agent, &held).await, Ok(()));
    assert_eq!((agent.decided(None), agent.decider.metrics.in_flight.get()), (before, 0));
    assert!(agent.opened().is_none());
}

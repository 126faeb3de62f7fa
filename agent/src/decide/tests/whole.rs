//! Whole decisions: from what HAProxy asks to the ACK, with keys from a key server and the words of a token-server.

use std::sync::Mutex;

use jose::{Evidence, Thumbprint};
use tracing::instrument::WithSubscriber;

use super::agent::{Agent, MAX, Says, accepted, asking, refused, told};
use super::signing::{KEY, OTHER_KEY, document, token, token_of};
use super::*;
use crate::answer::tests::lines::Lines;

pub const GOOD: &str = r#"{"sub":"ann","exp":32503680000,"iat":1700000000}"#;
/// When [`GOOD`] is over.
const OVER: UnixTime = UnixTime::from_secs(32_503_680_000);

#[tokio::test]
async fn a_verdict_is_found_once_and_sent_again_until_a_rule_may_have_changed() {
    let result =
        CheckResult { detail: "ok".to_owned(), subject: Some("ann".to_owned()), ..CheckResult::default() };
    let says = Arc::new(Says { result: Mutex::new(result), ..Says::default() });
    let agent = Agent::new(Some(&says)).await;
    let good = token(KEY, GOOD);
    let step = async |what: &str, expected: (String, bool), asked: usize, counts: [u64; 3], kept: i64| {
        assert_eq!(agent.ask(&good).await, expected, "{what}");
        assert_eq!(says.count(), asked, "{what}");
        assert_eq!(agent.counts(), counts, "{what}: hits, misses, rechecks");
        assert_eq!(agent.decider.metrics.cache_entries.get(), kept, "{what}");
        assert_eq!(agent.decider.metrics.in_flight.get(), 0, "{what}");
    };
    step("the first", accepted(), 1, [0, 1, 0], 1).await;
    step("a hit", accepted(), 1, [1, 1, 0], 1).await;
    agent.change_rules("bob");
    step("another's rules", accepted(), 1, [2, 1, 0], 1).await;
    agent.change_rules("ann");
    step("checked again", accepted(), 2, [2, 1, 1], 1).await;
    says.word("revoked");
    step("revoked meanwhile", refused(Reject::Revoked), 3, [2, 1, 2], 0).await;
    assert_eq!((agent.decided(None), agent.decided(Some(Reject::Revoked))), (4, 1));
    let metrics = agent.metrics();
    assert!(metrics.contains("jwt_agent_decision_seconds_count 3"), "a hit is not timed: {metrics}");
}

#[tokio::test]
async fn only_what_would_be_decided_the_same_again_is_kept() {
    let agent = Agent::new(None).await;
    for (what, token, expected, is_kept) in [
        ("good", token(KEY, GOOD), accepted(), true),
        ("over", token(KEY, r#"{"exp":1}"#), refused(Reject::Expired), true),
        ("garbage", "a.b.c".to_owned(), refused(Reject::Malformed), true),
        ("encrypted", "e30.YQ.YQ.YQ.YQ".to_owned(), refused(Reject::Unsupported), true),
        (
            "not begun",
            token(KEY, r#"{"exp":32503680000,"nbf":32503670000}"#),
            refused(Reject::NotYetValid),
            false,
        ),
        ("too old for newer keys", token(OTHER_KEY, r#"{"iat":1}"#), refused(Reject::Signature), true),
    ] {
        let [before, ..] = agent.counts();
        // A refusal is kept for two seconds, in which a busy machine may ask once.
        for _ in 0..20 {
            assert_eq!(agent.ask(&token).await, expected, "{what}");
        }
        let [hits, ..] = agent.counts();
        assert_eq!(hits > before, is_kept, "{what}");
    }
}

#[tokio::test]
async fn a_kept_verdict_ends_with_its_token() {
    let agent = Agent::new(None).await;
    let good = token(KEY, GOOD);
    assert_eq!(agent.ask(&good).await, accepted());
    let request = asking(&good);
    let mut question = agent.decider.question(&request).map_err(|_| "refused").unwrap();
    let mut late = Arrival::now(&agent.decider.metrics);
    late.now = OVER;
    assert_eq!(agent.decider.verdict(&mut question, &late).await.reject, Some(Reject::Expired));
}

#[tokio::test]
async fn a_token_that_no_key_verifies_waits_for_newer_keys_and_is_undecided_without_them() {
    let agent = Agent::new(None).await;
    let now = UnixTime::from_system(SystemTime::now()).as_millis() / 1000;
    let recent = format!(r#"{{"iat":{now},"exp":32503680000}}"#);
    // The server has no newer keys; it is asked early once.
    for (what, token, expected, misses) in [
        ("after a load in vain", token(OTHER_KEY, "{}"), refused(Reject::Signature), 1),
        ("not kept: a load may come", token(OTHER_KEY, "{}"), refused(Reject::Signature), 2),
        ("of an unknown key", token_of("unknown", KEY, "{}"), refused(Reject::UnknownKey), 3),
        ("a new token", token(OTHER_KEY, &recent), refused(Reject::KeysStale), 4),
        ("not kept either", token(OTHER_KEY, &recent), refused(Reject::KeysStale), 5),
        ("what is known passes", token(KEY, &recent), accepted(), 6),
    ] {
        assert_eq!(agent.ask(&token).await, expected, "{what}");
        assert_eq!(agent.counts(), [0, misses, 0], "{what}");
    }

    let agent = Agent::new(None).await;
    assert_eq!(agent.ask(&token(KEY, &recent)).await, accepted());
    *agent.published.lock().unwrap() = document(OTHER_KEY);
    let rotated = token(OTHER_KEY, &recent);
    assert_eq!(agent.ask(&rotated).await, accepted(), "by the newer key");
    assert_eq!(agent.ask(&rotated).await, accepted());
    assert_eq!(agent.counts(), [1, 3, 0], "found by the old keys, then by the new ones, and kept");
    assert_eq!(agent.ask(&token(KEY, r#"{"iat":1}"#)).await, refused(Reject::Signature));
}

#[tokio::test]
async fn what_is_in_an_encrypted_token_is_verified_and_its_verdict_ends_with_its_rule() {
    let nested = token(KEY, GOOD);
    let result = CheckResult { detail: "ok".to_owned(), token: Some(nested), ..CheckResult::default() };
    let says = Arc::new(Says { result: Mutex::new(result), ..Says::default() });
    let agent = Agent::new(Some(&says)).await;
    let encrypted = "e30.YQ.YQ.YQ.YQ";
    for (what, expected, asked) in [("the first", accepted(), 1), ("a hit", accepted(), 1)] {
        assert_eq!(agent.ask(encrypted).await, expected, "{what}");
        assert_eq!(says.count(), asked, "{what}");
    }
    agent.change_rules("g");
    says.word("revoked");
    assert_eq!(agent.ask(encrypted).await, refused(Reject::Revoked));
    says.result.lock().unwrap().token = Some(token(OTHER_KEY, r#"{"iat":1}"#));
    says.word("ok");
    assert_eq!(agent.ask("e30.YQ.YQ.YQ.Yg").await, refused(Reject::Signature));
}

#[tokio::test]
async fn requests_that_ask_the_same_at_once_are_one_question_and_each_has_its_own_time() {
    let says = Arc::new(Says::default());
    for (detail, expected, is_over) in
        [("ok", None, false), ("rules", Some(Reject::Rules), false), ("ok", None, true)]
    {
        says.word(detail);
        let agent = Agent::new(Some(&says)).await;
        let (before, good) = (says.count(), token(KEY, GOOD));
        let request = asking(&good);
        let question = || agent.decider.question(&request).map_err(|_| "refused").unwrap();
        let (mut first, mut second) = (question(), question());
        let (early, mut late) = (Arrival::now(&agent.decider.metrics), Arrival::now(&agent.decider.metrics));
        if is_over {
            late.now = OVER;
        }
        let (first, second) = tokio::join!(
            agent.decider.verdict(&mut first, &early),
            agent.decider.verdict(&mut second, &late)
        );
        assert_eq!(first.reject, expected, "{detail}");
        if is_over {
            assert_eq!(second.reject, Some(Reject::Expired), "{detail}");
        } else {
            assert!(Arc::ptr_eq(&first, &second), "{detail}");
            assert_eq!(agent.counts(), [1, 1, 0], "{detail}");
            assert_eq!(says.count() - before, 1, "{detail}");
        }
    }
}

#[tokio::test]
async fn a_request_that_waited_for_its_turn_finds_what_was_kept_meanwhile() {
    let agent = Agent::new(None).await;
    let request = || Notify { ids: Ids { stream: 1, frame: 1 }, request: asking(&token(KEY, GOOD)) };
    let mut out = Vec::new();
    let [first, second] = [0; 2]
        .map(|_| agent.decider.answer(&request(), MAX, &mut DecidingTime::default(), &mut out).unwrap());
    assert_eq!(agent.decider.metrics.in_flight.get(), 2);
    for (deciding, counts) in [(first, [0, 1, 0]), (second, [1, 1, 0])] {
        assert_eq!(told(&deciding.await), accepted());
        assert_eq!(agent.counts(), counts);
    }
    assert_eq!(agent.decider.metrics.in_flight.get(), 0);
}

#[tokio::test]
async fn a_decision_is_logged_once_and_counted_and_its_refusals_logged_for_each_request() {
    let issuer = "https://i.example";
    let agent = Agent::with(&[("JWT_ISSUERS", issuer)], None).await;
    let good = format!(r#"{{"iss":"{issuer}","exp":32503680000}}"#);
    let old = format!(r#"{{"iss":"{issuer}","iat":1}}"#);
    for (token, reject, by) in [
        (token(KEY, &good), None, Some(issuer)),
        (token(OTHER_KEY, &old), Some(Reject::Signature), Some(issuer)),
        (String::new(), Some(Reject::Missing), None),
    ] {
        for count in 1..3 {
            let lines = Lines::default();
            let request = Request { request_id: Text::Given("r1".into()), ..asking(&token) };
            agent.answer(request).with_subscriber(lines.clone()).await;
            let lines = lines.take();
            let named = |what: &str| {
                lines.iter().filter(|line| line.starts_with(what) && line.contains(r#"request="r1""#)).count()
            };
            // How long a refusal is kept is a matter of time.
            if count == 1 || reject.is_none() {
                assert_eq!(named("message=decided"), usize::from(count == 1), "{reject:?}: {lines:?}");
            }
            assert_eq!(
                named("message=refused"),
                usize::from(reject.is_some()),
                "{reject:?}, {count}: {lines:?}"
            );
            let counted = agent.decider.metrics.decisions(reject, Some("default"), by).get();
            assert_eq!(counted, count, "{reject:?}");
        }
    }
}

#[tokio::test]
async fn a_token_does_not_pass_without_a_server_s_word_and_silence_is_none() {
    let (now, deadline) = (UnixTime::from_secs(1_700_000_000), Instant::now() + SHORT);
    let silent = Arc::new(Says { is_silent: true, ..Says::default() });
    let revoked = Arc::new(Says::default());
    revoked.word("revoked");
    for (says, deadline, reject, has_word) in
        [(silent, deadline, Reject::Timeout, false), (revoked, deadline + LONG, Reject::Revoked, true)]
    {
        let agent = Agent::new(Some(&says)).await;
        let (server, trust) = (agent.decider.token_server.as_ref(), &agent.decider.trust);
        let request = asking(&token(KEY, GOOD));
        let question = agent.decider.question(&request).map_err(|_| "refused").unwrap();
        let Finding { outcome: Outcome::Accepted(signed), .. } = token::verify(trust, &question, now) else {
            panic!("a good token");
        };
        let checked = ask::check(server, signed, deadline).await;
        assert_eq!(checked.outcome.reject(), Some(reject));
        assert!(checked.outcome.signed().is_some(), "its signature is known to be good: {reject:?}");
        assert_eq!(
            (checked.word.is_some(), checked.window(trust, &trust.policies()[0], now).is_some()),
            (has_word, has_word)
        );
        let opened = ask::open(server, trust, &question, now, deadline).await;
        assert_eq!((opened.outcome.reject(), opened.word.is_some()), (Some(reject), has_word));
    }
}

#[tokio::test]
async fn without_a_token_server_an_encrypted_token_is_refused_as_its_profile_has_it() {
    for (profile, expected) in [("standard", Reject::Unsupported), ("ms-users", Reject::NoTokenServer)] {
        let agent = Agent::with(&[("JWT_PROFILE", profile), ("JWT_SCHEMES", "Bearer")], None).await;
        assert_eq!(agent.ask("e30.YQ.YQ.YQ.YQ").await, refused(expected), "{profile}");
    }
}

/// A token that is bound to a certificate, and the request of a client that showed one.
pub fn bound(certificate: &str, claims: &str) -> String {
    let hash = signing::base64url(Thumbprint::of(certificate.as_bytes()).as_bytes());
    token(KEY, &format!(r#"{{"exp":32503680000,"cnf":{{"x5t#S256":"{hash}"}}{claims}}}"#))
}

pub fn showing(certificate: Option<&str>, token: &str) -> Request<'static> {
    let certificate = certificate.map(|it| Box::new(Certificate::of_hash(Thumbprint::of(it.as_bytes()))));
    Request { certificate, ..asking(token) }
}

#[tokio::test]
async fn a_bound_token_that_was_proved_once_is_refused_to_the_next_client_and_the_other_way_round() {
    let agent = Agent::new(None).await;
    for (token, certificates) in [
        (bound("anns", r#","sub":"ann""#), [Some("anns"), None, Some("bobs"), Some("anns"), None]),
        (bound("bobs", r#","sub":"bob""#), [None, Some("bobs"), Some("anns"), None, Some("bobs")]),
    ] {
        for certificate in certificates {
            let owner = if token == bound("anns", r#","sub":"ann""#) { "anns" } else { "bobs" };
            let expected = if certificate == Some(owner) { accepted() } else { refused(Reject::Binding) };
            assert_eq!(agent.answer(showing(certificate, &token)).await, expected, "{owner} {certificate:?}");
        }
    }
    assert_eq!(agent.counts(), [8, 2, 0], "each token was verified once");
    assert_eq!((agent.decided(None), agent.decided(Some(Reject::Binding))), (4, 6));
}

#[tokio::test]
async fn of_clients_that_ask_at_once_each_is_answered_by_what_it_shows() {
    let agent = Agent::new(None).await;
    let token = bound("anns", "");
    for (first, second) in [(None, Some("anns")), (Some("anns"), None), (Some("bobs"), Some("anns"))] {
        let mut out = Vec::new();
        let fresh =
            bound("anns", &format!(r#","jti":"{first:?}""#).replace(r#"Some(""#, "").replace(r#"")"#, ""));
        let [one, other] = [first, second].map(|certificate| {
            let notify = Notify { ids: Ids { stream: 1, frame: 1 }, request: showing(certificate, &fresh) };
            agent.decider.answer(&notify, MAX, &mut DecidingTime::default(), &mut out).unwrap()
        });
        let (one, other) = tokio::join!(one, other);
        for (certificate, ack) in [(first, one), (second, other)] {
            let expected = if certificate == Some("anns") { accepted() } else { refused(Reject::Binding) };
            assert_eq!(told(&ack), expected, "{first:?} {second:?}: {certificate:?}");
        }
    }
    assert_eq!(agent.answer(showing(None, &token)).await, refused(Reject::Binding));
}

#[tokio::test]
async fn a_policy_and_an_issuer_say_whether_tokens_must_be_bound() {
    let plain = token(KEY, GOOD);
    let own = bound("anns", "");
    let unknown = token(KEY, r#"{"exp":32503680000,"cnf":{"kid":"k"}}"#);
    for (setting, unbound, proved, unproved, other) in [
        ("if-bound", None, None, Some(Reject::Binding), Some(Reject::Binding)),
        ("mtls", Some(Reject::Binding), None, Some(Reject::Binding), Some(Reject::Binding)),
        ("any", Some(Reject::Binding), None, Some(Reject::Binding), Some(Reject::Binding)),
        ("dpop", Some(Reject::Binding), Some(Reject::Binding), Some(Reject::Binding), Some(Reject::Binding)),
        ("ignore", None, None, None, None),
    ] {
        let agent = Agent::with(&[("JWT_BINDING", setting)], None).await;
        for (what, request, expected) in [
            ("unbound", showing(Some("anns"), &plain), unbound),
            ("proved", showing(Some("anns"), &own), proved),
            ("unproved", showing(None, &own), unproved),
            ("not to be understood", showing(Some("anns"), &unknown), other),
        ] {
            let expected = expected.map_or_else(accepted, refused);
            assert_eq!(agent.answer(request).await, expected, "{setting}: {what}");
        }
    }
}

#[tokio::test]
async fn a_legacy_token_shows_nothing_of_itself_to_a_client_that_does_not_prove_it() {
    let settings = [("JWT_PROFILE", "ms-users"), ("JWT_SCHEMES", "Bearer")];
    let agent = Agent::with(&settings, None).await;
    let legacy = bound("anns", r#","username":"ann""#);
    for _ in 0..2 {
        let shown = agent.answer(showing(Some("anns"), &legacy)).await;
        assert_eq!(shown, refused(Reject::Legacy));
        assert_eq!(agent.answer(showing(None, &legacy)).await, refused(Reject::Binding));
    }
    let stateless = bound("anns", r#","username":"ann","st":1"#);
    let request = showing(None, &stateless);
    let question = agent.decider.question(&request).map_err(|_| "refused").unwrap();
    let Finding { outcome, .. } = token::verify(&agent.decider.trust, &question, UnixTime::from_secs(0));
    let decision = question.decided(&agent.decider.trust, outcome);
    assert!(decision.confirmation.judge(&Evidence::NONE).is_err());
    let unproved = decision.unproved().unwrap();
    assert_eq!(unproved.version, decision.version, "its refusal is as final as its acceptance");
    assert!(unproved.outcome.shown().is_none());
}

#[tokio::test]
async fn an_opaque_token_is_asked_about_where_its_policy_says_so_and_nowhere_else() {
    let claims = serde_json::value::RawValue::from_string(GOOD.to_owned()).unwrap();
    let result = CheckResult { detail: "ok".to_owned(), claims: Some(claims), ..CheckResult::default() };
    let says = Arc::new(Says { result: Mutex::new(result), ..Says::default() });
    let refusing = Agent::new(Some(&says)).await;
    let opaque = "an-opaque-token-of-sorts";
    assert_eq!(refusing.ask(opaque).await, refused(Reject::Malformed));
    assert_eq!(says.count(), 0);
    let server = ("JWT_TOKEN_SERVER_BACKEND", "http://127.0.0.1:1");
    let agent = Agent::with(&[("JWT_OPAQUE", "introspect"), server], Some(&says)).await;
    assert_eq!((agent.ask(opaque).await, says.count()), (accepted(), 1));
    assert_eq!((agent.ask(opaque).await, says.count()), (accepted(), 1), "a hit");
    agent.change_rules("g");
    says.word("inactive");
    assert_eq!(
        (agent.ask(opaque).await, says.count()),
        (refused(Reject::Inactive), 2),
        "its server is asked again"
    );
    for other in ["too-short", "not a token at all", "a-text-of-four.parts.or.so", "a.b.c"] {
        assert!(!agent.ask(other).await.1, "{other}");
    }
    assert_eq!(says.count(), 2, "what is no opaque token goes nowhere");
}

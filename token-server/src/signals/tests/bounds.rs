//! What one sender, and any stranger, can cause at most.

use rules::{ExpireAt, Rule};

use super::*;
use crate::caller::Caller;
use crate::revocations::{Act, Draft, MAX_RULES_PER_GROUP};
use crate::store::{Annotation, Mode};

#[tokio::test]
async fn one_that_sends_too_much_is_told_when_to_come_again_and_silences_no_other() {
    let server = server("", &[("TOKEN_SERVER__SIGNALS__RATE", "2")]).await;
    let by_other =
        |jti: &str| signed_by(key("RS256"), Some("logout+jwt"), json!({ "iss": OTHER, "jti": jti }));
    let mut limited = None;
    // However slow the machine is, it gives no two more in the time of one message.
    for number in 0..1_000 {
        let answered = server.send(&logout(json!({ "jti": number.to_string() }))).await;
        if answered.status == StatusCode::TOO_MANY_REQUESTS {
            limited = Some(answered);
            break;
        }
        assert_eq!(answered.status, StatusCode::OK);
    }
    let limited = limited.expect("a flood is limited");
    assert_eq!((&limited.headers[header::RETRY_AFTER], limited.body.as_str()), (&"1".parse().unwrap(), ""));
    server.accepts(&by_other("x")).await;
    assert_eq!(
        server.rules("alice").await.len(),
        3,
        "however many messages: one rule for each name of an issuer"
    );
    assert_eq!(server.counted(Outcome::Limited), 1);
}

#[tokio::test]
async fn strangers_use_up_no_ones_share() {
    let server = server("", &[("TOKEN_SERVER__SIGNALS__RATE", "1")]).await;
    for _ in 0..20 {
        let forged = signed_by(key("RS256"), Some("logout+jwt"), json!({}));
        assert_eq!(server.send(&forged).await.status, StatusCode::BAD_REQUEST);
    }
    server.accepts(&logout(json!({}))).await;
}

#[tokio::test]
async fn a_rule_of_a_signal_lives_as_long_as_the_issuers_longest_token() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "desk-desk-desk-desk\n").unwrap();
    let path = file.path().display().to_string();
    let settings =
        [("TOKEN_SERVER__SIGNALS__HOLD", "7200"), ("TOKEN_SERVER__GLOBAL_REVOCATION__TOKENS_FILE", &*path)];
    let server = server("", &settings).await;
    // The table of the one has a longest lifetime.
    for (issuer, key, lives) in [(IDP, key("ES256"), 3_600), (OTHER, key("RS256"), 7_200)] {
        let told = json!({ "iss": issuer, "sub": "by-logout", "iat": NOW - 200 });
        server.accepts(&signed_by(key, Some("logout+jwt"), told)).await;
        let body = json!({ "sub_id": { "format": "iss_sub", "iss": issuer, "sub": "by-sender" } });
        let request = Request::post("/global-token-revocation")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, "Bearer desk-desk-desk-desk")
            .body(Body::from(body.to_string()));
        let response = router(&server.signals).oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        for group in ["by-logout", "by-sender"] {
            let page = server.revocations.page(group, None, 9).await.unwrap();
            let ends: Vec<_> = page
                .rules
                .iter()
                .filter(|rule| rule.json.contains(issuer))
                .map(|rule| rule.expire_at)
                .collect();
            assert_eq!(ends, [ExpireAt::At(NOW + lives)], "{issuer} {group}");
        }
    }
}

#[tokio::test]
async fn where_a_group_is_full_nothing_is_done_and_the_sender_is_told_to_come_again() {
    let server = server("scope = 'session'", &[]).await;
    let end = NOW + 9_999;
    let draft = |number: usize| {
        let rule = Rule::parse(&format!(r#"{{"jti":"{number}"}}"#)).unwrap();
        let annotation =
            Annotation { mode: Mode::Enforce, note: None, by: None, written_at: NOW, expire_at: end };
        assert_eq!(annotation.end(), ExpireAt::At(end));
        Draft::new("alice".into(), rule, annotation)
    };
    let act = || Act { who: Caller::of_this_process(), at: UnixTime::from_secs(NOW) };
    // A message becomes two rules, since the issuer has two names.
    let numbers: Vec<usize> = (0..MAX_RULES_PER_GROUP - 1).collect();
    for some in numbers.chunks(1_000) {
        let drafts = some.iter().map(|number| draft(*number)).collect();
        server.revocations.add_all(drafts, act()).await.unwrap();
    }
    let token = logout(json!({ "sid": "s1" }));
    for _ in 0..2 {
        let answered = server.send(&token).await;
        assert_eq!((answered.status, answered.body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, ""));
        assert_eq!(answered.headers[header::RETRY_AFTER], "5");
    }
    assert_eq!(server.counted(Outcome::Full), 2);
    assert!(
        !server.refuses(json!({ "iss": IDP, "sub": "alice", "sid": "s1" })).await,
        "all of it, or nothing"
    );
    let gone = r#"{"jti":"7"}"#.to_owned();
    server.revocations.remove("alice".into(), gone, crate::revocations::Why::default(), act()).await.unwrap();
    server.accepts(&token).await;
    assert!(server.refuses(json!({ "iss": IDP, "sub": "alice", "sid": "s1" })).await);
}

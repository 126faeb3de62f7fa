//! What a good logout token becomes.

use super::*;
use crate::caller::{Caller, Kind as CallerKind};
use crate::revocations::{Act, Why};
use crate::store::{Action, Mode};

fn until(iss: &str, at: i64) -> String {
    format!(r#"{{"iat":{{"lte":{at}}},"iss":"{iss}"}}"#)
}

fn session(iss: &str, sid: &str) -> String {
    format!(r#"{{"iss":"{iss}","sid":"{sid}"}}"#)
}

fn token(sub: &str, iat: i64) -> Value {
    json!({ "iss": IDP, "sub": sub, "iat": iat })
}

#[tokio::test]
async fn a_logout_of_a_subject_ends_what_was_issued_until_then_at_once() {
    let server = server("", &[]).await;
    assert!(!server.refuses(token("alice", NOW - 5)).await);
    server.accepts(&logout(json!({}))).await;
    for (what, token, refused) in [
        ("before the logout", token("alice", NOW - 3_000), true),
        ("in the second of the logout", token("alice", NOW - 5), true),
        ("after the logout", token("alice", NOW - 4), false),
        ("under the issuer's other name", json!({ "iss": ALIAS, "sub": "alice", "iat": NOW - 60 }), true),
        ("of another subject", token("bob", NOW - 60), false),
        ("without an issuer", json!({ "sub": "alice", "iat": NOW - 60 }), false),
    ] {
        assert_eq!(server.refuses(token).await, refused, "a token {what}");
    }
    assert_eq!(server.rules("alice").await, [until(IDP, NOW - 5), until(ALIAS, NOW - 5)]);
    assert_eq!(server.counted(Outcome::Revoked), 1);
}

#[tokio::test]
async fn the_trail_tells_who_said_it_by_which_message() {
    let server = server("", &[]).await;
    let jti = format!("x\n\u{1b}[31m{}", "y".repeat(300));
    server.accepts(&logout(json!({ "jti": jti }))).await;
    let trail = server.trail().await;
    let [Record { who, by, note, action, after, .. }, _] = trail.as_slice() else { panic!("{trail:?}") };
    let sender = Caller { name: format!("logout {IDP}"), kind: CallerKind::Signal };
    assert_eq!((who, by.as_deref(), *action), (&sender, Some(IDP), Action::Write));
    let note = note.as_deref().unwrap();
    assert!(note.starts_with("jti x[31myyy") && note.chars().count() == 204, "{note}");
    let after = after.as_ref().unwrap();
    assert_eq!((after.mode, after.expire_at), (Mode::Enforce, NOW + 3_600), "the issuer's longest lifetime");
}

#[tokio::test]
async fn what_a_logout_names_and_the_scope_decide_which_rule_it_is() {
    let (alice, g) = ("alice", "g");
    let both = || json!({ "sid": "s1" });
    for (scope, changes, group, rules) in [
        ("subject", json!({}), alice, [until(IDP, NOW - 5), until(ALIAS, NOW - 5)]),
        ("subject", both(), alice, [until(IDP, NOW - 5), until(ALIAS, NOW - 5)]),
        ("subject", json!({ "sub": null, "sid": "s1" }), g, [session(IDP, "s1"), session(ALIAS, "s1")]),
        ("session", json!({}), alice, [until(IDP, NOW - 5), until(ALIAS, NOW - 5)]),
        ("session", both(), alice, [session(IDP, "s1"), session(ALIAS, "s1")]),
        ("session", json!({ "sub": null, "sid": "s1" }), g, [session(IDP, "s1"), session(ALIAS, "s1")]),
    ] {
        let server = server(&format!("scope = '{scope}'"), &[]).await;
        server.accepts(&logout(changes.clone())).await;
        assert_eq!(server.rules(group).await, rules, "{scope} {changes}");
        assert_eq!(server.trail().await.len(), 2, "nothing else: {scope} {changes}");
        if changes == both() && scope == "session" {
            let token = |sid: &str| json!({ "iss": IDP, "sub": "alice", "iat": NOW, "sid": sid });
            assert!(server.refuses(token("s1")).await);
            assert!(!server.refuses(token("s2")).await, "another session of the subject");
        }
    }
}

#[tokio::test]
async fn a_logout_token_is_accepted_in_all_forms_that_providers_give_it() {
    for (what, token) in [
        ("no type", typed(None, json!({}))),
        ("the type JWT", typed(Some("JWT"), json!({}))),
        ("the type in full", typed(Some("application/logout+jwt"), json!({}))),
        ("the type in capitals", typed(Some("LOGOUT+JWT"), json!({}))),
        ("no exp", logout(json!({ "exp": null }))),
        ("a list of audiences", logout(json!({ "aud": ["mail", "wiki"] }))),
        ("an event with members", logout(json!({ "events": { EVENT: { "reason": "x" } } }))),
        ("more events", logout(json!({ "events": { EVENT: {}, "https://example.com/other": {} } }))),
        ("more claims", logout(json!({ "sid": "s", "trace_id": "x", "auth_time": 7 }))),
        ("the issuer's other name", logout(json!({ "iss": ALIAS }))),
        ("as old as can be", logout(json!({ "iat": NOW - 330, "exp": null }))),
        ("a clock that is ahead", logout(json!({ "iat": NOW + 30 }))),
        ("a time with a fraction", logout(json!({ "iat": 1_699_999_990.5 }))),
    ] {
        let server = server("", &[]).await;
        server.accepts(&token).await;
        assert!(server.refuses(token_of_long_ago()).await, "{what}");
    }
}

fn token_of_long_ago() -> Value {
    token("alice", NOW - 3_000)
}

#[tokio::test]
async fn a_second_that_was_begun_counts_whole() {
    let server = server("", &[]).await;
    server.accepts(&logout(json!({ "iat": 1_699_999_990.5 }))).await;
    assert!(server.refuses(json!({ "iss": IDP, "sub": "alice", "iat": 1_699_999_990.4 })).await);
    assert!(server.refuses(token("alice", NOW - 9)).await);
    assert!(!server.refuses(token("alice", NOW - 8)).await);
}

#[tokio::test]
async fn a_replay_is_answered_as_before_and_writes_nothing_not_even_what_an_operator_has_undone() {
    let server = server("", &[]).await;
    let token = logout(json!({}));
    for _ in 0..3 {
        server.accepts(&token).await;
    }
    assert_eq!(server.trail().await.len(), 2);
    let act = Act { who: Caller::of_this_process(), at: UnixTime::from_secs(NOW) };
    server.revocations.remove_group("alice".into(), Why::default(), act).await.unwrap();
    assert!(!server.refuses(token_of_long_ago()).await);
    let before = server.trail().await.len();
    server.accepts(&token).await;
    assert!(
        !server.refuses(token_of_long_ago()).await,
        "a replay revoked anew what an operator had restored"
    );
    assert_eq!(server.trail().await.len(), before);
    assert_eq!((server.counted(Outcome::Revoked), server.counted(Outcome::Known)), (1, 3));
    server.accepts(&logout(json!({ "jti": "two", "iat": NOW - 1 }))).await;
    assert!(server.refuses(token_of_long_ago()).await, "a new logout is another matter");
}

#[tokio::test]
async fn what_is_told_under_a_jti_that_came_before_is_done_if_it_is_something_else() {
    let server = server("", &[]).await;
    server.accepts(&logout(json!({}))).await;
    server.accepts(&logout(json!({ "sub": "bob" }))).await;
    assert!(server.refuses(token("bob", NOW - 60)).await, "answered with 200, and not done");
}

#[tokio::test]
async fn a_logout_takes_the_place_of_an_earlier_one_and_a_late_one_changes_nothing() {
    let server = server("", &[]).await;
    for (jti, iat) in [("a", NOW - 60), ("b", NOW - 20), ("c", NOW - 40), ("d", NOW - 5)] {
        server.accepts(&logout(json!({ "jti": jti, "iat": iat }))).await;
    }
    assert_eq!(server.rules("alice").await, [until(IDP, NOW - 5), until(ALIAS, NOW - 5)]);
    assert_eq!((server.counted(Outcome::Revoked), server.counted(Outcome::Known)), (3, 1));
}

#[tokio::test]
async fn in_shadow_mode_a_logout_revokes_nothing_and_its_rules_are_on_trial() {
    let server = server("mode = 'shadow'", &[]).await;
    for (jti, iat) in [("a", NOW - 60), ("b", NOW - 20)] {
        server.accepts(&logout(json!({ "jti": jti, "iat": iat }))).await;
    }
    assert!(!server.refuses(token_of_long_ago()).await);
    assert!(server.rules("alice").await.is_empty());
    let trail = server.trail().await;
    let tried = trail.iter().filter(|record| record.action == Action::Write);
    assert!(tried.clone().all(|record| record.after.as_ref().unwrap().mode == Mode::Shadow));
    let removed = trail.iter().filter(|record| record.action == Action::Remove).count();
    assert_eq!((tried.count(), removed), (4, 2), "the later takes the place of the earlier");
    assert_eq!(server.counted(Outcome::Tried), 2);
}

#[tokio::test]
async fn the_claim_that_names_the_subject_can_be_another_one() {
    let server = server("subject_claim = 'username'", &[]).await;
    server.accepts(&logout(json!({ "username": "al" }))).await;
    assert!(server.refuses(token("al", NOW - 60)).await);
    assert!(!server.refuses(token("alice", NOW - 60)).await);
    let without = server.send(&logout(json!({ "jti": "two" }))).await;
    assert_eq!(without.status, StatusCode::BAD_REQUEST);
}

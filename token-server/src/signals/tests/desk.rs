//! What the desk makes of what is told, whichever route it came by.

use ::rules::{ExpireAt, Rule};

use super::super::desk::Heard;
use super::super::told::{End, Group, Told, Weight, Which};
use super::*;
use crate::caller::Caller;
use crate::revocations::{Act, Draft};
use crate::store::{Annotation, Mode};

fn told(jti: &str, weight: Weight, ends: Vec<End>) -> Told {
    let kind = Kind::Logout;
    Told { kind, sender: "s".into(), by: "b".into(), jti: Some(jti.into()), ends, weight }
}

fn end(group: Group, which: Which) -> End {
    End { issuers: vec!["i".into()], group, which, hold: Duration::from_secs(600) }
}

fn until(at: i64, and: &[(&str, Value)]) -> Which {
    let and = and.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Which::IssuedUntil { at, and }
}

fn of(subject: &str) -> Group {
    Group::Subject(subject.into())
}

fn bound(at: i64) -> String {
    format!(r#"{{"iat":{{"lte":{at}}},"iss":"i"}}"#)
}

#[tokio::test]
async fn what_has_no_rule_is_counted_as_inexact_and_nothing_wider_is_written() {
    let server = server("", &[]).await;
    let plain = |group| end(group, until(NOW, &[]));
    let nameless = End { issuers: Vec::new(), ..plain(of("a")) };
    for (number, (what, end)) in [
        ("a subject with the name of everybody's group", plain(of("g"))),
        ("an empty subject", plain(of(""))),
        ("a subject that is too long", plain(of(&"a".repeat(513)))),
        ("no issuer", nameless),
        ("a session without a name", end(of("a"), Which::Session(String::new()))),
        ("a token of which nothing is told", end(of("a"), Which::Token(Vec::new()))),
        ("a condition that is an object", end(of("a"), until(NOW, &[("x", json!({ "ne": 1 }))]))),
        ("a condition that is null", end(of("a"), until(NOW, &[("x", Value::Null)]))),
        ("a condition on iss", end(of("a"), until(NOW, &[("iss", json!("other"))]))),
        ("a condition on iat beside the time", end(of("a"), until(NOW, &[("iat", json!(7))]))),
        ("a word of rules", end(of("a"), until(NOW, &[("_or", json!(true))]))),
    ]
    .into_iter()
    .enumerate()
    {
        let jti = number.to_string();
        let heard = server.signals.desk.hear(told(&jti, Weight::Enforce, vec![end])).await;
        assert_eq!(heard.unwrap(), Heard::Inexact, "{what}");
        assert!(server.trail().await.is_empty(), "{what} became a rule");
    }
    for (weight, heard) in [
        (Weight::Enforce, Heard::Ignored),
        (Weight::Shadow, Heard::Ignored),
        (Weight::Inexact("why".into()), Heard::Inexact),
    ] {
        let empty = told(&format!("{weight:?}"), weight, Vec::new());
        assert_eq!(server.signals.desk.hear(empty).await.unwrap(), heard);
    }
}

#[tokio::test]
async fn what_is_inexact_is_tried_in_its_group_and_revokes_nothing() {
    let server = server("", &[]).await;
    let ends = vec![end(of("alice"), until(NOW, &[]))];
    let message = told("a", Weight::Inexact("a device".into()), ends);
    assert_eq!(server.signals.desk.hear(message).await.unwrap(), Heard::Inexact);
    assert!(server.rules("alice").await.is_empty());
    let trail = server.trail().await;
    assert_eq!(trail[0].after.as_ref().unwrap().mode, Mode::Shadow);
    assert_eq!((trail[0].rule.as_str(), server.counted(Outcome::Inexact)), (bound(NOW).as_str(), 1));
}

#[tokio::test]
async fn a_later_time_takes_the_place_of_rules_that_differ_in_nothing_else_and_end_no_later() {
    let server = server("", &[]).await;
    let act = || Act { who: Caller::of_this_process(), at: UnixTime::from_secs(NOW) };
    let own = |json: &str, expire_at| {
        let annotation = Annotation { mode: Mode::Enforce, note: None, by: None, written_at: NOW, expire_at };
        Draft::new("alice".into(), Rule::parse(json).unwrap(), annotation)
    };
    let kept = [
        (r#"{"iat":{"lte":10},"iss":"i"}"#, 0),
        (r#"{"iat":{"lte":11},"iss":"i"}"#, NOW + 601),
        (r#"{"iat":{"lt":12},"iss":"i"}"#, NOW + 9),
        (r#"{"iat":{"gt":1,"lte":12},"iss":"i"}"#, NOW + 9),
        (r#"{"iat":{"lte":12},"iss":"j"}"#, NOW + 9),
        (r#"{"iat":{"lte":12}}"#, NOW + 9),
        (r#"{"client_id":"c","iat":{"lte":12},"iss":"i"}"#, NOW + 9),
        (r#"{"iss":"i","sid":"s"}"#, NOW + 9),
    ];
    let goes = [(r#"{"iat":{"lte":13},"iss":"i"}"#, NOW + 600), (r#"{"iat":{"lte":14},"iss":"i"}"#, NOW + 9)];
    for (json, expire_at) in kept.iter().chain(&goes) {
        server.revocations.add(own(json, *expire_at), act()).await.unwrap();
    }
    let message = told("a", Weight::Enforce, vec![end(of("alice"), until(NOW, &[]))]);
    assert_eq!(server.signals.desk.hear(message).await.unwrap(), Heard::Revoked);
    let mut expected: Vec<String> = kept.iter().map(|(json, _)| (*json).to_owned()).collect();
    expected.push(bound(NOW));
    expected.sort();
    assert_eq!(server.rules("alice").await, expected);
}

#[tokio::test]
async fn a_rule_that_stands_is_enough_only_if_it_lasts_as_long_as_the_tokens_do() {
    for (stands, lasts, heard) in [
        (NOW, NOW + 600, Heard::Known),
        (NOW, 0, Heard::Known),
        (NOW + 5, NOW + 600, Heard::Known),
        (NOW, NOW + 599, Heard::Revoked),
        (NOW + 5, NOW + 599, Heard::Revoked),
    ] {
        let server = server("", &[]).await;
        let annotation =
            Annotation { mode: Mode::Enforce, note: None, by: None, written_at: NOW, expire_at: lasts };
        let draft = Draft::new("alice".into(), Rule::parse(&bound(stands)).unwrap(), annotation);
        let act = Act { who: Caller::of_this_process(), at: UnixTime::from_secs(NOW) };
        server.revocations.add(draft, act).await.unwrap();
        let message = told("a", Weight::Enforce, vec![end(of("alice"), until(NOW, &[]))]);
        assert_eq!(server.signals.desk.hear(message).await.unwrap(), heard, "{stands} until {lasts}");
    }
}

#[tokio::test]
async fn a_rule_on_trial_is_no_reason_not_to_revoke() {
    let server = server("", &[]).await;
    let ends = || vec![end(of("alice"), until(NOW, &[]))];
    for (jti, weight, heard) in [
        ("a", Weight::Shadow, Heard::Tried),
        ("b", Weight::Shadow, Heard::Known),
        ("c", Weight::Enforce, Heard::Revoked),
        ("d", Weight::Shadow, Heard::Known),
    ] {
        assert_eq!(server.signals.desk.hear(told(jti, weight, ends())).await.unwrap(), heard, "{jti}");
    }
    assert_eq!(server.rules("alice").await, [bound(NOW)], "and a trial switches nothing off");
}

#[tokio::test]
async fn a_time_far_ahead_is_capped_and_its_rule_lasts_from_then_on() {
    let server = server("", &[]).await;
    let message = told("a", Weight::Enforce, vec![end(of("alice"), until(i64::MAX, &[]))]);
    server.signals.desk.hear(message).await.unwrap();
    let page = server.revocations.page("alice", None, 9).await.unwrap();
    assert_eq!(page.rules[0].json, bound(NOW + 300));
    assert_eq!(page.rules[0].expire_at, ExpireAt::At(NOW + 900));
}

#[tokio::test]
async fn several_ends_are_written_together_or_not_at_all() {
    let server = server("", &[]).await;
    let ends = vec![
        end(Group::Everybody, until(NOW, &[("email", json!("a@example.com"))])),
        end(of("alice"), Which::Session("s".into())),
        end(of("bob"), Which::Token(vec![("jti".to_owned(), json!("t"))])),
    ];
    let message = told("a", Weight::Enforce, ends);
    assert_eq!(server.signals.desk.hear(message.clone()).await.unwrap(), Heard::Revoked);
    let everybody = format!(r#"{{"email":"a@example.com","iat":{{"lte":{NOW}}},"iss":"i"}}"#);
    assert_eq!(server.rules("g").await, [everybody]);
    assert_eq!(server.rules("alice").await, [r#"{"iss":"i","sid":"s"}"#]);
    assert_eq!(server.rules("bob").await, [r#"{"iss":"i","jti":"t"}"#]);
    let bad = vec![end(of("carol"), Which::Session("s".into())), end(of(""), Which::Session("s".into()))];
    let heard = server.signals.desk.hear(told("b", Weight::Enforce, bad)).await;
    assert_eq!(heard.unwrap(), Heard::Inexact);
    assert!(server.rules("carol").await.is_empty());
}

//! What is not done is not answered as if it were, at any inlet: the sender is told when to come again.

use integration_tests::wait::eventually;
use redis::Commands as _;
use serde_json::json;

use super::messages::{FORM, request, signed};
use super::*;

/// The group of everybody, as Redis has it.
const EVERYBODY: &str = "{ms-users}jwt-rules:g";

/// The most rules of a group on Redis.
const MOST: usize = 10_000;

/// The `Retry-After` of an answer that has no body.
fn told_to_come_again(answer: &str) -> u64 {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "", "{answer}");
    let told = head.lines().find_map(|line| line.strip_prefix("retry-after: "));
    told.and_then(|seconds| seconds.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn while_redis_is_down_no_inlet_answers_as_if_it_were_done() {
    for inlet in Inlet::ALL {
        let mut redis = Redis::start(&["--appendonly", "yes"]);
        let (url, folder) = (redis.url().to_owned(), tempfile::tempdir().unwrap());
        let store = [("TOKEN_SERVER__REDIS__URLS", url.as_str())];
        let place = Place { folder: folder.path(), store: &store, tables: inlet.tables() };
        let (_server, address) = place.start();
        redis.kill();
        let (answered, request) = inlet.message(0, 0);
        for _ in 0..3 {
            let answer = post(address, &request).unwrap();
            assert_eq!(status(&answer), 503, "{inlet:?}: {answer}");
            assert!(told_to_come_again(&answer) > 0, "{inlet:?}: {answer}");
        }
        redis.start_again();
        eventually("it is done once the store is back", || {
            (status(&post(address, &request).unwrap()) == inlet.done()).then_some(())
        });
        stand(&place.told(), &[answered]);
    }
}

#[test]
fn a_sender_of_too_many_messages_is_told_when_to_come_again_at_each_inlet() {
    for inlet in Inlet::ALL {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.redb");
        let store =
            [("TOKEN_SERVER__STORE__PATH", path.to_str().unwrap()), ("TOKEN_SERVER__SIGNALS__RATE", "1")];
        let place = Place { folder: folder.path(), store: &store, tables: inlet.tables() };
        let (_server, address) = place.start();
        let mut done = Vec::new();
        // However slow the machine is, it gives no two more in the time of one message.
        let limited = (0..1_000).find_map(|number| {
            let (answered, request) = inlet.message(0, number);
            let answer = post(address, &request).unwrap();
            if status(&answer) == 429 {
                return Some((answered, request, answer));
            }
            assert_eq!(status(&answer), inlet.done(), "{inlet:?}: {answer}");
            done.push(answered);
            None
        });
        let (answered, request, answer) = limited.expect("a flood is limited");
        assert_eq!(told_to_come_again(&answer), 1, "{inlet:?}: {answer}");
        stand(&place.told(), &done);
        eventually("it is heard later", || {
            (status(&post(address, &request).unwrap()) == inlet.done()).then_some(())
        });
        stand(&place.told(), &[answered]);
    }
}

#[test]
fn where_everybodys_group_on_redis_is_full_a_logout_of_a_session_is_not_answered_as_done() {
    let redis = Redis::start(&[]);
    let mut connection = redis.connect();
    let rules: Vec<(u64, String)> =
        (0..MOST).map(|number| (now() + 9_999, format!(r#"{{"jti":"{number}"}}"#))).collect();
    for some in rules.chunks(1_000) {
        let () = connection.zadd_multiple(EVERYBODY, some).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let store = [("TOKEN_SERVER__REDIS__URLS", redis.url())];
    let place = Place { folder: folder.path(), store: &store, tables: Inlet::Logout.tables() };
    let (_server, address) = place.start();
    let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let claims =
        json!({ "iss": ISSUER, "aud": "app", "iat": now(), "jti": "one", "sid": "s1", "events": events });
    let form = format!("logout_token={}", signed("logout+jwt", claims, json!({})));
    let logout = request(Inlet::Logout.path(), FORM, "", &form);
    for _ in 0..2 {
        let answer = post(address, &logout).unwrap();
        assert_eq!(status(&answer), 503, "{answer}");
        assert!(told_to_come_again(&answer) > 0, "{answer}");
    }
    assert_eq!(redis.rules("g"), i64::try_from(MOST).unwrap());

    redis.command(&["ZREM", EVERYBODY, r#"{"jti":"7"}"#]);
    eventually("there is room", || (status(&post(address, &logout).unwrap()) == 200).then_some(()));
    let rule = json!({ "iss": ISSUER, "sid": "s1" }).to_string();
    let ends: Option<f64> = connection.zscore(EVERYBODY, rule).unwrap();
    assert!(ends.is_some(), "answered with 200, and no rule");
}

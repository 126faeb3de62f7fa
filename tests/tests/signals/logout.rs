//! OpenID Connect Back-Channel Logout, from the request over the wire to what agents hear.

use std::io::Write as _;

use integration_tests::agent::ask;
use integration_tests::http::{Request, Response};
use integration_tests::keys::SigningKey;
use integration_tests::stores::Redis;
use integration_tests::token::{now, sign};
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::{Value, json};

use super::{Hearing, IDP, logout_token, post};

const FOR_THE_SHOP: &str = "audiences = ['shop']";

fn token(sub: &str, iat: u64) -> Value {
    json!({ "iss": IDP, "sub": sub, "iat": iat, "exp": now() + 600 })
}

/// The number after the name of a metric with its labels.
fn counted(hearing: &Hearing, outcome: &str) -> u64 {
    let name = format!("token_server_signals_total{{kind=\"logout\",outcome=\"{outcome}\"}} ");
    let metrics = hearing.server.metrics();
    metrics.lines().find_map(|line| line.strip_prefix(&name)).and_then(|value| value.parse().ok()).unwrap()
}

/// What holds whatever the store is.
fn is_heard(hearing: &Hearing, environment: &str) {
    let now = now();
    assert_eq!(hearing.check(&token("alice", now - 60)), "ok", "{environment}");
    let logged_out = logout_token("alice", "one");
    let answered = hearing.logout(&logged_out);
    assert_eq!((answered.status, answered.body.len()), (200, 0), "{environment}: {answered}");
    assert_eq!(answered.header("cache-control"), Some("no-store"));
    // In the same breath.
    assert_eq!(hearing.check(&token("alice", now - 60)), "revoked", "{environment}");
    // Within the leeway of a clock that is ahead.
    assert_eq!(hearing.check(&token("alice", now + 20)), "ok", "{environment}: issued after the logout");
    assert_eq!(hearing.check(&token("bob", now - 60)), "ok", "{environment}: another subject");
    let elsewhere =
        json!({ "iss": "https://other.example.com", "sub": "alice", "iat": now - 60, "exp": now + 600 });
    assert_eq!(hearing.check(&elsewhere), "ok", "{environment}: the same subject at another issuer");

    let trail = hearing.server.rule_writer().get("/v1/audit?limit=10").unwrap();
    let entry = &trail["entries"][0];
    assert_eq!(entry["who"]["name"], format!("logout {IDP}"), "{environment}: {trail}");
    assert_eq!((&entry["by"], &entry["note"]), (&json!(IDP), &json!("jti one")), "{environment}: {trail}");

    // A replay, and one after an operator has restored the subject.
    assert_eq!(hearing.logout(&logged_out).status, 200);
    hearing.server.restore("alice");
    assert_eq!(hearing.logout(&logged_out).status, 200);
    assert_eq!(hearing.check(&token("alice", now - 60)), "ok", "{environment}: a replay revoked anew");
    assert_eq!((counted(hearing, "revoked"), counted(hearing, "known")), (1, 2), "{environment}");

    let stranger = SigningKey::generate("ES256", "ES256");
    let claims = json!({ "iss": IDP, "aud": "shop", "sub": "bob", "iat": now });
    let refused = hearing.logout(&sign(&stranger, &claims));
    assert_eq!((refused.status, &refused.body[..]), (400, &br#"{"error":"invalid_request"}"#[..]));
    assert_eq!(counted(hearing, "refused"), 1, "{environment}");
}

#[test]
fn a_logout_is_a_rule_before_it_is_answered_in_each_kind_of_store() {
    is_heard(&Hearing::start(FOR_THE_SHOP, &[]), "embedded");
    let redis = Redis::start(&[]);
    let environment = [("TOKEN_SERVER__REDIS__URLS", redis.url().to_owned())];
    is_heard(&Hearing::start(FOR_THE_SHOP, &environment), "Redis");
}

#[test]
fn what_was_answered_with_200_outlives_a_power_cut() {
    let mut hearing = Hearing::start(FOR_THE_SHOP, &[]);
    for number in 0..5 {
        let sub = format!("user-{number}");
        assert_eq!(hearing.logout(&logout_token(&sub, &sub)).status, 200);
        hearing = hearing.killed_and_started_again();
        eventually("the rule is there", || {
            (hearing.check(&token(&sub, now() - 60)) == "revoked").then_some(())
        });
    }
}

#[test]
fn while_the_store_is_down_no_logout_is_answered_as_if_it_were_done() {
    let mut redis = Redis::start(&["--appendonly", "yes"]);
    let hearing = Hearing::start(FOR_THE_SHOP, &[("TOKEN_SERVER__REDIS__URLS", redis.url().to_owned())]);
    redis.kill();
    let logged_out = logout_token("alice", "one");
    for _ in 0..3 {
        let answered = hearing.logout(&logged_out);
        assert_eq!((answered.status, answered.body.len()), (503, 0), "{answered}");
        assert!(
            answered.header("retry-after").is_some_and(|after| after.parse::<u64>().is_ok()),
            "{answered}"
        );
    }
    assert_eq!((counted(&hearing, "failed"), counted(&hearing, "revoked")), (3, 0));
    redis.start_again();
    eventually("the logout is done once the store is back", || {
        (hearing.logout(&logged_out).status == 200).then_some(())
    });
    assert_eq!(hearing.check(&token("alice", now() - 60)), "revoked");
}

#[test]
fn another_table_of_signals_is_taken_over_without_a_restart() {
    let hearing = Hearing::start("audiences = ['wiki']", &[]);
    assert_eq!(hearing.logout(&logout_token("alice", "one")).status, 400);
    hearing.reload(FOR_THE_SHOP);
    assert_eq!(hearing.logout(&logout_token("alice", "one")).status, 200);
    hearing.reload("audiences = ['shop']\nlogout = false");
    assert_eq!(hearing.logout(&logout_token("bob", "two")).status, 400);
}

#[test]
fn slow_and_silent_clients_keep_no_provider_out_and_change_nothing_for_checks() {
    let hearing = Hearing::start(FOR_THE_SHOP, &[]);
    let head =
        "POST /backchannel-logout HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let held: Vec<_> = (0..400)
        .map(|number| {
            let mut stream = hearing.signals.connect(DEADLINE).unwrap();
            // Nothing, half a head.
            let part = if number % 2 == 0 { "" } else { head };
            stream.write_all(part.as_bytes()).unwrap();
            stream
        })
        .collect();
    let answered = hearing.logout(&logout_token("alice", "one"));
    assert_eq!(answered.status, 200);
    assert_eq!(hearing.check(&token("alice", now() - 60)), "revoked");
    drop(held);
}

#[test]
fn a_body_that_does_not_come_ends_at_the_deadline() {
    let hearing = Hearing::start(FOR_THE_SHOP, &[]);
    let request = Request::line("POST /backchannel-logout HTTP/1.1")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Content-Length", "100");
    let mut client = integration_tests::http::Client::new(hearing.signals.connect(DEADLINE).unwrap());
    client.write(&[&request.to_bytes(), &b"logout_token="[..]].concat()).unwrap();
    let Response { status, .. } = client.response().unwrap();
    assert_eq!(status, 503);
}

#[test]
fn the_listener_answers_nothing_else_and_no_other_listener_takes_signals() {
    let hearing = Hearing::start(FOR_THE_SHOP, &[]);
    for path in ["/", "/v1/check", "/v1/rules", "/metrics", "/ready", "/verify"] {
        assert_eq!(ask(&hearing.signals, &Request::get(path)).status, 404, "{path}");
    }
    let form = format!("logout_token={}", logout_token("alice", "one"));
    for listener in [&hearing.server.address, &hearing.server.admin] {
        assert_eq!(post(listener, &form).status, 404);
    }
    assert_eq!(ask(&hearing.signals, &Request::get("/backchannel-logout")).status, 405);
    let log = hearing.server.process.log();
    for secret in [form.as_str(), logout_token("alice", "one").as_str()] {
        assert!(!log.contains(secret));
    }
}

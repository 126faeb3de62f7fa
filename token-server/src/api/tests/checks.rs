//! What agents, old callers and scrapers get.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use axum::http::{Method, StatusCode};
use hyper::body::Frame;
use serde_json::{Value, json};
use service::readiness::Cause;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_rule_of_everybody_refuses_everybody() {
    let server = server(|_| {}).await;
    let written = server
        .admin(Method::POST, "/v1/everybody/rules", r#"{"rule":{"iat":{"lt":5}},"confirm":true}"#)
        .await;
    assert_eq!(written.status, StatusCode::CREATED);
    assert_eq!(server.check(&format!(r#"{{"exp":{},"iat":4}}"#, NOW + 1)).await["detail"], "revoked");
    assert_eq!(server.check(&format!(r#"{{"exp":{},"iat":5}}"#, NOW + 1)).await["detail"], "ok");
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_judged_check_by_check() {
    let server = server(|_| {}).await;
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    let soon = NOW + 1;
    let body = format!(
        r#"{{"profile":"standard","checks":[{{"payload":{{"exp":{soon}}}}},{{"payload":{{"exp":{NOW}}}}},{{"payload":{deep}}},
           {{"payload":{{"exp":{soon},"exp":{soon}}}}},{{"payload":5}},{{"token":"a.b.c.d.e"}},{{"payload":{{"sub":"ben","exp":{soon}}}}}]}}"#
    );
    let answer = server.main(Method::POST, "/v1/check", body).await.json();
    let details: Vec<_> =
        answer["results"].as_array().unwrap().iter().map(|result| result["detail"].clone()).collect();
    assert_eq!(details, ["ok", "expired", "malformed", "malformed", "malformed", "unsupported", "ok"]);
    assert_eq!(answer["revision"], 0);
    assert_eq!(answer["store_id"], &*server.app.revocations().store_id().unwrap());
    assert_eq!(answer["results"][6]["subject"], "ben");

    let probe = server.main(Method::POST, "/v1/check", r#"{"profile":"standard","checks":[]}"#).await;
    assert_eq!((probe.status, probe.json()["results"].clone()), (StatusCode::OK, json!([])));
}

#[tokio::test(start_paused = true)]
async fn hostile_batches_are_refused_with_their_reason() {
    let server = server(|_| {}).await;
    let many = format!(r#"{{"profile":"standard","checks":[{}]}}"#, vec![r#"{"token":"a"}"#; 129].join(","));
    for (body, status, field) in [
        (String::new(), StatusCode::BAD_REQUEST, Value::Null),
        ("not json".into(), StatusCode::BAD_REQUEST, Value::Null),
        ("[]".into(), StatusCode::BAD_REQUEST, Value::Null),
        (r#"{"profile":"standard"}"#.into(), StatusCode::BAD_REQUEST, Value::Null),
        (r#"{"profile":"other","checks":[]}"#.into(), StatusCode::BAD_REQUEST, Value::Null),
        (r#"{"profile":"standard","checks":[{"secret":1}]}"#.into(), StatusCode::BAD_REQUEST, Value::Null),
        (r#"{"profile":"standard","checks":{"payload":{}}}"#.into(), StatusCode::BAD_REQUEST, Value::Null),
        ("[".repeat(100_000), StatusCode::BAD_REQUEST, Value::Null),
        (r#"{"profile":"ms-users","checks":[]}"#.into(), StatusCode::CONFLICT, json!("profile")),
        (many, StatusCode::PAYLOAD_TOO_LARGE, json!("checks")),
        ("x".repeat(2 * 1024 * 1024 + 1), StatusCode::PAYLOAD_TOO_LARGE, Value::Null),
    ] {
        let shown: String = body.chars().take(60).collect();
        let answer = server.main(Method::POST, "/v1/check", body).await;
        assert_eq!(answer.status, status, "{shown}");
        let json = answer.json();
        assert!(json["error"].is_string(), "{shown}");
        assert_eq!(json["field"], field, "{shown}");
        assert!(!answer.text.contains("secret"), "an answer quotes nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_anybody_may_have_sent_leaves_no_trace_in_previews_and_counts() {
    let payload = format!(r#"{{"sub":"anna","rt":"x","exp":{}}}"#, NOW + 1);
    let shown = &[("authorization", "Bearer agent-token")][..];
    for (file, certificates, headers, traces) in
        [(false, false, &[][..], 0), (true, false, shown, 1), (false, true, &[], 1)]
    {
        let server = server(|app| {
            app.agent_tokens = agent_tokens("agent-token\n").filter(|_| file);
            app.asks_for_certificates = certificates;
        })
        .await;
        let body = r#"{"rule":{"rt":"x"},"mode":"shadow"}"#;
        assert_eq!(server.admin(Method::POST, "/v1/rules/anna", body).await.status, StatusCode::CREATED);
        let body = format!(r#"{{"profile":"standard","checks":[{{"payload":{payload}}}]}}"#);
        let answer = call(main_routes(&server.app), Method::POST, "/v1/check", headers, body).await;
        assert_eq!(answer.json()["results"][0]["detail"], "ok");
        let preview =
            server.admin(Method::POST, "/v1/rules/anna?dry_run=true", r#"{"rule":{"rt":"x"}}"#).await;
        let listed = server.admin(Method::GET, "/v1/rules/anna", "").await.json();
        let found = (&preview.json()["preview"]["subjects"], &listed["rules"][0]["hits"]);
        assert_eq!(
            found,
            (&json!(traces), &json!(traces)),
            "a tokens file: {file}, certificates: {certificates}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn each_listener_serves_its_own_routes() {
    let server = server(|_| {}).await;
    for path in ["/health", "/ready", "/generic/health"] {
        assert_eq!(server.main(Method::GET, path, "").await.status, StatusCode::OK, "{path}");
        assert_eq!(server.admin(Method::GET, path, "").await.status, StatusCode::OK, "{path}");
    }
    for path in ["/metrics", "/v1/rules", "/v1/rules/g", "/v1/everybody/rules"] {
        assert_eq!(server.main(Method::GET, path, "").await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(server.admin(Method::GET, path, "").await.status, StatusCode::OK, "{path}");
    }
    server.app.readiness.block(Cause::Draining, "asked to stop");
    assert_eq!(server.main(Method::GET, "/ready", "").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn bearer_tokens_open_what_they_guard() {
    let server = server(|app| {
        app.admin_tokens = admin_tokens("admin-token\n");
        app.agent_tokens = agent_tokens("agent-token\n");
    })
    .await;
    let probe = r#"{"profile":"standard","checks":[]}"#;
    for (headers, status) in [
        (&[][..], StatusCode::UNAUTHORIZED),
        (&[("authorization", "Bearer wrong")], StatusCode::UNAUTHORIZED),
        (&[("authorization", "Bearer admin-token")], StatusCode::UNAUTHORIZED),
        (
            &[("authorization", "Bearer agent-token"), ("authorization", "Bearer agent-token")],
            StatusCode::UNAUTHORIZED,
        ),
        (&[("authorization", "Bearer agent-token")], StatusCode::OK),
    ] {
        let answer = call(main_routes(&server.app), Method::POST, "/v1/check", headers, probe).await;
        assert_eq!(answer.status, status, "{headers:?}");
    }
    for (authorization, status) in [
        ("Bearer agent-token", StatusCode::UNAUTHORIZED),
        ("admin-token", StatusCode::UNAUTHORIZED),
        ("Bearer admin-token", StatusCode::OK),
    ] {
        let router = admin_router(&server.app, AdminAccess::Bearer);
        let answer = call(router, Method::GET, "/v1/rules", &[("authorization", authorization)], "").await;
        assert_eq!(answer.status, status, "{authorization}");
    }
    let metrics =
        call(admin_router(&server.app, AdminAccess::Bearer), Method::GET, "/metrics", &[], "").await;
    assert_eq!(metrics.status, StatusCode::OK, "scrapers show nothing");
    assert_eq!(
        server.admin(Method::GET, "/v1/rules", "").await.status,
        StatusCode::OK,
        "the socket asks for nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_what_happened_without_names() {
    let server = server_with(&[("g", "broken")], |_| {}).await;
    server.admin(Method::POST, "/v1/rules/anna", r#"{"rule":{"rt":"x"}}"#).await;
    server.check(&format!(r#"{{"sub":"anna","rt":"x","exp":{}}}"#, NOW + 1)).await;
    server.check(&format!(r#"{{"sub":"anna","exp":{}}}"#, NOW + 1)).await;
    let text = server.admin(Method::GET, "/metrics", "").await.text;
    for line in [
        r#"token_server_checks_total{reason="ok",detail="ok"} 1"#,
        r#"token_server_checks_total{reason="E_TKN_INVALID",detail="revoked"} 1"#,
        r#"token_server_store_writes_total{outcome="ok"} 1"#,
        "token_server_rules 2",
        "token_server_rule_groups 2",
        "token_server_unreadable_rules 1",
        "token_server_store_revision 2",
        r#"token_server_request_seconds_count{route="/v1/check",status="200"} 2"#,
        r#"token_server_request_seconds_count{route="/v1/rules/{group}",status="201"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert!(!text.contains("anna"));
}

/// The body of a caller who never goes on.
struct Silence;

impl HttpBody for Silence {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let server = server(|_| {}).await;
    let answer = server.main(Method::POST, "/v1/check", Body::new(Silence)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn the_agents_clock_skew_is_granted_up_to_a_limit() {
    let server = server_with(&[], |_| {}).await;
    // What an older agent does not say for `nbf` it has judged by itself.
    for (leeway, start, exp, nbf, detail) in [
        (0, "", NOW, 0, "expired"),
        (10, "", NOW - 9, 0, "ok"),
        (10, "", NOW - 10, 0, "expired"),
        (300, "", NOW - 299, 0, "ok"),
        (100_000, "", NOW - 300, 0, "expired"),
        (0, "", NOW + 100, NOW + 30, "ok"),
        (0, "", NOW + 100, NOW + 31, "not_yet_valid"),
        (40, "", NOW + 100, NOW + 40, "ok"),
        (0, r#""leeway_start":30,"#, NOW + 100, NOW + 30, "ok"),
        (0, r#""leeway_start":30,"#, NOW + 100, NOW + 31, "not_yet_valid"),
        (0, r#""leeway_start":30,"#, NOW, 0, "expired"),
        (0, r#""leeway_start":0,"#, NOW + 100, NOW + 1, "not_yet_valid"),
        (0, r#""leeway_start":100000,"#, NOW + 900, NOW + 301, "not_yet_valid"),
    ] {
        let body = format!(
            r#"{{"profile":"standard","leeway":{leeway},{start}"checks":[{{"payload":{{"exp":{exp},"nbf":{nbf}}}}}]}}"#
        );
        let answer = server.main(Method::POST, "/v1/check", body).await;
        let answer: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(answer["results"][0]["detail"], json!(detail), "{leeway} {start} {exp} {nbf}");
    }
}

#[tokio::test]
async fn the_feed_tells_an_agent_of_another_profile_so() {
    let server = server(|_| {}).await;
    for (query, status) in [
        ("", StatusCode::OK),
        ("?profile=standard", StatusCode::OK),
        ("?profile=ms-users", StatusCode::CONFLICT),
        ("?profile=other", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = server.main(Method::GET, &format!("/v1/events{query}"), "").await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text);
    }
}

//! What operators get.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_written_rule_refuses_at_once_and_a_deleted_one_no_longer_does() {
    let server = server(|_| {}).await;
    let payload = format!(r#"{{"sub":"anna","rt":"x","exp":{}}}"#, NOW + 60);
    assert_eq!(
        server.check(&payload).await,
        json!({"detail": "ok", "subject": "anna", "exp": NOW + 60, "vouched": true})
    );

    let body = format!(r#"{{"rule":{{"rt":"x"}},"expireAt":{}}}"#, NOW + 60);
    let written = server.admin(Method::POST, "/v1/rules/anna", body).await;
    assert_eq!(written.status, StatusCode::CREATED);
    assert_eq!(
        written.json(),
        json!({
            "group": "anna", "id": jose::fingerprint(r#"{"rt":"x"}"#), "rule": {"rt": "x"}, "mode": "enforce",
            "expireAt": NOW + 60, "revision": 1, "writtenAt": NOW, "replaced": [],
        })
    );
    assert_eq!(server.check(&payload).await["detail"], "revoked");
    assert_eq!(server.main(Method::POST, "/", payload.clone()).await.text, "E_TKN_INVALID");

    let deleted = server.admin(Method::DELETE, "/v1/rules/anna", r#"{"rule": {"rt": "x"}}"#).await;
    assert_eq!(deleted.json(), json!({"deleted": 1, "revision": 2}));
    assert_eq!(server.check(&payload).await["detail"], "ok");
}

#[tokio::test(start_paused = true)]
async fn without_a_tokens_file_the_rules_api_is_off_over_tcp() {
    let server = server(|_| {}).await;
    let router = admin_router(&server.app, AdminAccess::Bearer);
    let answer = call(
        router,
        Method::POST,
        "/v1/everybody/rules",
        &[("authorization", "Bearer x")],
        r#"{"rule":{"a":1}}"#,
    )
    .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.json()["error"].as_str().unwrap().contains("TOKEN_SERVER__ADMIN__TOKENS_FILE"));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_rule_is_told_by_field() {
    let server = server(|_| {}).await;
    let past = format!(r#"{{"rule":{{"a":1}},"expireAt":{NOW}}}"#);
    let long_note = format!(r#"{{"rule":{{"a":1}},"note":"{}"}}"#, "x".repeat(1_001));
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    for (body, status, field) in [
        ("", StatusCode::BAD_REQUEST, Value::Null),
        ("[]", StatusCode::BAD_REQUEST, Value::Null),
        ("{", StatusCode::BAD_REQUEST, Value::Null),
        ("{}", unprocessable, json!("rule")),
        (r#"{"rule":5}"#, unprocessable, json!("rule")),
        (r#"{"rule":{"iat":{"like":5}}}"#, unprocessable, json!("rule")),
        (r#"{"rule":{"a":1},"expiresAt":1800000000}"#, unprocessable, json!("expiresAt")),
        (r#"{"rule":{"a":1},"expireAt":"soon"}"#, unprocessable, json!("expireAt")),
        (r#"{"rule":{"a":1},"expireAt":1.5}"#, unprocessable, json!("expireAt")),
        (r#"{"rule":{"a":1},"expireAt":-1}"#, unprocessable, json!("expireAt")),
        (r#"{"rule":{"a":1},"expireAt":1800000000000}"#, unprocessable, json!("expireAt")),
        (past.as_str(), unprocessable, json!("expireAt")),
        (r#"{"rule":{}}"#, unprocessable, json!("confirm")),
        (r#"{"rule":{"a":{}},"confirm":false}"#, unprocessable, json!("confirm")),
        (r#"{"rule":{},"confirm":"yes"}"#, unprocessable, json!("confirm")),
        (r#"{"rule":{"a":1},"mode":"try"}"#, unprocessable, json!("mode")),
        (r#"{"rule":{"a":1},"note":5}"#, unprocessable, json!("note")),
        (r#"{"rule":{"a":1},"note":"a\u001bb"}"#, unprocessable, json!("note")),
        (long_note.as_str(), unprocessable, json!("note")),
        (r#"{"rule":{"a":1},"by":["me"]}"#, unprocessable, json!("by")),
        (r#"{"rule":{"a":1},"group":"other"}"#, unprocessable, json!("group")),
        (r#"{"rule":{"a":1},"group":7}"#, unprocessable, json!("group")),
    ] {
        let answer = server.admin(Method::POST, "/v1/rules/anna", body.to_owned()).await;
        assert_eq!((answer.status, &answer.json()["field"]), (status, &field), "{body}: {}", answer.text);
    }
    let deep = format!(r#"{{"rule":{}1{}}}"#, r#"{"a":"#.repeat(9_000), "}".repeat(9_000));
    assert_eq!(server.admin(Method::POST, "/v1/rules/anna", deep).await.status, unprocessable);
    let large = server.admin(Method::POST, "/v1/rules/anna", " ".repeat(70_000)).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    for body in [r#"{"rule":{"a":1}}"#, r#"{"group":"","rule":{"a":1}}"#] {
        let answer = server.admin(Method::POST, "/v1/rules", body).await;
        assert_eq!((answer.status, &answer.json()["field"]), (unprocessable, &json!("group")), "{body}");
    }
    assert_eq!(server.app.revocations().book().totals().rules.get(), 0, "nothing was written");
}

#[tokio::test(start_paused = true)]
async fn confirmed_and_unending_rules_are_written_as_said() {
    let server = server(|_| {}).await;
    let everything =
        server.admin(Method::POST, "/v1/rules/a%2Fb", r#"{"rule":{},"confirm":true,"expireAt":0}"#).await;
    let written = everything.json();
    assert_eq!((&written["group"], &written["rule"]), (&json!("a/b"), &json!({})));
    assert_eq!((&written["expireAt"], &written["revision"]), (&json!(0), &json!(1)));
    let again = format!(r#"{{"rule":{{}},"confirm":true,"expireAt":{}}}"#, NOW + 9);
    server.admin(Method::POST, "/v1/rules/a%2Fb", again).await;
    let listed = server.admin(Method::GET, "/v1/rules/a%2Fb", "").await.json();
    assert_eq!((&listed["group"], &listed["revision"]), (&json!("a/b"), &json!(2)));
    assert_eq!(listed["rules"].as_array().unwrap().len(), 1);
    assert_eq!(listed["rules"][0]["expireAt"], NOW + 9);
}

#[tokio::test(start_paused = true)]
async fn groups_are_listed_in_pages() {
    let server = server(|_| {}).await;
    for group in ["c", "a", "b"] {
        server.admin(Method::POST, &format!("/v1/rules/{group}"), r#"{"rule":{"x":1}}"#).await;
    }
    let page = server.admin(Method::GET, "/v1/rules?limit=2", "").await.json();
    let size = |group: &str| json!({"group": group, "rules": 1, "unreadable": 0, "shadow": 0});
    assert_eq!(page, json!({"revision": 3, "groups": [size("a"), size("b")], "next": "b"}));
    let page = server.admin(Method::GET, "/v1/rules?limit=2&after=b", "").await.json();
    assert_eq!(page, json!({"revision": 3, "groups": [size("c")]}));
    for (query, field) in
        [("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("offset=1", "offset")]
    {
        let answer = server.admin(Method::GET, &format!("/v1/rules?{query}"), "").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.json()["field"], field);
    }
}

#[tokio::test(start_paused = true)]
async fn deleting_counts_what_was_deleted() {
    let server = server(|_| {}).await;
    for rule in [r#"{"rule":{"x":1}}"#, r#"{"rule":{"x":2}}"#, r#"{"rule":{"x":{"gt":1,"lt":9}}}"#] {
        server.admin(Method::POST, "/v1/rules/a", rule).await;
    }
    let delete = async |body: &str| server.admin(Method::DELETE, "/v1/rules/a", body.to_owned()).await;
    assert_eq!(delete(r#"{"rule":{"x":3}}"#).await.json(), json!({"deleted": 0, "revision": 3}));
    assert_eq!(
        delete(r#"{"rule":{"x":{"lt":9.0,"gt":1}}}"#).await.json(),
        json!({"deleted": 1, "revision": 4})
    );
    for (body, status) in [
        ("{}", StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"rule":null}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"rule":{"x":1},"all":true}"#, StatusCode::UNPROCESSABLE_ENTITY),
        ("null", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(delete(body).await.status, status, "{body} must not delete all");
    }
    assert_eq!(delete(" ").await.json(), json!({"deleted": 2, "revision": 5}));
    assert_eq!(delete("").await.json(), json!({"deleted": 0, "revision": 5}));
}

#[tokio::test(start_paused = true)]
async fn unreadable_rules_are_shown_and_can_be_deleted() {
    let bad = r#"{"iat":{"like":1}}"#;
    let server = server_with(&[("anna", bad), ("anna", "not json"), ("g", bad)], |_| {}).await;
    let payload = |sub: &str| format!(r#"{{"sub":"{sub}","exp":{}}}"#, NOW + 1);
    assert_eq!(server.check_once(&payload("anna")).await["detail"], "rules");
    assert_eq!(server.main(Method::POST, "/", payload("anna")).await.text, "E_BACKEND_UNAVAIL");
    assert_eq!(server.check(&payload("ben")).await["detail"], "ok");

    let sizes = server.admin(Method::GET, "/v1/rules", "").await.json();
    assert_eq!(sizes["groups"][0], json!({"group": "anna", "rules": 2, "unreadable": 2, "shadow": 0}));
    let listed = server.admin(Method::GET, "/v1/rules/anna", "").await.json();
    let mut rules = listed["rules"].as_array().unwrap().clone();
    rules.sort_by_key(|rule| rule["text"].is_string());
    assert_eq!(rules[0]["rule"], json!({"iat": {"like": 1}}));
    assert!(rules[0]["error"].as_str().unwrap().starts_with("iat.like: "));
    assert_eq!(rules[1]["text"], "not json");

    let one = server.admin(Method::DELETE, "/v1/rules/anna", format!(r#"{{"rule":{bad}}}"#)).await;
    assert_eq!(one.json()["deleted"], 1);
    assert_eq!(server.admin(Method::DELETE, "/v1/rules/anna", "").await.json()["deleted"], 1);
    assert_eq!(server.check(&payload("anna")).await["detail"], "ok");
}

//! What `POST /v1/explain` tells.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::*;

const PAYLOAD: &str = r#"{"sub":"anna","rt":"x","iat":3,"exp":1700000060}"#;

/// [`PAYLOAD`] in a token whose signature is none of anybody.
const TOKEN: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIiwicnQiOiJ4IiwiaWF0IjozLCJleHAiOjE3MDAwMDAwNjB9.c2lnbmF0dXJl";

async fn explain(server: &Server, body: String) -> Value {
    let answer = server.admin(Method::POST, "/v1/explain", body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

#[tokio::test(start_paused = true)]
async fn every_matching_rule_is_told_with_its_conditions() {
    let server = server(|_| {}).await;
    for (path, body) in [
        (
            "everybody/rules",
            r#"{"rule":{"_or":true,"rt":"x","iss":"old"},"note":"why","by":"olga","confirm":true}"#,
        ),
        ("everybody/rules", r#"{"rule":{"iat":{"lt":5}},"mode":"shadow"}"#),
        ("rules/anna", r#"{"rule":{"rt":"y"}}"#),
        ("rules/ben", r#"{"rule":{"rt":"x"}}"#),
    ] {
        server.admin(Method::POST, &format!("/v1/{path}"), body).await;
    }
    let told = explain(&server, format!(r#"{{"payload":{PAYLOAD}}}"#)).await;
    assert_eq!((&told["valid"], &told["reason"]), (&json!(false), &json!("E_TKN_INVALID")));
    assert_eq!((&told["detail"], &told["subject"]), (&json!("revoked"), &json!("anna")));
    assert_eq!(told["exp"], NOW + 60);
    let matches = told["matches"].as_array().unwrap();
    assert_eq!(matches.len(), 2, "{told}");
    assert_eq!((&matches[0]["group"], &matches[0]["by"]), (&json!("g"), &json!("olga")));
    assert_eq!(matches[0]["needs"], "any");
    let conditions = json!([
        {"condition": {"iss": "old"}, "holds": false},
        {"condition": {"rt": "x"}, "claim": "x", "holds": true},
    ]);
    assert_eq!(matches[0]["conditions"], conditions);
    assert_eq!(matches[1]["mode"], "shadow");
    assert_eq!(
        matches[1]["conditions"][0],
        json!({"condition": {"iat": {"lt": 5}}, "claim": 3, "holds": true})
    );
    assert_eq!(matches[1]["hits"], 0, "to explain is not to check");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_does_not_say_when_it_was_issued_is_explained_as_it_is_judged() {
    let server = server(|_| {}).await;
    let range = r#"{"rule":{"iat":{"gt":1,"lt":5}}}"#;
    assert_eq!(server.admin(Method::POST, "/v1/rules/anna", range).await.status, StatusCode::CREATED);
    for (iat, issued, matching) in
        [("", Some("unknown"), 1), (r#","iat":1700000100000"#, Some("unknown"), 1), (r#","iat":6"#, None, 0)]
    {
        let payload = format!(r#"{{"sub":"anna","exp":{}{iat}}}"#, NOW + 60);
        assert_eq!(server.check(&payload).await["detail"], if matching == 1 { "revoked" } else { "ok" });
        let told = explain(&server, format!(r#"{{"payload":{payload}}}"#)).await;
        assert_eq!(told.get("issued").and_then(Value::as_str), issued, "{payload}");
        let matches = told["matches"].as_array().unwrap();
        assert_eq!(matches.len(), matching, "{told}");
        assert!(matches.iter().all(|found| found["conditions"][0]["holds"] == true), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_explained_without_its_signature() {
    let server = server(|_| {}).await;
    let told = explain(&server, json!({"token": format!(" {TOKEN}\n")}).to_string()).await;
    assert_eq!((&told["detail"], &told["signature"]), (&json!("ok"), &json!("not verified")));
    assert_eq!(told["payload"], serde_json::from_str::<Value>(PAYLOAD).unwrap());
    for (token, detail) in [("a.b.c.d.e", "unsupported"), ("a.!.c", "malformed"), ("x", "malformed")] {
        let told = explain(&server, json!({"token": token}).to_string()).await;
        assert_eq!((&told["detail"], &told["valid"]), (&json!(detail), &json!(false)), "{token}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_explained_is_told_by_field() {
    let server = server(|_| {}).await;
    for (body, field) in [
        ("{}", "token"),
        (r#"{"token":5}"#, "token"),
        (r#"{"token":"a","payload":{}}"#, "payload"),
        (r#"{"tokn":"a"}"#, "tokn"),
    ] {
        let answer = server.admin(Method::POST, "/v1/explain", body).await;
        assert_eq!(
            (answer.status, &answer.json()["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!(field))
        );
    }
    let told = explain(&server, r#"{"payload":[]}"#.to_owned()).await;
    assert_eq!(told["detail"], "malformed");
    let router = admin_router(&server.app, AdminAccess::Bearer);
    let closed = call(router, Method::POST, "/v1/explain", &[], r#"{"token":"a"}"#).await;
    assert_eq!(closed.status, StatusCode::FORBIDDEN, "it is guarded as the rules are");
}

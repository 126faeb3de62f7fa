//! Rules of a subject that are said twice: what would hit most of the subjects checked lately, or can be tried on none.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::*;

/// So many places that no two of the subjects share one.
async fn remembering() -> Server {
    server(|app| app.recent = Arc::new(Recent::new(100_000))).await
}

impl Server {
    async fn sees(&self, tokens: &[&str]) {
        for claims in tokens {
            let payload = format!(r#"{{"exp":{},{claims}}}"#, NOW + 60);
            assert_eq!(self.check(&payload).await["detail"], "ok", "{claims}");
        }
    }

    /// What is told of a rule that is refused for want of a confirmation; nothing where it is written.
    async fn doubt(&self, subject: &str, rule: &str) -> Option<String> {
        let path = format!("/v1/rules/{subject}");
        let needed = self.admin(Method::POST, &format!("{path}?dry_run=true"), body(rule, "")).await.json();
        let answer = self.admin(Method::POST, &path, body(rule, "")).await;
        let told = answer.json();
        let doubt = (answer.status != StatusCode::CREATED).then(|| {
            assert_eq!(
                (answer.status, &told["field"]),
                (StatusCode::UNPROCESSABLE_ENTITY, &json!("confirm")),
                "{rule}"
            );
            told["error"].as_str().unwrap().to_owned()
        });
        assert_eq!(needed["confirm"], doubt.is_some(), "the preview tells the same: {needed}");
        let confirmed = self.admin(Method::POST, &path, body(rule, r#","confirm":true"#)).await;
        assert_eq!(confirmed.status, StatusCode::CREATED, "{}", confirmed.text);
        self.admin(Method::DELETE, &path, "").await;
        doubt
    }
}

fn body(rule: &str, more: &str) -> String {
    format!(r#"{{"rule":{rule}{more}}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_hits_more_than_half_of_the_subjects_is_said_twice() {
    for (seen, rule, counted) in [
        (&[r#""sub":"anna","rt":"x""#][..], r#"{"rt":"x"}"#, Some("1 of 1")),
        (&[r#""sub":"anna","rt":"y""#], r#"{"rt":"x"}"#, None),
        (&[r#""sub":"ben","rt":"x""#], r#"{"rt":"x"}"#, None),
        // Exactly half is not more than half.
        (&[r#""sub":"anna","rt":"x""#, r#""sub":"ben","rt":"x""#], r#"{"rt":"x"}"#, None),
        // The last token of a subject counts, and counts once.
        (&[r#""sub":"anna","rt":"y""#, r#""sub":"anna","rt":"x""#], r#"{"rt":"x"}"#, Some("1 of 1")),
        (&[r#""sub":"anna","rt":"x""#, r#""sub":"anna","rt":"y""#], r#"{"rt":"x"}"#, None),
        // A name that is literal, nested, or both.
        (&[r#""sub":"anna","a.b":1"#], r#"{"a.b":1}"#, Some("1 of 1")),
        (&[r#""sub":"anna","a":{"b":1}"#], r#"{"a.b":1}"#, Some("1 of 1")),
        (&[r#""sub":"anna","a.b":2,"a":{"b":1}"#], r#"{"a.b":1}"#, Some("1 of 1")),
        (&[r#""sub":"anna","a.b":2,"a":{"b":3}"#], r#"{"a.b":1}"#, None),
        (&[r#""sub":"anna","iat":5"#], r#"{"_or":true,"rt":"x","iat":{"lte":5}}"#, Some("1 of 1")),
        // It does not say when it was issued.
        (&[r#""sub":"anna""#], r#"{"iat":{"lte":5}}"#, Some("1 of 1")),
    ] {
        let server = remembering().await;
        server.sees(seen).await;
        let doubt = server.doubt("anna", rule).await;
        assert_eq!(doubt.is_some(), counted.is_some(), "{seen:?} {rule}: {doubt:?}");
        if let (Some(doubt), Some(counted)) = (doubt, counted) {
            assert!(
                doubt.contains(&format!("{counted} subjects")) && doubt.contains("more than half"),
                "{doubt}"
            );
            assert!(doubt.contains(r#""confirm": true"#) && doubt.contains("--confirm"), "{doubt}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_can_be_tried_on_no_subject_is_said_twice() {
    let fresh = remembering().await;
    let without_memory = server(|app| app.recent = Arc::new(Recent::new(0))).await;
    without_memory.sees(&[r#""sub":"anna""#, r#""sub":"ben""#]).await;
    // Agents that show nothing: what they send may be anybody's, and is not remembered.
    let unproved = server(|app| app.asks_for_certificates = false).await;
    unproved.sees(&[r#""sub":"anna""#, r#""sub":"ben""#]).await;
    let long_ago = server(|app| app.clock = || UnixTime::from_secs(NOW + 60)).await;
    let seen_at = UnixTime::from_secs(NOW - 841);
    long_ago.app.recent.remember("ben", br#"{"sub":"ben"}"#, Issued::Unknown, seen_at);
    for server in [fresh, without_memory, unproved, long_ago] {
        let doubt = server.doubt("anna", r#"{"rt":"x"}"#).await.unwrap();
        assert!(doubt.contains("no subject checked in the last 900 s"), "{doubt}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_is_written_again_is_said_twice_again_and_a_refused_one_changes_nothing() {
    let server = remembering().await;
    server.sees(&[r#""sub":"anna","rt":"x""#]).await;
    let write =
        async |more: &str| server.admin(Method::POST, "/v1/rules/anna", body(r#"{"rt":"x"}"#, more)).await;
    let first = format!(r#","confirm":true,"expireAt":{},"note":"why""#, NOW + 5);
    assert_eq!(write(&first).await.status, StatusCode::CREATED);
    for more in ["", r#","confirm":false"#, r#","forever":true,"note":"novel""#] {
        let told = write(more).await.json();
        assert_eq!(told["field"], "confirm", "{more}: {told}");
    }
    let listed = server.admin(Method::GET, "/v1/rules/anna", "").await.json();
    let rule = &listed["rules"][0];
    assert_eq!((&rule["expireAt"], &rule["note"]), (&json!(NOW + 5), &json!("why")));
    assert_eq!(listed["rules"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(start_paused = true)]
async fn the_same_is_asked_on_both_admin_listeners_and_both_routes() {
    let server = server(|app| app.admin_tokens = tokens("admin-token\n")).await;
    let shown = &[("authorization", "Bearer admin-token")][..];
    for (access, headers) in [(AdminAccess::Bearer, shown), (AdminAccess::Everyone, &[])] {
        for (path, group) in [("/v1/rules", r#","group":"anna""#), ("/v1/rules/anna", "")] {
            for (more, status) in [("", 422), (r#","mode":"shadow""#, 201), (r#","confirm":true"#, 201)] {
                let router = admin_router(&server.app, access);
                let body = body(r#"{"rt":"x"}"#, &format!("{group}{more}"));
                let answer = call(router, Method::POST, path, headers, body).await;
                let field = answer.json().get("field").cloned();
                assert_eq!(answer.status, status, "{access:?} {path} {more}: {}", answer.text);
                assert_eq!(field, (status == 422).then_some(Value::from("confirm")));
            }
            server.admin(Method::DELETE, "/v1/rules/anna", "").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_rule_is_told_before_a_confirmation_is_asked() {
    let server = remembering().await;
    for (body, field) in [
        (r#"{"rule":{"a":{"like":1}}}"#, "rule"),
        (r#"{"rule":{"a":1},"confirm":"yes"}"#, "confirm"),
        (r#"{"rule":{"a":1},"expireAt":5}"#, "expireAt"),
    ] {
        let told = server.admin(Method::POST, "/v1/rules/anna", body).await.json();
        assert_eq!(told["field"], field, "{body}");
        assert!(!told["error"].as_str().unwrap().contains("--confirm"), "{told}");
    }
    let tried = server
        .admin(Method::POST, "/v1/rules/anna?dry_run=true", r#"{"rule":{"a":1},"mode":"shadow"}"#)
        .await;
    assert_eq!(tried.json()["confirm"], false, "a rule that is only tried hits no token");
}

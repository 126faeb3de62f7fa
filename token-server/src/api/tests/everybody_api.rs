//! Everybody's rules: a route of their own, said twice, with an end.

use axum::http::{Method, StatusCode};
use jose::{Policy, Requirements, TrustedIssuer};
use serde_json::{Value, json};

use super::*;

const ROUTE: &str = "/v1/everybody/rules";

const DAY: i64 = 24 * 60 * 60;

#[tokio::test(start_paused = true)]
async fn a_rule_for_a_user_called_g_logs_no_other_user_out() {
    let server = server(|_| {}).await;
    let rule = r#"{"rule":{"iat":{"lt":5}},"confirm":true,"forever":true}"#;
    let named = r#"{"group":"g","rule":{"iat":{"lt":5}},"confirm":true,"forever":true}"#;
    for (method, path, body) in [
        (Method::POST, "/v1/rules/g", rule),
        (Method::POST, "/v1/rules/%67", rule),
        (Method::POST, "/v1/rules/g?dry_run=true", rule),
        (Method::POST, "/v1/rules", named),
        (Method::DELETE, "/v1/rules/g", ""),
        (Method::DELETE, "/v1/rules/g", r#"{"rule":{"iat":{"lt":5}}}"#),
    ] {
        let answer = server.admin(method.clone(), path, body).await;
        let told = answer.json();
        assert_eq!(
            (answer.status, &told["field"]),
            (StatusCode::BAD_REQUEST, &json!("group")),
            "{method} {path}"
        );
        assert!(told["error"].as_str().unwrap().contains(ROUTE), "{told}");
    }
    assert_eq!(server.check(&format!(r#"{{"sub":"anna","iat":4,"exp":{}}}"#, NOW + 1)).await["detail"], "ok");
}

#[tokio::test(start_paused = true)]
async fn the_rules_for_everybody_are_written_read_and_deleted_on_their_own_route() {
    let server = server(|_| {}).await;
    for body in [r#"{"rule":{"a":1},"confirm":true}"#, r#"{"group":"g","rule":{"a":2},"confirm":true}"#] {
        let written = server.admin(Method::POST, ROUTE, body).await;
        assert_eq!((written.status, &written.json()["group"]), (StatusCode::CREATED, &json!("g")));
    }
    let other = server.admin(Method::POST, ROUTE, r#"{"group":"anna","rule":{"a":2},"confirm":true}"#).await;
    assert_eq!((other.status, &other.json()["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("group")));
    let page = server.admin(Method::GET, &format!("{ROUTE}?limit=1"), "").await.json();
    assert_eq!((page["rules"].as_array().unwrap().len(), page["next"].is_string()), (1, true));
    let all = server.admin(Method::GET, ROUTE, "").await;
    assert_eq!(all.text, server.admin(Method::GET, "/v1/rules/g", "").await.text, "reading g stays");
    for (body, deleted) in [(r#"{"rule":{"a":1}}"#, 1), ("", 1), ("", 0)] {
        assert_eq!(server.admin(Method::DELETE, ROUTE, body).await.json()["deleted"], deleted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_for_everybody_is_said_twice_and_tells_first_whom_it_hits() {
    let server = server(|app| app.basis.good_tokens.recent = Arc::new(Recent::new(100_000))).await;
    for (sub, rt) in [("anna", "x"), ("ben", "x"), ("carl", "y")] {
        server.check(&format!(r#"{{"sub":"{sub}","rt":"{rt}","exp":{}}}"#, NOW + 60)).await;
    }
    for confirm in ["", r#","confirm":false"#] {
        let answer = server.admin(Method::POST, ROUTE, format!(r#"{{"rule":{{"rt":"x"}}{confirm}}}"#)).await;
        let told = answer.json();
        assert_eq!((answer.status, &told["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("confirm")));
        let error = told["error"].as_str().unwrap();
        assert!(error.contains("2 of 3 subjects") && error.contains(r#""confirm": true"#), "{error}");
    }
    assert_eq!(server.app.revocations().book().totals().rules.get(), 0, "nothing was written");
    for (query, mode, status) in [("?dry_run=true", "enforce", 200), ("", "shadow", 201)] {
        let body = format!(r#"{{"rule":{{"rt":"x"}},"mode":"{mode}"}}"#);
        let answer = server.admin(Method::POST, &format!("{ROUTE}{query}"), body).await;
        assert_eq!(answer.status, status, "what refuses no token needs no word: {}", answer.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_for_everybody_ends_unless_it_is_said_to_stay() {
    let server = server(|_| {}).await;
    let later = NOW + 7;
    for (more, end) in [
        (String::new(), Ok(NOW + 30 * DAY)),
        (r#","forever":false"#.to_owned(), Ok(NOW + 30 * DAY)),
        (format!(r#","expireAt":{later}"#), Ok(later)),
        (r#","forever":true"#.to_owned(), Ok(0)),
        (r#","forever":true,"expireAt":0"#.to_owned(), Ok(0)),
        (r#","mode":"shadow""#.to_owned(), Ok(0)),
        (r#","expireAt":0"#.to_owned(), Err("expireAt")),
        (format!(r#","forever":true,"expireAt":{later}"#), Err("forever")),
        (r#","forever":"yes""#.to_owned(), Err("forever")),
    ] {
        let body = format!(r#"{{"rule":{{"rt":"x"}},"confirm":true{more}}}"#);
        server.admin(Method::DELETE, ROUTE, "").await;
        let answer = server.admin(Method::POST, ROUTE, body).await;
        let told = answer.json();
        match end {
            Ok(end) => {
                assert_eq!((answer.status, &told["expireAt"]), (StatusCode::CREATED, &json!(end)), "{more}")
            }
            Err(field) => assert_eq!(
                (answer.status, &told["field"]),
                (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)),
                "{more}"
            ),
        }
    }
    let own = server.admin(Method::POST, "/v1/rules/anna", r#"{"rule":{"rt":"x"}}"#).await;
    assert_eq!(own.json()["expireAt"], 0, "a subject's rule stays as it is written");
}

/// Forward-auth for two issuers whose tokens live at most as long as these say, under one policy that says no more.
fn issuers(limits: [Option<u64>; 2], leeway: u64) -> ArcSwapOption<InUse> {
    let issuer = |(place, limit): (usize, &Option<u64>)| {
        let max_lifetime = limit.map(Duration::from_secs);
        let requirements = Requirements { max_lifetime, ..Requirements::default() };
        let leeway = jose::Leeway::both(Duration::from_secs(leeway));
        let policy = IssuerPolicy {
            issuers: vec![place.to_string().into()],
            requirements,
            ..time_policy(Profile::Standard, leeway)
        };
        TrustedIssuer { policy, keys: place, signers: Vec::new() }
    };
    let route = Policy::of(Trust::DEFAULT, vec![0, 1]);
    let trust =
        Trust::new(Profile::Standard, limits.iter().enumerate().map(issuer).collect(), vec![route]).unwrap();
    let settings = Verify { trust, ..open_to_everybody() };
    in_use(settings, VerifyMetrics::default(), &no_keys(2))
}

#[tokio::test(start_paused = true)]
async fn a_rule_for_everybody_ends_when_no_token_can_be_left_where_policies_limit_how_long_they_live() {
    for (limits, leeway, end) in [
        ([None, None], 0, NOW + 30 * DAY),
        ([Some(3_600), None], 0, NOW + 30 * DAY),
        ([Some(3_600), Some(600)], 0, NOW + 3_600),
        ([Some(3_600), Some(600)], 5, NOW + 3_605),
        ([Some(600), Some(90 * 24 * 3_600)], 0, NOW + 90 * DAY),
    ] {
        let server = server(|app| app.in_use = issuers(limits, leeway)).await;
        let answer = server.admin(Method::POST, ROUTE, r#"{"rule":{"rt":"x"},"confirm":true}"#).await;
        assert_eq!(answer.json()["expireAt"], end, "{limits:?} {leeway}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_can_never_match_is_written_with_a_warning() {
    let server = server(|_| {}).await;
    for (rule, doubted) in
        [(r#"{"iat":{"lt":"yesterday"}}"#, true), (r#"{"_or":true}"#, true), (r#"{"iat":{"lt":5}}"#, false)]
    {
        for (path, status) in [("/v1/rules/anna?dry_run=true", 200), ("/v1/rules/anna", 201)] {
            let answer = server.admin(Method::POST, path, format!(r#"{{"rule":{rule}}}"#)).await;
            let warnings = answer.json().get("warnings").and_then(Value::as_array).map(Vec::len);
            assert_eq!((answer.status.as_u16(), warnings), (status, doubted.then_some(1)), "{rule}");
        }
    }
}

//! Who is revoked, and what is known of a subject before it is.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::*;

const REVOKED: &str = r#"{"iat":{"lt":1700000000}}"#;

/// As ms-users ends a session.
const SESSION: &str = r#"{"_or":true,"cs":"1","rt":"1"}"#;

async fn write(server: &Server, group: &str, body: &str) {
    let answer = server.admin(Method::POST, &format!("/v1/rules/{group}"), body.to_owned()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{group}: {}", answer.text);
}

async fn get(server: &Server, path: &str) -> Value {
    let answer = server.admin(Method::GET, path, "").await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
    answer.json()
}

fn names(page: &Value) -> Vec<&str> {
    page["subjects"].as_array().unwrap().iter().map(|row| row["subject"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn those_are_told_who_are_revoked_whole_with_since_until_why_and_by_whom() {
    let ended = r#"{"iat":{"lt":5}}"#;
    let server = server_with(&[("carl", SESSION), ("dora", "no rule"), ("anna", SESSION)], |_| {}).await;
    server.store.put("ended", ended, ExpireAt::At(NOW)).unwrap();
    write(&server, "anna", &format!(r#"{{"rule":{REVOKED},"expireAt":"in 1h","note":"lost","by":"olga"}}"#))
        .await;
    write(&server, "ben", r#"{"rule":{},"confirm":true}"#).await;
    write(&server, "tried", &format!(r#"{{"rule":{REVOKED},"mode":"shadow"}}"#)).await;
    let body = r#"{"rule":{"rt":"x"},"confirm":true,"note":"leaked"}"#;
    assert_eq!(server.admin(Method::POST, "/v1/everybody/rules", body).await.status, StatusCode::CREATED);

    let page = get(&server, "/v1/revoked").await;
    assert_eq!(page["now"], "2023-11-14T22:13:20.000Z");
    assert_eq!(page["everybody"]["rules"][0]["rule"], json!({"rt": "x"}));
    assert_eq!(
        (&page["everybody"]["rules"][0]["note"], &page["everybody"]["more"]),
        (&json!("leaked"), &json!(false))
    );
    assert_eq!(names(&page), ["anna", "ben"]);
    let anna = &page["subjects"][0];
    assert_eq!(anna["otherRules"], 1);
    let told = &anna["revocations"][0];
    assert_eq!(told["issuedBefore"], "2023-11-14T22:13:20.000Z");
    assert_eq!(
        (&told["expireAt"], &told["note"], &told["by"]),
        (&json!(NOW + 3600), &json!("lost"), &json!("olga"))
    );
    assert_eq!(anna["revocations"].as_array().unwrap().len(), 1);
    assert_eq!(page["subjects"][1]["revocations"][0]["issuedBefore"], Value::Null, "later logins too");
    assert_eq!(page["next"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn of_many_revocations_of_one_subject_the_latest_are_told_and_the_others_counted() {
    let server = server(|_| {}).await;
    for number in 0..120 {
        server
            .store
            .put("anna", &format!(r#"{{"iat":{{"lt":{}}}}}"#, 1_700_000_000 + number), ExpireAt::Never)
            .unwrap();
    }
    for path in ["/v1/subjects/anna", "/v1/revoked"] {
        let answer = get(&server, path).await;
        let held = if path == "/v1/revoked" { &answer["subjects"][0] } else { &answer };
        let told = held["revocations"].as_array().unwrap();
        assert_eq!((told.len(), &held["moreRevocations"]), (100, &json!(20)), "{path}");
        assert_eq!(told[0]["rule"], json!({"iat": {"lt": 1_700_000_119}}), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_list_comes_in_pages_and_can_be_searched() {
    let server = server(|_| {}).await;
    for name in ["anna", "Anna.Berg", "ben", "berta%41", "zoe"] {
        let name = name.replace('%', "%25");
        write(&server, &name, &format!(r#"{{"rule":{REVOKED}}}"#)).await;
    }
    let mut told = Vec::new();
    let mut after = String::new();
    loop {
        let page = get(&server, &format!("/v1/revoked?limit=2{after}")).await;
        assert_eq!(page["everybody"].is_null(), !after.is_empty(), "on the first page alone");
        assert!(names(&page).len() <= 2, "{page}");
        told.extend(names(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", next.replace('%', "%25"));
    }
    assert_eq!(told, ["Anna.Berg", "anna", "ben", "berta%41", "zoe"]);
    for (query, found) in [
        ("search=ANNA", &["Anna.Berg", "anna"][..]),
        ("search=berg", &["Anna.Berg"]),
        ("search=%2541", &["berta%41"]),
        ("search=nobody", &[]),
        ("search=&limit=1000&after=ben", &["berta%41", "zoe"]),
    ] {
        assert_eq!(names(&get(&server, &format!("/v1/revoked?{query}")).await), found, "{query}");
        let groups = get(&server, &format!("/v1/rules?{query}")).await;
        let groups: Vec<&str> =
            groups["groups"].as_array().unwrap().iter().map(|row| row["group"].as_str().unwrap()).collect();
        assert_eq!(groups, found, "{query}");
    }
    let first = get(&server, "/v1/rules?search=b&limit=1").await;
    assert_eq!((&first["groups"][0]["group"], &first["next"]), (&json!("Anna.Berg"), &json!("Anna.Berg")));
    for bad in ["/v1/revoked?limit=0", "/v1/revoked?limit=1001", "/v1/revoked?serach=a"] {
        assert_eq!(
            server.admin(Method::GET, bad, "").await.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{bad}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_subject_is_told_with_when_it_was_seen_and_what_is_in_force() {
    let server = server_with(&[("anna", SESSION), ("wrong", "no rule")], |app| {
        app.basis.good_tokens.recent = Arc::new(Recent::new(100_000));
    })
    .await;
    let unseen = get(&server, "/v1/subjects/anna").await;
    assert_eq!((&unseen["lastSeen"], &unseen["memory"]["subjects"]), (&Value::Null, &json!(0)));
    assert_eq!((&unseen["profile"], &unseen["iatUnit"]), (&json!("standard"), &json!("seconds")));
    assert_eq!(unseen["usualEnd"], json!({"seconds": 2_592_000, "configured": false}));
    assert_eq!((&unseen["otherRules"], &unseen["everybodysRules"]), (&json!(1), &json!(0)));
    assert_eq!(unseen["revocations"], json!([]));

    assert_eq!(server.check(r#"{"sub":"anna","exp":4000000000}"#).await["detail"], "ok");
    write(&server, "anna", &format!(r#"{{"rule":{REVOKED},"by":"olga"}}"#)).await;
    let body = r#"{"rule":{"rt":"x"},"confirm":true}"#;
    server.admin(Method::POST, "/v1/everybody/rules", body).await;
    let seen = get(&server, "/v1/subjects/anna").await;
    assert_eq!(seen["lastSeen"], "2023-11-14T22:13:20.000Z");
    assert_eq!((&seen["similar"], &seen["memory"]["subjects"]), (&json!([]), &json!(1)));
    assert_eq!((&seen["otherRules"], &seen["everybodysRules"]), (&json!(1), &json!(1)));
    assert_eq!(seen["revocations"][0]["by"], "olga");
    assert_eq!(get(&server, "/v1/subjects/anan").await["similar"], json!(["anna"]));
    assert_eq!(get(&server, "/v1/subjects/wrong").await["otherRules"], 1, "it is shown, whatever it is");

    for (path, status) in [
        ("/v1/subjects/g", StatusCode::BAD_REQUEST),
        (&format!("/v1/subjects/{}", "x".repeat(513)), StatusCode::UNPROCESSABLE_ENTITY),
        ("/v1/subjects/anna?x=1", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = server.admin(Method::GET, path, "").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }
}

#[tokio::test(start_paused = true)]
async fn in_ms_users_dates_count_in_milliseconds_and_rules_in_seconds_are_doubted() {
    let server = server(|app| app.policy = time_policy(Profile::MsUsers, jose::Leeway::NONE)).await;
    let subject = get(&server, "/v1/subjects/anna").await;
    assert_eq!((&subject["profile"], &subject["iatUnit"]), (&json!("ms-users"), &json!("milliseconds")));
    for (rule, doubted) in
        [(r#"{"iat":{"lt":1700000000}}"#, true), (r#"{"iat":{"lt":1700000000000}}"#, false)]
    {
        let answer =
            server.admin(Method::POST, "/v1/rules/anna", format!(r#"{{"rule":{rule}}}"#)).await.json();
        assert_eq!(answer["warnings"].is_array(), doubted, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_every_policy_limits_the_life_of_a_token_that_is_the_usual_end() {
    let server = server(|app| {
        let mut policy = IssuerPolicy {
            name: Trust::DEFAULT.to_owned(),
            ..time_policy(Profile::Standard, jose::Leeway::NONE)
        };
        policy.requirements.max_lifetime = Some(Duration::from_secs(3600));
        let verify = Verify { trust: Trust::single(policy), ..open_to_everybody() };
        app.in_use = in_use(verify, VerifyMetrics::default(), &no_keys(0));
    })
    .await;
    let told = get(&server, "/v1/subjects/anna").await;
    assert_eq!(told["usualEnd"], json!({"seconds": 3600, "configured": true}));
}

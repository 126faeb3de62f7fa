//! Checks of agents that have little time, over a store that hangs.

use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::continuity::MAX_SILENCE;
use crate::revocations::tests::{LIFETIMES, Scripted, heard};

/// Longer than a read may take.
const READ_IS_OVER: Duration = Duration::from_millis(2_100);

/// What is said of these subjects, each with `vouched`, and how long that took.
async fn asked(server: &Server, budget: &str, subjects: &[&str]) -> (Vec<(Value, Value)>, Duration) {
    let payload = |subject: &&str| format!(r#"{{"payload":{{"sub":"{subject}","exp":{}}}}}"#, NOW + 1);
    let checks = subjects.iter().map(payload).collect::<Vec<_>>().join(",");
    let start = Instant::now();
    let answer = server
        .main(Method::POST, "/v1/check", format!(r#"{{"profile":"standard",{budget}"checks":[{checks}]}}"#))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let results = answer.json()["results"].as_array().unwrap().clone();
    (results.iter().map(|one| (one["detail"].clone(), one["vouched"].clone())).collect(), start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn what_is_known_without_the_store_is_told_while_the_agent_still_waits() {
    let store = Scripted::new();
    let revocations = heard(&store);
    let server = server(|app| app.basis.revocations = revocations).await;
    let since = Instant::now();
    let known = vec![(json!("ok"), json!(true))];
    assert_eq!(asked(&server, r#""budget_ms":40,"#, &["anna"]).await, (known, Duration::ZERO));

    store.hang();
    tokio::time::sleep(MAX_SILENCE + Duration::from_millis(1)).await;
    // By what was known, as long as that may be; nothing is known of the other.
    let expected = vec![(json!("ok"), json!(false)), (json!("rules"), json!(false))];
    for (budget, wait) in [
        ("", 60),
        (r#""budget_ms":80,"#, 60),
        (r#""budget_ms":40,"#, 30),
        (r#""budget_ms":4,"#, 3),
        (r#""budget_ms":0,"#, 0),
        (r#""budget_ms":4294967295,"#, 60),
    ] {
        let told = asked(&server, budget, &["anna", "ben"]).await;
        assert_eq!(told, (expected.clone(), Duration::from_millis(wait)), "{budget}");
        tokio::time::sleep(READ_IS_OVER).await;
    }
    assert!(since.elapsed() < LIFETIMES.max_stale);
}

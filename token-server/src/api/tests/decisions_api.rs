//! What agents tell, and who reads it.

use axum::http::{Method, StatusCode};
use futures_util::StreamExt as _;
use serde_json::json;

use super::*;
use crate::agents::MAX_READERS;

fn report(detail: &str) -> String {
    let told = json!({"at": 5, "id": "fp", "reason": "E_TKN_INVALID", "detail": detail});
    json!({
        "agent": {"name": "edge1:1", "version": "0.3.0"},
        "dropped": 2,
        "totals": {"accepted": 1, "refused": {"E_TKN_INVALID": 3}, "undecided": {}},
        "decisions": [told],
        "keys": {"sources": [{"source": "https://id.example/keys"}]},
        "ready": true,
    })
    .to_string()
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_tells_is_read_by_operators() {
    let server = server(|_| {}).await;
    assert_eq!(server.admin(Method::GET, "/v1/agents", "").await.json(), json!({"agents": []}));
    assert_eq!(server.admin(Method::GET, "/v1/keys", "").await.json(), json!({"sources": []}), "as before");
    let answer = server.main(Method::POST, "/v1/decisions", report("signature")).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"taken": 1})));
    let read = server.admin(Method::GET, "/v1/decisions", "").await;
    let line =
        json!({"agent": "edge1:1", "at": 5, "id": "fp", "reason": "E_TKN_INVALID", "detail": "signature"});
    assert_eq!((read.status, read.json()), (StatusCode::OK, line));
    assert_eq!(server.admin(Method::GET, "/v1/decisions?last=0", "").await.text, "");
    let agent = server.admin(Method::GET, "/v1/agents", "").await.json()["agents"][0].take();
    assert_eq!(
        (&agent["name"], &agent["dropped"], &agent["behind"]),
        (&json!("edge1:1"), &json!(2), &json!(true))
    );
    let keys = server.admin(Method::GET, "/v1/keys", "").await.json();
    assert_eq!(keys["agents"], json!({"edge1:1": [{"source": "https://id.example/keys"}]}), "{keys}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_changes_is_an_agent_that_is_heard() {
    let server = server(|_| {}).await;
    for (header, name, version) in
        [("jwt-agent/0.3.0 (edge1:1)", "edge1:1", json!("0.3.0")), ("x", "unnamed", json!(null))]
    {
        let headers = [("user-agent", header)];
        call(main_routes(&server.app), Method::GET, "/v1/events", &headers, "").await;
        let shown = server.admin(Method::GET, "/v1/agents", "").await.json();
        let agent = shown["agents"].as_array().unwrap().iter().find(|agent| agent["name"] == name).unwrap();
        assert_eq!((&agent["version"], &agent["behind"]), (&version, &json!(false)), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_report_is_refused_and_so_are_strangers() {
    let server = server(|app| app.agent_tokens = agent_tokens("agent-token\n")).await;
    let long = report(&"x".repeat(300 * 1024));
    for (token, body, status) in [
        ("Bearer agent-token", report("x").as_str(), StatusCode::OK),
        ("Bearer other", &report("x"), StatusCode::UNAUTHORIZED),
        ("Bearer agent-token", "{}", StatusCode::BAD_REQUEST),
        ("Bearer agent-token", &long, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let headers = [("authorization", token)];
        let routes = main_routes(&server.app);
        let answer = call(routes, Method::POST, "/v1/decisions", &headers, body.to_owned()).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    for last in ["-1", "10001", "x", ""] {
        let answer = server.admin(Method::GET, &format!("/v1/decisions?last={last}"), "").await;
        assert_eq!(
            (answer.status, &answer.json()["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("last"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn lines_come_while_a_client_reads_and_one_reader_too_many_is_told_so() {
    let server =
        server(|app| app.agents = Arc::new(Agents::new(Shutdown::new(), AgentMetrics::default()))).await;
    let open = async || {
        let request = Request::get("/v1/decisions").extension(Caller::of_this_process());
        let routes = Routes::from(admin_router(&server.app, AdminAccess::Named));
        routes.answer(request.body(Body::empty()).unwrap()).await
    };
    let mut readers = Vec::new();
    for _ in 0..MAX_READERS {
        let response = open().await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        readers.push(response.into_body().into_data_stream());
    }
    assert_eq!(open().await.status(), StatusCode::TOO_MANY_REQUESTS);
    let alive = readers[0].next().await.unwrap().unwrap();
    assert_eq!(alive, format!("{{\"at\":{NOW}000}}\n"), "a sign of life");
    server.main(Method::POST, "/v1/decisions", report("expired")).await;
    let line = readers[0].next().await.unwrap().unwrap();
    let line: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!((&line["detail"], &line["agent"]), (&json!("expired"), &json!("edge1:1")));
    drop(readers.pop());
    assert_eq!(open().await.status(), StatusCode::OK);
}

//! `POST /v1/import`: each line is judged as if it came alone, and all that are good are written together.

use axum::http::{Method, StatusCode};
use revocation::events::Changes;
use serde_json::{Value, json};

use super::*;
use crate::api::rules::{MAX_BATCH_BYTES, MAX_BATCH_LINES, MAX_BODY_BYTES};
use revocation::events::Since;

const ROUTE: &str = "/v1/import";

impl Server {
    async fn import(&self, lines: impl AsRef<str>) -> Value {
        let answer = self.admin(Method::POST, ROUTE, lines.as_ref().to_owned()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }
}

/// What became of each line, and the member that is wrong.
fn results(answer: &Value) -> Vec<(u64, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let results = answer["results"].as_array().unwrap().iter();
    results
        .map(|line| (line["line"].as_u64().unwrap(), text(&line["result"]), text(&line["field"])))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn each_line_has_a_result_of_its_own() {
    let server = server(|_| {}).await;
    server.admin(Method::POST, "/v1/rules/anna", r#"{"rule":{"rt":"old"}}"#).await;
    let later = NOW + 60;
    let long = "x".repeat(MAX_BODY_BYTES);
    let lines = [
        (r#"{"group":"anna","rule":{"rt":"x"}}"#.to_owned(), "written", ""),
        (String::new(), "", ""),
        (
            format!(r#"{{"group":"anna","rule":{{"rt":"old"}},"expireAt":{later},"note":"n"}}"#),
            "replaced",
            "",
        ),
        (r#"{"group":"ben","rule":{"rt":"y"}}"#.to_owned(), "written", ""),
        (r#"{"group":"ben","rule":{"rt":"y"},"by":"olga"}"#.to_owned(), "replaced", ""),
        (r#"{"group":"carl","rule":{"rt":"z"},"mode":"shadow"}"#.to_owned(), "written", ""),
        (r#"{"group":"ben","rule":{"rt":"y"},"mode":"shadow"}"#.to_owned(), "leftOut", "mode"),
        ("   ".to_owned(), "", ""),
        ("x".to_owned(), "leftOut", "line"),
        (format!(r#"{{"group":"ben","rule":{{"rt":"{long}"}}}}"#), "leftOut", "line"),
        (r#"{"rule":{"rt":"y"}}"#.to_owned(), "leftOut", "group"),
        (r#"{"group":"ben"}"#.to_owned(), "leftOut", "rule"),
        (r#"{"group":"ben","rule":{"rt":{"like":"x"}}}"#.to_owned(), "leftOut", "rule"),
        (r#"{"group":"ben","rule":{"rt":"z"},"expireAt":5}"#.to_owned(), "leftOut", "expireAt"),
        (r#"{"group":"ben","rule":{"rt":"z"},"expires":5}"#.to_owned(), "leftOut", "expires"),
        // What a rule that comes alone has to say twice.
        (r#"{"group":"ben","rule":{}}"#.to_owned(), "leftOut", "confirm"),
        (r#"{"everybody":true,"rule":{"rt":"e"}}"#.to_owned(), "leftOut", "confirm"),
        (
            r#"{"everybody":true,"rule":{"rt":"e"},"confirm":true,"expireAt":0}"#.to_owned(),
            "leftOut",
            "expireAt",
        ),
        (
            r#"{"everybody":true,"group":"ben","rule":{"rt":"e"},"confirm":true}"#.to_owned(),
            "leftOut",
            "group",
        ),
        (r#"{"group":"g","rule":{"rt":"e"},"confirm":true,"forever":true}"#.to_owned(), "leftOut", "group"),
        (r#"{"everybody":true,"rule":{"rt":"e"},"confirm":true}"#.to_owned(), "written", ""),
        (r#"{"everybody":false,"group":"ben","rule":{},"confirm":true}"#.to_owned(), "written", ""),
    ];
    let text: Vec<&str> = lines.iter().map(|(line, ..)| line.as_str()).collect();
    let answer = server.import(text.join("\n")).await;
    let expected: Vec<_> = (1_u64..)
        .zip(&lines)
        .filter(|(_, (_, result, _))| !result.is_empty())
        .map(|(number, (_, result, field))| (number, (*result).to_owned(), (*field).to_owned()))
        .collect();
    assert_eq!(results(&answer), expected, "{answer}");
    assert_eq!([&answer["written"], &answer["replaced"], &answer["leftOut"]], [5, 2, 13]);
    for line in answer["results"].as_array().unwrap() {
        assert_eq!(line["error"].is_string(), line["result"] == "leftOut", "{line}");
    }

    let rules = server.admin(Method::GET, "/v1/rules/anna", "").await.json();
    assert_eq!((&rules["rules"][0]["expireAt"], &rules["rules"][0]["note"]), (&json!(later), &json!("n")));
    let everybody = server.admin(Method::GET, "/v1/everybody/rules", "").await.json();
    assert_eq!(everybody["rules"][0]["expireAt"], NOW + 30 * 24 * 60 * 60, "it ends as one that comes alone");
    for (subject, rt, detail) in
        [("anna", "x", "revoked"), ("anna", "y", "ok"), ("ben", "any", "revoked"), ("dora", "e", "revoked")]
    {
        let payload = format!(r#"{{"sub":"{subject}","rt":"{rt}","exp":{}}}"#, NOW + 1);
        assert_eq!(server.check(&payload).await["detail"], detail, "{payload}");
    }
    assert_eq!(server.app.annotations().shadows().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_imported_is_one_change_and_durable_as_one() {
    let server = server(|_| {}).await;
    let before = server.app.revocations().revision();
    let stored = server.store.revision().unwrap();
    let lines: String = (0..MAX_BATCH_LINES)
        .map(|number| format!("{{\"group\":\"u{number}\",\"rule\":{{\"a\":1}}}}\n"))
        .collect();
    let answer = server.import(lines).await;
    assert_eq!((&answer["written"], &answer["revision"]), (&json!(MAX_BATCH_LINES), &json!(before + 1)));
    assert_eq!(server.store.revision().unwrap(), stored + 1);
    let since = Since { epoch: server.app.revocations().feed().epoch().to_owned(), revision: before };
    let (_, changes) = server.app.revocations().feed().after(Some(&since));
    assert!(matches!(changes, Changes::Groups(groups) if groups.len() == MAX_BATCH_LINES));
    let none = server.import("x\n").await;
    assert_eq!((&none["leftOut"], &none["revision"]), (&json!(1), &json!(before + 1)), "nothing changed");
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_bounded() {
    let server = server(|_| {}).await;
    let line = "{\"group\":\"anna\",\"rule\":{\"a\":1}}\n";
    for (body, status) in [
        (line.repeat(MAX_BATCH_LINES) + "\n\n", StatusCode::OK),
        (line.repeat(MAX_BATCH_LINES + 1), StatusCode::PAYLOAD_TOO_LARGE),
        (" ".repeat(MAX_BATCH_BYTES), StatusCode::OK),
        (" ".repeat(MAX_BATCH_BYTES + 1), StatusCode::PAYLOAD_TOO_LARGE),
        (String::new(), StatusCode::OK),
    ] {
        let answer = server.admin(Method::POST, ROUTE, body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let unknown = server.admin(Method::POST, "/v1/import?dry_run=true", line).await;
    assert_eq!(
        (unknown.status, &unknown.json()["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("dry_run"))
    );
}

#[tokio::test(start_paused = true)]
async fn rules_that_are_tried_are_held_against_those_before_them() {
    let server = server(|_| {}).await;
    let line =
        |number: usize| format!("{{\"group\":\"anna\",\"rule\":{{\"a\":{number}}},\"mode\":\"shadow\"}}\n");
    let max = crate::shadow::MAX_SHADOW_RULES_PER_GROUP;
    let answer = server.import((0..max + 2).map(line).collect::<String>()).await;
    assert_eq!((&answer["written"], &answer["leftOut"]), (&json!(max), &json!(2)), "{answer}");
    assert_eq!(results(&answer)[max].1, "leftOut");
    let enforced = server.import(line(0).replace("shadow", "enforce")).await;
    assert_eq!(enforced["replaced"], 1, "it was tried before: {enforced}");
    assert_eq!(server.app.annotations().shadows().len(), max - 1);
}

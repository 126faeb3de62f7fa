//! Notes, shadow rules, previews and pages of rules.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::*;

fn good(sub: &str, more: &str) -> String {
    format!(r#"{{"sub":"{sub}","exp":{}{more}}}"#, NOW + 60)
}

impl Server {
    async fn write(&self, path: &str, body: &str) -> Value {
        let answer = self.admin(Method::POST, path, body.to_owned()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()
    }

    /// Those of these rules of which something is known.
    async fn notes(&self, group: &str, rules: &[&str]) -> Vec<String> {
        let texts = rules.iter().map(|text| (*text).to_owned()).collect();
        self.app.annotations().of_rules(group, texts).await.unwrap().into_keys().collect()
    }

    async fn list(&self, path: &str) -> Value {
        let answer = self.admin(Method::GET, path, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_tells_who_wrote_it_when_and_why_and_its_text_does_not() {
    let server = server(|_| {}).await;
    let body = r#"{"rule":{"rt":"x"},"note":"stolen phone, T-42","by":"olga"}"#;
    server.write("/v1/rules/anna", body).await;
    let listed = server.list("/v1/rules/anna").await;
    let rule = &listed["rules"][0];
    assert_eq!(rule["note"], "stolen phone, T-42");
    assert_eq!((&rule["by"], &rule["writtenAt"]), (&json!("olga"), &json!(NOW)));
    let stored = server.app.revocations().page("anna", None, 9).await.unwrap();
    assert_eq!(stored.rules[0].json, r#"{"rt":"x"}"#);

    server.admin(Method::DELETE, "/v1/rules/anna", "").await;
    assert!(server.notes("anna", &[r#"{"rt":"x"}"#]).await.is_empty(), "a note goes with its rule");
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_others_wrote_has_no_note() {
    let server = server_with(&[("anna", r#"{"rt":"x"}"#)], |_| {}).await;
    let listed = server.list("/v1/rules/anna").await;
    for field in ["note", "by", "writtenAt"] {
        assert_eq!(listed["rules"][0].get(field), None, "{field}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shadow_rule_counts_and_refuses_no_token_until_it_is_enforced() {
    let server = server(|_| {}).await;
    let written = server.write("/v1/rules/anna", r#"{"rule":{"rt":"x"},"mode":"shadow","by":"olga"}"#).await;
    assert_eq!((&written["mode"], &written["hits"]), (&json!("shadow"), &json!(0)));
    for (payload, detail) in
        [(good("anna", r#","rt":"x""#), "ok"), (good("anna", ""), "ok"), (good("ben", r#","rt":"x""#), "ok")]
    {
        assert_eq!(server.check(&payload).await["detail"], detail);
    }
    let listed = server.list("/v1/rules/anna").await;
    assert_eq!((&listed["rules"][0]["hits"], &listed["rules"][0]["by"]), (&json!(1), &json!("olga")));
    let groups = server.list("/v1/rules").await;
    assert_eq!(groups["groups"], json!([{"group": "anna", "rules": 0, "unreadable": 0, "shadow": 1}]));
    let metrics = server.admin(Method::GET, "/metrics", "").await.text;
    for line in ["token_server_shadow_hits_total 1", "token_server_shadow_rules 1"] {
        assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    }

    server.write("/v1/rules/anna", r#"{"rule":{"rt":"x"}}"#).await;
    assert_eq!(server.check(&good("anna", r#","rt":"x""#)).await["detail"], "revoked");
    let listed = server.list("/v1/rules/anna").await;
    assert_eq!(listed["rules"].as_array().unwrap().len(), 1);
    assert_eq!(listed["rules"][0]["mode"], "enforce");
    let back = server.admin(Method::POST, "/v1/rules/anna", r#"{"rule":{"rt":"x"},"mode":"shadow"}"#).await;
    assert_eq!((back.status, &back.json()["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("mode")));
    assert_eq!(server.check(&good("anna", r#","rt":"x""#)).await["detail"], "revoked");
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_is_written_again_tells_what_it_replaced() {
    let server = server(|_| {}).await;
    let (soon, later) = (NOW + 5, NOW + 50);
    for path in ["/v1/rules/anna", "/v1/everybody/rules"] {
        let write = async |more: &str| {
            let body = format!(r#"{{"rule":{{"rt":"x"}},"confirm":true{more}}}"#);
            server.write(path, &body).await["replaced"].clone()
        };
        assert_eq!(write(r#","mode":"shadow","note":"try","expireAt":0"#).await, json!([]), "it is new");
        server.check(&good("anna", r#","rt":"x""#)).await;
        let tried = write(&format!(r#","expireAt":{soon},"note":"stolen phone","by":"olga""#)).await;
        let old = &tried[0];
        assert_eq!((&old["mode"], &old["hits"], &old["note"]), (&json!("shadow"), &json!(1), &json!("try")));
        let enforced = write(&format!(r#","expireAt":{later}"#)).await;
        let old = &enforced[0];
        assert_eq!(enforced.as_array().unwrap().len(), 1);
        assert_eq!((&old["mode"], &old["expireAt"]), (&json!("enforce"), &json!(soon)));
        assert_eq!((&old["note"], &old["by"]), (&json!("stolen phone"), &json!("olga")));
        let unsigned = write(&format!(r#","expireAt":{later}"#)).await;
        assert_eq!((&unsigned[0]["expireAt"], unsigned[0].get("note")), (&json!(later), None));
        server.admin(Method::DELETE, path, "").await;
        assert_eq!(write(r#","forever":true"#).await, json!([]), "it was deleted");
        server.admin(Method::DELETE, path, "").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_has_ended_and_still_stands_in_the_store_was_not_replaced() {
    let server = server(|_| {}).await;
    server.store.put("anna", r#"{"rt":"x"}"#, ExpireAt::At(NOW)).unwrap();
    server.store.put("anna", r#"{"rt":"y"}"#, ExpireAt::At(NOW + 1)).unwrap();
    for (rt, replaced) in [("x", 0), ("y", 1)] {
        let written = server.write("/v1/rules/anna", &format!(r#"{{"rule":{{"rt":"{rt}"}}}}"#)).await;
        assert_eq!(written["replaced"].as_array().unwrap().len(), replaced, "{rt}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_about_a_claim_that_no_token_had_lately_is_written_with_a_warning() {
    let server = server(|app| app.basis.good_tokens.recent = Arc::new(Recent::new(100_000))).await;
    let warnings = async |path: &str| {
        let body = r#"{"rule":{"iatt":{"lt":5},"rt":"x"},"confirm":true}"#;
        let answer = server.admin(Method::POST, path, body).await;
        assert!(answer.status.is_success(), "{}", answer.text);
        answer.json().get("warnings").cloned()
    };
    let paths = ["/v1/rules/anna", "/v1/rules/anna?dry_run=true", "/v1/everybody/rules"];
    for path in paths {
        assert_eq!(warnings(path).await, None, "no token is known: {path}");
    }
    server.check(&good("ben", r#","rt":"y""#)).await;
    for path in paths {
        let told = warnings(path).await;
        let told = told.as_ref().and_then(Value::as_array).unwrap();
        assert!(told.len() == 1 && told[0].as_str().unwrap().contains("claim iatt"), "{path}: {told:?}");
    }
    server.check(&good("carl", r#","iatt":1"#)).await;
    assert_eq!(warnings("/v1/rules/anna").await, None, "some token has it now");
}

#[tokio::test(start_paused = true)]
async fn shadow_rules_are_deleted_like_others_and_survive_a_start() {
    let server = server(|_| {}).await;
    for rule in [
        r#"{"rule":{},"mode":"shadow"}"#,
        r#"{"rule":{"a":1},"mode":"shadow"}"#,
        r#"{"rule":{"b":1},"confirm":true}"#,
    ] {
        server.write("/v1/everybody/rules", rule).await;
    }
    let again =
        Annotations::new(server.annotation_store(), prometheus_client::metrics::gauge::Gauge::default());
    again.refresh().await.unwrap();
    assert_eq!(again.shadows().len(), 2);
    let one = server.admin(Method::DELETE, "/v1/everybody/rules", r#"{"rule":{"a":1.0}}"#).await;
    assert_eq!(one.json()["deleted"], 1);
    assert_eq!(server.admin(Method::DELETE, "/v1/everybody/rules", "").await.json()["deleted"], 2);
    assert!(server.app.annotations().shadows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn notes_and_shadow_rules_end_with_their_rules() {
    let server = server(|_| {}).await;
    let soon = NOW + 5;
    server.write("/v1/rules/a", &format!(r#"{{"rule":{{"a":1}},"mode":"shadow","expireAt":{soon}}}"#)).await;
    server.write("/v1/rules/a", &format!(r#"{{"rule":{{"a":2}},"expireAt":{soon}}}"#)).await;
    server.write("/v1/rules/a", r#"{"rule":{"a":3},"mode":"shadow"}"#).await;
    server.app.annotations().purge(soon - 1).await.unwrap();
    let rules = [r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#];
    assert_eq!(server.notes("a", &rules).await, rules);
    server.app.annotations().purge(soon).await.unwrap();
    assert_eq!(server.notes("a", &rules).await, [r#"{"a":3}"#]);
    assert_eq!(server.app.annotations().shadows().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_preview_tells_whom_a_rule_would_hit_and_writes_nothing() {
    // So many places that no two of the subjects share one.
    let server = server(|app| app.basis.good_tokens.recent = Arc::new(Recent::new(100_000))).await;
    for (sub, more) in [("anna", r#","rt":"x""#), ("ben", r#","rt":"x""#), ("carl", "")] {
        server.check(&good(sub, more)).await;
    }
    server.check(&format!(r#"{{"sub":"dora","rt":"x","exp":{NOW}}}"#)).await;
    let body = r#"{"rule":{"rt":"x"}}"#;
    let preview = server.admin(Method::POST, "/v1/everybody/rules?dry_run=true", body).await;
    assert_eq!(preview.status, StatusCode::OK);
    let numbers = json!({"seconds": 900, "subjects": 3, "hits": 2});
    assert_eq!(preview.json(), json!({"group": "g", "mode": "enforce", "preview": numbers}));
    let own = server.admin(Method::POST, "/v1/rules/ben?dry_run=true", r#"{"rule":{"rt":"x"}}"#).await;
    assert_eq!(own.json()["preview"], json!({"seconds": 900, "subjects": 1, "hits": 1}));
    assert_eq!(server.app.revocations().book().totals().rules.get(), 0);

    for (path, field) in
        [("/v1/rules/ben?dry_run=perhaps", "dry_run"), ("/v1/rules/ben?dryrun=true", "dryrun")]
    {
        let answer = server.admin(Method::POST, path, r#"{"rule":{"rt":"x"}}"#).await;
        assert_eq!(
            (answer.status, &answer.json()["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!(field))
        );
    }
    let invalid = server.admin(Method::POST, "/v1/rules/ben?dry_run=true", r#"{"rule":5}"#).await;
    assert_eq!(invalid.json()["field"], "rule");
}

#[tokio::test(start_paused = true)]
async fn the_rules_of_a_group_come_in_pages_that_deletions_do_not_shift() {
    let server = server(|_| {}).await;
    for number in 0..7 {
        let mode = if number % 2 == 0 { "shadow" } else { "enforce" };
        server.write("/v1/rules/anna", &format!(r#"{{"rule":{{"rt":{number}}},"mode":"{mode}"}}"#)).await;
    }
    let mut seen = Vec::new();
    let mut path = "/v1/rules/anna?limit=3".to_owned();
    loop {
        let page = server.list(&path).await;
        let rules = page["rules"].as_array().unwrap().clone();
        assert!(rules.len() <= 3);
        for rule in &rules {
            server.admin(Method::DELETE, "/v1/rules/anna", json!({"rule": rule["rule"]}).to_string()).await;
        }
        seen.extend(rules.iter().map(|rule| rule["rule"]["rt"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/rules/anna?limit=3&after={next}");
    }
    assert_eq!(seen, [1, 3, 5, 0, 2, 4, 6], "what is only tried comes last");
    for (query, field) in [("limit=0", "limit"), ("after=anna", "after"), ("after=", "after")] {
        let answer = server.admin(Method::GET, &format!("/v1/rules/anna?{query}"), "").await;
        let told = answer.json();
        assert_eq!((answer.status, &told["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)));
    }
}

#[tokio::test(start_paused = true)]
async fn groups_whose_rules_are_only_tried_stand_in_the_pages_of_groups() {
    let server = server(|_| {}).await;
    for (group, mode) in
        [("a", "shadow"), ("b", "enforce"), ("c", "shadow"), ("d", "enforce"), ("e", "shadow")]
    {
        server
            .write(&format!("/v1/rules/{group}"), &format!(r#"{{"rule":{{"x":1}},"mode":"{mode}"}}"#))
            .await;
    }
    let mut names = Vec::new();
    let mut path = "/v1/rules?limit=2".to_owned();
    loop {
        let page = server.list(&path).await;
        names.extend(
            page["groups"]
                .as_array()
                .unwrap()
                .iter()
                .map(|group| group["group"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/rules?limit=2&after={next}");
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
}

//! `/v1/audit`: what was changed is told by whom and why, in pages, and can be undone.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::store::{Entry, EntryId};

impl Server {
    async fn change(&self, path: &str, body: &str) -> Value {
        let answer = self.admin(Method::POST, path, body.to_owned()).await;
        assert!(answer.status.is_success(), "{path} {body}: {}", answer.text);
        answer.json()
    }

    async fn delete(&self, path: &str, body: &str) -> Value {
        let answer = self.admin(Method::DELETE, path, body.to_owned()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path} {body}: {}", answer.text);
        answer.json()
    }

    async fn audit(&self, query: &str) -> Value {
        let answer = self.admin(Method::GET, &format!("/v1/audit{query}"), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
        answer.json()
    }

    /// Action, group, rule, and the ends before and after, the oldest first.
    async fn told(&self, query: &str) -> Vec<Value> {
        let page = self.audit(query).await;
        let told = page["entries"].as_array().unwrap().iter().rev().map(|entry| {
            let end = |standing: &str| entry[standing]["expireAt"].clone();
            json!([entry["action"], entry["group"], entry["rule"], end("before"), end("after")])
        });
        told.collect()
    }

    async fn undo(&self, entry: &Value, body: &str) -> Answer {
        let path = format!("/v1/audit/{}/undo", entry["id"].as_str().unwrap());
        self.admin(Method::POST, &path, body.to_owned()).await
    }

    /// The newest entry.
    async fn last(&self) -> Value {
        self.audit("?limit=1").await["entries"][0].clone()
    }

    /// The rules of a group, without what a server counts.
    async fn standing(&self, group: &str) -> Value {
        let mut rules =
            self.admin(Method::GET, &format!("/v1/rules/{group}"), "").await.json()["rules"].take();
        for rule in rules.as_array_mut().unwrap() {
            rule.as_object_mut()
                .unwrap()
                .retain(|name, _| !matches!(name.as_str(), "revision" | "hits" | "id"));
        }
        rules
    }
}

#[tokio::test(start_paused = true)]
async fn every_way_to_change_a_rule_is_told_with_who_and_why() {
    let server = server(|_| {}).await;
    server.change("/v1/rules/anna", r#"{"rule":{"rt":"x"},"note":"stolen phone","by":"olga"}"#).await;
    let entry = server.last().await;
    assert_eq!(entry["at"], "2023-11-14T22:13:20.000Z");
    assert!(entry["who"]["name"].is_string() && entry["who"]["kind"].is_string(), "{entry}");
    let after =
        json!({"mode": "enforce", "expireAt": 0, "note": "stolen phone", "by": "olga", "writtenAt": NOW});
    assert_eq!(entry["after"], after);
    assert_eq!(entry.get("before"), Some(&Value::Null));
    assert_eq!((&entry["note"], &entry["by"]), (&json!("stolen phone"), &json!("olga")));

    let (soon, later) = (NOW + 5, NOW + 50);
    server.change("/v1/rules/anna", &format!(r#"{{"rule":{{"rt":"x"}},"expireAt":{later}}}"#)).await;
    server.change("/v1/everybody/rules", r#"{"rule":{"iss":"old"},"mode":"shadow"}"#).await;
    let lines = format!(
        r#"{{"group":"ben","rule":{{"a":1}},"expireAt":{soon}}}
{{"group":"ben","rule":{{"a":1}},"expireAt":{later}}}
{{"group":"ben","rule":{{"b":1}},"mode":"shadow"}}"#
    );
    server.change("/v1/import", &lines).await;
    server.delete("/v1/rules/anna", r#"{"rule":{"rt":"x"},"note":"found again","by":"pia"}"#).await;
    let removed = server.last().await;
    assert_eq!((&removed["note"], &removed["by"]), (&json!("found again"), &json!("pia")));
    assert_eq!(removed["before"]["expireAt"], later);
    server.delete("/v1/rules/ben", r#"{"all":true,"note":"left"}"#).await;
    assert_eq!(server.last().await["note"], "left");
    server.delete("/v1/everybody/rules", "").await;
    assert_eq!(
        server.told("").await,
        [
            json!(["write", "anna", {"rt": "x"}, null, 0]),
            json!(["write", "anna", {"rt": "x"}, 0, later]),
            json!(["write", "g", {"iss": "old"}, null, 0]),
            json!(["write", "ben", {"a": 1}, null, soon]),
            json!(["write", "ben", {"a": 1}, soon, later]),
            json!(["write", "ben", {"b": 1}, null, 0]),
            json!(["remove", "anna", {"rt": "x"}, later, null]),
            json!(["remove", "ben", {"a": 1}, later, null]),
            json!(["remove", "ben", {"b": 1}, 0, null]),
            json!(["remove", "g", {"iss": "old"}, 0, null]),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_is_not_told() {
    let server = server_with(&[("anna", "not json")], |_| {}).await;
    let before = server.audit("").await["entries"].as_array().unwrap().len();
    for (method, path, body) in [
        (Method::DELETE, "/v1/rules/ben", r#"{"rule":{"rt":"x"}}"#),
        (Method::DELETE, "/v1/rules/ben", ""),
        (Method::DELETE, "/v1/rules/anna", r#"{"note":"no rule is named"}"#),
        (Method::POST, "/v1/rules/ben?dry_run=true", r#"{"rule":{"rt":"x"}}"#),
        (Method::POST, "/v1/rules/ben", r#"{"rule":{}}"#),
        (Method::POST, "/v1/rules/ben", r#"{"rule":{"rt":{"like":1}}}"#),
    ] {
        server.admin(method, path, body.to_owned()).await;
    }
    assert_eq!(server.audit("").await["entries"].as_array().unwrap().len(), before);
    server.delete("/v1/rules/anna", "").await;
    assert_eq!(server.last().await["rule"], "not json", "a text that is no rule stands as a string");
}

#[tokio::test(start_paused = true)]
async fn the_trail_is_filtered_and_comes_in_pages() {
    let server = server(|_| {}).await;
    for (group, rt) in [("anna", 1), ("ben", 2), ("anna", 3), ("anna", 4)] {
        server.change(&format!("/v1/rules/{group}"), &format!(r#"{{"rule":{{"rt":{rt}}}}}"#)).await;
    }
    server.change("/v1/everybody/rules", r#"{"rule":{"rt":5},"confirm":true}"#).await;
    server.delete("/v1/rules/anna", r#"{"rule":{"rt":3}}"#).await;
    let who = server.last().await["who"]["name"].as_str().unwrap().replace(' ', "%20");
    let rts = async |query: &str| -> Vec<i64> {
        let page = server.audit(query).await;
        page["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["rule"]["rt"].as_i64().unwrap())
            .collect()
    };
    for (query, found) in [
        ("", vec![3, 5, 4, 3, 2, 1]),
        ("?group=anna", vec![3, 4, 3, 1]),
        ("?group=nothing", vec![]),
        ("?everybody=true", vec![5]),
        ("?everybody=false&limit=1", vec![3]),
        ("?action=remove", vec![3]),
        ("?group=anna&action=write", vec![4, 3, 1]),
        (&format!("?who={who}&limit=2"), vec![3, 5]),
        ("?who=somebody", vec![]),
        ("?since=1700000000", vec![3, 5, 4, 3, 2, 1]),
        ("?since=1700000001", vec![]),
        ("?until=1700000000", vec![]),
        ("?since=2023-11-14&until=2023-11-14T22:13:21Z", vec![3, 5, 4, 3, 2, 1]),
        ("?since=1h", vec![3, 5, 4, 3, 2, 1]),
    ] {
        assert_eq!(rts(query).await, found, "{query}");
    }
    for (filter, all) in [("", vec![3, 5, 4, 3, 2, 1]), ("&group=anna", vec![3, 4, 3, 1])] {
        for limit in 1..=7 {
            let (mut cursor, mut found, mut pages) = (String::new(), Vec::new(), 0);
            loop {
                let query = format!("?limit={limit}{filter}{cursor}");
                found.extend(rts(&query).await);
                pages += 1;
                match server.audit(&query).await["next"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!((found, pages), (all.clone(), all.len().div_ceil(limit)), "{limit} {filter}");
        }
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("action=delete", "action"),
        ("cursor=x", "cursor"),
        ("since=yesterday", "since"),
        ("until=1700000000000", "until"),
        ("group=anna&everybody=true", "group"),
        ("everybody=1", "everybody"),
        ("user=anna", "user"),
    ] {
        let answer = server.admin(Method::GET, &format!("/v1/audit?{query}"), "").await;
        assert_eq!(
            (answer.status, &answer.json()["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)),
            "{query}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_trail_is_searched_a_part_at_a_time() {
    let server = server(|_| {}).await;
    server.change("/v1/rules/anna", r#"{"rule":{"rt":"first"}}"#).await;
    for part in 0..11 {
        let lines =
            (0..1_000).map(|line| format!("{{\"group\":\"ben\",\"rule\":{{\"rt\":\"{part}-{line}\"}}}}\n"));
        server
            .change("/v1/import", &lines.take(if part < 10 { 950 } else { 1_000 }).collect::<String>())
            .await;
    }
    let first = server.audit("?group=anna").await;
    assert_eq!(first["entries"], json!([]), "not found yet");
    let next = first["next"].as_str().expect("there is more to look at");
    let second = server.audit(&format!("?group=anna&cursor={next}")).await;
    assert_eq!((&second["entries"][0]["rule"]["rt"], second.get("next")), (&json!("first"), None));
}

#[tokio::test(start_paused = true)]
async fn an_undone_change_leaves_everything_as_it_was() {
    let server = server(|_| {}).await;
    let (later, no_entry) = (NOW + 50, json!([]));
    let write = |more: &str| format!(r#"{{"rule":{{"rt":"x"}},"confirm":true{more}}}"#);
    let path = "/v1/rules/anna";
    let check = async |detail: &str| {
        let payload = format!(r#"{{"sub":"anna","rt":"x","exp":{}}}"#, NOW + 60);
        assert_eq!(server.check(&payload).await["detail"], detail);
    };
    // Each step, and whether tokens are revoked after it.
    let steps: [(&str, String, &str); 5] = [
        ("POST", write(r#","mode":"shadow","note":"try""#), "ok"),
        ("POST", write(r#","note":"for real","by":"olga""#), "revoked"),
        ("POST", write(&format!(r#","expireAt":{later}"#)), "revoked"),
        ("DELETE", r#"{"rule":{"rt":"x"},"note":"found"}"#.to_owned(), "ok"),
        ("POST", write(""), "revoked"),
    ];
    let mut states = vec![(no_entry, "ok")];
    let mut entries = Vec::new();
    for (method, body, detail) in &steps {
        match *method {
            "POST" => _ = server.change(path, body).await,
            _ => _ = server.delete(path, body).await,
        }
        check(detail).await;
        states.push((server.standing("anna").await, detail));
        entries.push(server.last().await);
    }
    for entry in entries.iter().rev() {
        states.pop();
        let answer = server.undo(entry, r#"{"note":"a mistake","by":"pia"}"#).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let undone = answer.json()["entry"].clone();
        assert_eq!(
            (&undone["undoes"], &undone["note"], &undone["by"]),
            (&entry["id"], &json!("a mistake"), &json!("pia"))
        );
        assert_eq!((&undone["before"], &undone["after"]), (&entry["after"], &entry["before"]));
        assert_eq!(server.last().await, undone);
        let (rules, detail) = states.last().unwrap();
        assert_eq!(server.standing("anna").await, *rules);
        check(detail).await;
    }
    assert!(server.app.annotations().shadows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_was_changed_since_is_not_undone_unasked() {
    let server = server_with(&[("ben", r#"{"iat":{"like":1}}"#)], |_| {}).await;
    server.change("/v1/rules/anna", r#"{"rule":{"rt":"x"}}"#).await;
    let first = server.last().await;
    let later = NOW + 50;
    server.change("/v1/rules/anna", &format!(r#"{{"rule":{{"rt":"x"}},"expireAt":{later}}}"#)).await;
    let count = server.audit("").await["entries"].as_array().unwrap().len();
    let refused = server.undo(&first, "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let why = refused.json()["error"].as_str().unwrap().to_owned();
    assert!(why.contains("it is enforced until 2023-11-14T22:14:10Z") && why.contains("--yes"), "{why}");
    assert_eq!(server.audit("").await["entries"].as_array().unwrap().len(), count);
    let undone = server.undo(&first, r#"{"confirm":true}"#).await;
    assert_eq!(
        (undone.status, &undone.json()["entry"]["before"]["expireAt"]),
        (StatusCode::OK, &json!(later))
    );
    assert_eq!(server.standing("anna").await, json!([]));
    let refused = server.undo(&first, "").await;
    assert!(refused.json()["error"].as_str().unwrap().contains("it is not there"), "{}", refused.text);
    let nothing = server.undo(&first, r#"{"confirm":true}"#).await;
    assert_eq!((nothing.status, nothing.json().get("entry")), (StatusCode::OK, None), "it stands so already");

    server.delete("/v1/rules/ben", "").await;
    let unreadable = server.undo(&server.last().await, "").await;
    assert_eq!(unreadable.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", unreadable.text);
    for id in ["018bcfe5687b-0abc", "x", "018BCFE5687B-0000"] {
        let answer = server.admin(Method::POST, &format!("/v1/audit/{id}/undo"), "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}");
    }
    for (body, field) in
        [(r#"{"confirm":1}"#, "confirm"), (r#"{"why":"x"}"#, "why"), (r#"{"note":5}"#, "note")]
    {
        let answer = server.undo(&first, body).await;
        assert_eq!(
            (answer.status, &answer.json()["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!(field))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_meanwhile_is_not_written_again() {
    let server = server(|_| {}).await;
    let end = NOW + 5;
    server.change("/v1/rules/anna", &format!(r#"{{"rule":{{"rt":"x"}},"expireAt":{end}}}"#)).await;
    server.delete("/v1/rules/anna", "").await;
    let removed = server.last().await;
    let id: EntryId = removed["id"].as_str().unwrap().parse().unwrap();
    let record = server.app.revocations().entry(id).await.unwrap().unwrap();
    let act = crate::revocations::tests::act();
    for (now, made) in [(end, false), (end - 1, true)] {
        let act = crate::revocations::Act { at: UnixTime::from_secs(now), ..act.clone() };
        let undone = server.app.revocations().undo(id, record.clone(), Default::default(), false, act).await;
        let crate::revocations::Undone::Done(outcome) = undone.unwrap() else { panic!("refused") };
        assert_eq!(outcome.made().is_some(), made, "{now}");
    }
}

#[tokio::test(start_paused = true)]
async fn entries_read_as_they_are_answered() {
    let server = server_with(&[("anna", "not json")], |_| {}).await;
    server.change("/v1/rules/anna", r#"{"rule":{"rt":"x"},"note":"why"}"#).await;
    server.delete("/v1/rules/anna", "").await;
    let answer = server.admin(Method::GET, "/v1/audit", "").await;
    for entry in answer.json()["entries"].as_array().unwrap() {
        let line = entry.to_string();
        let parsed = Entry::parse(&line).unwrap();
        let again: Value = serde_json::from_str(&serde_json::to_string(&parsed).unwrap()).unwrap();
        assert_eq!(again, *entry);
    }
}

//! Who may do what over the admin API: every role on every route.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use axum::routing::MethodFilter;
use serde_json::{Value, json};

use super::*;
use crate::caller::Role;
use service::secret_file::Reload as _;

const FILE: &str = "\
rita read token-of-rita-000\n\
rob revoke token-of-rob-0000\n\
ada admin token-of-ada-0000\n\
old-token-of-an-administrator\n";

/// Who asks: the token, the name by which it is known, the role.
const CALLERS: [(&str, &str, Role); 4] = [
    ("token-of-rita-000", "rita", Role::Read),
    ("token-of-rob-0000", "rob", Role::Revoke),
    ("token-of-ada-0000", "ada", Role::Admin),
    ("old-token-of-an-administrator", "token d1ad17c3", Role::Admin),
];

const RULE: &str = r#"{"rule":{"a":1}}"#;
const FOR_ALL: &str = r#"{"rule":{"a":1},"confirm":true,"forever":true}"#;

/// The entries of the rules that are stored before: their time, and their numbers within the millisecond.
const EVERYBODYS_ENTRY: &str = "/v1/audit/0000000003e8-0000/undo";
const ANNAS_ENTRY: &str = "/v1/audit/0000000003e8-0001/undo";

/// Every kind of request, written out by hand: the role that it needs, and whether it changes rules.
fn requests() -> Vec<(Method, &'static str, &'static str, Role, bool)> {
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    vec![
        (get.clone(), "/v1/rules", "", Role::Read, false),
        (Method::HEAD, "/v1/rules", "", Role::Read, false),
        (get.clone(), "/v1/rules/anna", "", Role::Read, false),
        (get.clone(), "/v1/rules/g", "", Role::Read, false),
        (get.clone(), "/v1/everybody/rules", "", Role::Read, false),
        (get.clone(), "/v1/audit", "", Role::Read, false),
        (get.clone(), "/v1/revoked", "", Role::Read, false),
        (get.clone(), "/v1/subjects/anna", "", Role::Read, false),
        (get.clone(), "/v1/signals", "", Role::Read, false),
        (get.clone(), "/v1/signals/okta/verifications/0a1b", "", Role::Read, false),
        (post.clone(), "/v1/signals/okta/verify", "", Role::Admin, false),
        (get.clone(), "/v1/agents", "", Role::Read, false),
        (get.clone(), "/v1/decisions", "", Role::Read, false),
        (get.clone(), "/v1/keys", "", Role::Read, false),
        (get, "/v1/me", "", Role::Read, false),
        (post.clone(), "/v1/explain", r#"{"payload":{"sub":"anna","exp":4000000000}}"#, Role::Read, false),
        (post.clone(), "/v1/rules?dry_run=true", r#"{"group":"anna","rule":{"a":1}}"#, Role::Read, false),
        (post.clone(), "/v1/rules/anna?dry_run=true", RULE, Role::Read, false),
        (post.clone(), "/v1/rules/anna?%64ry_run=%74rue", RULE, Role::Read, false),
        (post.clone(), "/v1/everybody/rules?dry_run=true", RULE, Role::Read, false),
        (post.clone(), "/v1/rules", r#"{"group":"anna","rule":{"a":1}}"#, Role::Revoke, true),
        (post.clone(), "/v1/rules/anna", RULE, Role::Revoke, true),
        (post.clone(), "/v1/rules/anna?dry_run=false", RULE, Role::Revoke, true),
        (post.clone(), "/v1/rules/anna", r#"{"rule":{"a":1},"mode":"shadow"}"#, Role::Revoke, true),
        (delete.clone(), "/v1/rules/anna", r#"{"rule":{"stored":1}}"#, Role::Revoke, true),
        (delete.clone(), "/v1/rules/anna", "", Role::Revoke, true),
        (post.clone(), "/v1/everybody/rules", FOR_ALL, Role::Admin, true),
        (post.clone(), "/v1/everybody/rules", r#"{"rule":{"a":1},"mode":"shadow"}"#, Role::Admin, true),
        (delete.clone(), "/v1/everybody/rules", r#"{"rule":{"stored":1}}"#, Role::Admin, true),
        (delete, "/v1/everybody/rules", "", Role::Admin, true),
        (post.clone(), ANNAS_ENTRY, "", Role::Revoke, true),
        (post.clone(), EVERYBODYS_ENTRY, "", Role::Admin, true),
        (post, "/v1/import", r#"{"group":"anna","rule":{"a":1}}"#, Role::Admin, true),
    ]
}

async fn guarded() -> Server {
    let stored = [("g", r#"{"stored":1}"#), ("anna", r#"{"stored":1}"#)];
    server_with(&stored, |app| app.admin_tokens = admin_tokens(FILE)).await
}

async fn ask(server: &Server, token: &str, method: &Method, path: &str, body: &str) -> Answer {
    let headers = [("authorization", &*format!("Bearer {token}"))];
    call(admin_router(&server.app, AdminAccess::Bearer), method.clone(), path, &headers, body.to_owned())
        .await
}

/// All rules, enforced and tried, as an administrator of the socket reads them.
async fn rules(server: &Server) -> Vec<Value> {
    let mut found = Vec::new();
    for path in ["/v1/rules/anna", "/v1/everybody/rules"] {
        found.push(server.admin(Method::GET, path, "").await.json()["rules"].clone());
    }
    found
}

#[tokio::test(start_paused = true)]
async fn every_role_on_every_route_does_what_it_may_and_nothing_else() {
    for (method, path, body, needs, changes) in requests() {
        for (token, name, role) in CALLERS {
            let server = guarded().await;
            let before = rules(&server).await;
            let answer = ask(&server, token, &method, path, body).await;
            let what = format!("{role}: {method} {path} {body}: {}", answer.text);
            let after = rules(&server).await;
            if role >= needs {
                let good = if is_of_a_stream(path) {
                    answer.status == StatusCode::NOT_FOUND
                } else {
                    answer.status.is_success()
                };
                assert!(good, "{what}");
                assert_eq!(before != after, changes, "{what}");
            } else {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
                // That an entry is everybody's is found out when it is read.
                let needs = if path == EVERYBODYS_ENTRY && role == Role::Read { Role::Revoke } else { needs };
                let told = format!("this needs the role {needs}, and {name} has the role {role}");
                assert_eq!(answer.json()["error"], json!(told), "{what}");
                assert_eq!(before, after, "{what}");
            }
        }
        for token in ["", "wrong", "rita", "read", "rita read token-of-rita-000"] {
            let server = guarded().await;
            let before = rules(&server).await;
            let answer = ask(&server, token, &method, path, body).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token}: {method} {path}");
            assert_eq!(rules(&server).await, before);
        }
    }
}

fn method_of(filter: MethodFilter) -> Method {
    let known = [
        (MethodFilter::GET, Method::GET),
        (MethodFilter::POST, Method::POST),
        (MethodFilter::DELETE, Method::DELETE),
    ];
    known.into_iter().find(|(known, _)| *known == filter).unwrap().1
}

#[test]
fn the_table_of_routes_and_the_requests_that_are_tried_are_the_same() {
    let told = |method: &Method, path: &str| format!("{method} {path}");
    let routes: BTreeSet<String> =
        admin::table().iter().map(|route| told(&method_of(route.method), route.path)).collect();
    let tried = requests().into_iter().filter(|(method, ..)| method != Method::HEAD);
    let tried: BTreeSet<String> = tried
        .map(|(method, path, ..)| {
            let path = path.split('?').next().unwrap().replace("/subjects/anna", "/subjects/{subject}");
            let path = path.replace("/okta", "/{stream}").replace("/0a1b", "/{state}");
            let path = path.replace("/anna", "/{group}").replace("/g", "/{group}");
            let path = path.replace("/0000000003e8-0000", "/{id}").replace("/0000000003e8-0001", "/{id}");
            told(&method, &path)
        })
        .collect();
    assert_eq!(routes, tried);
}

#[test]
fn the_description_of_each_route_names_its_role() {
    let document: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
    for admin::Route { path, method, needs, .. } in admin::table() {
        let (crate::api::needs::Needs::Always(role) | crate::api::needs::Needs::ToWrite(role)) = needs;
        let described = &document["paths"][path][method_of(method).as_str().to_lowercase()]["x-role"];
        assert_eq!(described, role.as_str(), "{method:?} {path}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_other_spelling_opens_everybodys_rules_to_the_role_revoke() {
    for (method, path, body) in [
        (Method::POST, "/v1/rules", r#"{"group":"g","rule":{"a":1},"confirm":true}"#),
        (Method::POST, "/v1/rules", r#"{"group":"\u0067","rule":{"a":1},"confirm":true}"#),
        (Method::POST, "/v1/rules", r#"{"group":"anna","group":"g","rule":{"a":1},"confirm":true}"#),
        (Method::POST, "/v1/rules/g", FOR_ALL),
        (Method::POST, "/v1/rules/%67", FOR_ALL),
        (Method::POST, "/v1/rules/anna", r#"{"group":"g","rule":{"a":1},"confirm":true}"#),
        (Method::POST, "/v1/rules/anna/../g", FOR_ALL),
        (Method::DELETE, "/v1/rules/g", ""),
        (Method::DELETE, "/v1/rules/%67", r#"{"rule":{"stored":1}}"#),
        (Method::DELETE, "/v1/rules", ""),
        (Method::POST, "/v1/everybody/rules?dry_run=true&dry_run=false", FOR_ALL),
        (Method::POST, "/v1/everybody/rules?dry_run=false&dry_run=true", FOR_ALL),
        (Method::POST, "/v1/everybody/rules?dry_run=TRUE", FOR_ALL),
        (Method::POST, "/v1/everybody/rules?dry_run=1", FOR_ALL),
        (Method::POST, "/v1/everybody/rules?dry_run", FOR_ALL),
        (Method::POST, "/v1/everybody/rules?dry_run=true#", FOR_ALL),
        (Method::POST, "/v1/everybody/rules?dry_run=true&other=1", FOR_ALL),
        (Method::POST, "/v1/everybody/rules?dry_run=true%26dry_run=false", FOR_ALL),
        (Method::POST, "/v1/everybody/rules/", FOR_ALL),
        (Method::POST, "/v1//everybody/rules", FOR_ALL),
        (Method::PUT, "/v1/everybody/rules", FOR_ALL),
        (Method::PATCH, "/v1/import", FOR_ALL),
    ] {
        for token in ["token-of-rita-000", "token-of-rob-0000"] {
            let server = guarded().await;
            let before = rules(&server).await;
            ask(&server, token, &method, path, body).await;
            let after = rules(&server).await;
            assert_eq!(before[1], after[1], "{method} {path} {body}");
            assert_eq!(before, after, "{method} {path} {body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_taken_away_in_the_file_is_gone_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    std::fs::write(&path, FILE).unwrap();
    let file = Arc::new(admin_tokens_of(&path));
    let server = server(|app| app.admin_tokens = Some(Arc::clone(&file))).await;
    let write =
        async || ask(&server, "token-of-rob-0000", &Method::POST, "/v1/rules/anna", RULE).await.status;
    assert_eq!(write().await, StatusCode::CREATED);
    // A line that cannot be used changes nothing: the last good content is in use.
    for (content, status) in [
        ("rob read token-of-rob-0000\n", StatusCode::FORBIDDEN),
        ("rob revok token-of-rob-0000\n", StatusCode::FORBIDDEN),
        ("rob revoke token-of-rob-0000\n", StatusCode::CREATED),
        ("ada admin token-of-ada-0000\n", StatusCode::UNAUTHORIZED),
    ] {
        std::fs::write(&path, content).unwrap();
        file.reload();
        assert_eq!(write().await, status, "{content}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_for_which_no_user_is_named_is_refused() {
    let server = guarded().await;
    let request = Request::builder().uri("/v1/rules").body(Body::empty()).unwrap();
    let routes = Routes::from(admin_router(&server.app, AdminAccess::Named));
    assert_eq!(routes.answer(request).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(start_paused = true)]
async fn undoing_what_concerns_everybody_needs_the_role_admin() {
    let server = guarded().await;
    ask(&server, "token-of-ada-0000", &Method::POST, "/v1/everybody/rules", FOR_ALL).await;
    let trail = server.admin(Method::GET, "/v1/audit?everybody=true", "").await.json();
    assert_eq!(trail["entries"][0]["who"], json!({"name": "ada", "kind": "token"}));
    let path = format!("/v1/audit/{}/undo", trail["entries"][0]["id"].as_str().unwrap());
    for (token, _, role) in CALLERS {
        let before = rules(&server).await;
        let answer = ask(&server, token, &Method::POST, &path, "").await;
        if role == Role::Admin {
            assert!(answer.status.is_success(), "{role}: {}", answer.text);
            return assert_ne!(rules(&server).await, before);
        }
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{role}: {}", answer.text);
        assert_eq!(rules(&server).await, before, "{role}");
    }
}

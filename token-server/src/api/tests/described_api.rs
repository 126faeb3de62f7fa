//! The API is as `/openapi.json` describes it: the routes, the statuses, the members of the answers.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::*;

/// Routes of the health router, which another crate makes.
const HEALTH_ROUTES: [&str; 3] = ["/health", "/ready", "/metrics"];

/// Routes of forward-auth, which depend on the proxy that asks.
const VERIFY_ROUTES: [&str; 3] = ["/verify", "/verify/{policy}", "/verify/{policy}/{path}"];

fn document() -> Value {
    serde_json::from_str(include_str!("../openapi.json")).unwrap()
}

/// Every operation: path, method, description.
fn operations(document: &Value) -> Vec<(String, Method, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (name, operation) in item.as_object().unwrap() {
            if name != "parameters" {
                let method = name.to_uppercase().parse().unwrap();
                found.push((path.clone(), method, operation.clone()));
            }
        }
    }
    found
}

/// The routes that an operation's tag promises it on, and those that must not have it.
fn listeners(server: &Server, operation: &Value) -> (Vec<Routes>, Vec<Routes>) {
    let main = main_routes(&server.app);
    let admin = Routes::from(admin_router(&server.app, AdminAccess::Named));
    match operation["tags"][0].as_str().unwrap() {
        "agents" => (vec![main], vec![admin]),
        "proxies" => (vec![main], vec![admin]),
        "operators" => (vec![admin], vec![main]),
        "health" => (vec![main, admin], vec![]),
        other => panic!("no such tag: {other}"),
    }
}

/// A path with something in the place of each name; the entry is that of the rule that was stored first.
fn path_of(template: &str) -> String {
    let places = [
        ("{group}", "anna"),
        ("{subject}", "anna"),
        ("{policy}", "default"),
        ("{path}", "x"),
        ("{id}", "0000000003e8-0000"),
        ("{stream}", "okta"),
        ("{state}", "0a1b"),
    ];
    places.iter().fold(template.to_owned(), |path, (name, value)| path.replace(name, value))
}

/// The example of a request's body, as bytes to send.
fn example(operation: &Value) -> String {
    let Some(content) = operation["requestBody"]["content"].as_object() else {
        return String::new();
    };
    match &content.values().next().unwrap()["example"] {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Why a value is not as a schema says; the part of JSON Schema that the document uses.
fn mismatch(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        return mismatch(document, target, value);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().filter(|choice| mismatch(document, choice, value).is_none()).count();
        return (fits != 1).then(|| format!("{value} fits {fits} of oneOf"));
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        return Some(format!("{value} is none of {values:?}"));
    }
    let is_of_type = match schema["type"].as_str() {
        None => true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some(other) => panic!("no such type: {other}"),
    };
    if !is_of_type {
        return Some(format!("{value} is no {}", schema["type"]));
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing = required.into_iter().find(|name| value.get(name).is_none());
    if let Some(missing) = missing {
        return Some(format!("{missing} is missing in {value}"));
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(schema) => {
                if let Some(why) = mismatch(document, schema, member) {
                    return Some(format!("{name}: {why}"));
                }
            }
            None if schema["additionalProperties"] == false => {
                return Some(format!("{name} is not described"));
            }
            None => {}
        }
    }
    let items = value.as_array().into_iter().flatten();
    items.filter_map(|item| mismatch(document, &schema["items"], item)).next()
}

/// The answer to a request must be one that the operation describes.
fn check(document: &Value, operation: &Value, what: &str, answer: &Answer) {
    let described = &operation["responses"][answer.status.as_str()];
    assert!(described.is_object(), "{what}: {} is not described: {}", answer.status, answer.text);
    let content = described["content"].as_object().unwrap();
    let faults: Vec<String> = content
        .iter()
        .filter_map(|(kind, media)| {
            let value = match kind.as_str() {
                "application/json" => serde_json::from_str(&answer.text).unwrap_or(Value::Null),
                _ => Value::String(answer.text.clone()),
            };
            mismatch(document, &media["schema"], &value)
        })
        .collect();
    assert!(faults.len() < content.len(), "{what}: {} is not as described: {faults:?}", answer.status);
}

#[tokio::test(start_paused = true)]
async fn every_route_is_described_and_every_description_has_its_route() {
    let server = server(|_| {}).await;
    let served = server.main(Method::GET, "/openapi.json", "").await;
    assert_eq!((served.status, served.json()), (StatusCode::OK, document()));
    let document = document();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));

    let source = include_str!("../mod.rs");
    let written = source.split(".route(").skip(1).map(|rest| rest.split('"').nth(1).unwrap());
    let operators = admin::table().into_iter().map(|route| route.path);
    let routes = written.chain(operators).chain(HEALTH_ROUTES).chain(VERIFY_ROUTES);
    // OpenAPI has no sign for a parameter that may hold slashes.
    let routes: BTreeSet<String> = routes.map(|route| route.replace("{*", "{")).collect();
    let described: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(routes, described);

    let (group, methods) = ("/v1/rules/anna", [Method::GET, Method::POST, Method::PUT, Method::DELETE]);
    for method in methods {
        let known = document["paths"]["/v1/rules/{group}"].get(method.as_str().to_lowercase()).is_some();
        let answer = server.admin(method.clone(), group, "{}").await;
        assert_eq!(answer.status != StatusCode::METHOD_NOT_ALLOWED, known, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn examples_are_answered_as_described_where_they_are_described() {
    let server = server_with(&[("zoe", "{}")], |_| {}).await;
    let document = document();
    for (path, method, operation) in operations(&document) {
        let (here, elsewhere) = listeners(&server, &operation);
        let uri = path_of(&path);
        for routes in here {
            let answer = call(routes, method.clone(), &uri, &[], example(&operation)).await;
            // There is no stream: the tests of whole programs have some, with their transmitters.
            let good = if is_of_a_stream(&path) {
                answer.status == StatusCode::NOT_FOUND
            } else {
                answer.status.is_success()
            };
            assert!(good, "{method} {path}: {}", answer.text);
            check(&document, &operation, &format!("{method} {path}"), &answer);
        }
        for routes in elsewhere {
            let answer = call(routes, method.clone(), &uri, &[], example(&operation)).await;
            // Agents write there what operators read.
            let expected =
                if path == "/v1/decisions" { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::NOT_FOUND };
            assert_eq!(answer.status, expected, "{method} {path} on the other listener");
        }
    }
    for (method, path, body) in [
        (Method::POST, "/v1/rules?dry_run=true", r#"{"group":"anna","rule":{"a":1}}"#),
        (Method::POST, "/v1/rules/anna", r#"{"rule":{"iat":"x"},"note":"n","by":"b"}"#),
        (Method::POST, "/v1/rules/anna?dry_run=true", r#"{"rule":{"iat":"x"}}"#),
        (Method::POST, "/v1/rules/g", r#"{"rule":{"sub":"anna"}}"#),
        (Method::DELETE, "/v1/rules/g", ""),
        (Method::POST, "/v1/rules", r#"{"group":"g","rule":{"sub":"anna"}}"#),
        (Method::POST, "/v1/everybody/rules?dry_run=true", r#"{"rule":{"sub":"anna"}}"#),
        (Method::POST, "/v1/everybody/rules", r#"{"rule":{"sub":"anna"},"confirm":true,"forever":true}"#),
        (Method::POST, "/v1/everybody/rules", r#"{"rule":{"sub":"anna"}}"#),
        (Method::GET, "/v1/everybody/rules", ""),
        (Method::GET, "/v1/audit", ""),
        (Method::GET, "/v1/audit?limit=1&everybody=true", ""),
        (Method::GET, "/v1/rules", ""),
        (Method::GET, "/v1/rules/g", ""),
        (Method::GET, "/v1/rules?search=a", ""),
        (Method::GET, "/v1/revoked", ""),
        (Method::GET, "/v1/revoked?search=a&limit=1", ""),
        (Method::POST, "/v1/explain", r#"{"payload":{"sub":"anna","exp":4000000000}}"#),
        (Method::POST, "/v1/explain", r#"{"token":"a.b.c"}"#),
    ] {
        let answer = server.admin(method.clone(), path, body).await;
        let template = path.split('?').next().unwrap().replace("/g", "/{group}").replace("/anna", "/{group}");
        let operation = &document["paths"][&template][method.as_str().to_lowercase()];
        check(&document, operation, path, &answer);
    }
    let payload = server.main(Method::POST, "/", r#"{"sub":"anna"}"#).await;
    check(&document, &document["paths"]["/"]["post"], "a payload", &payload);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_described() {
    let guarded = server(|app| {
        app.admin_tokens = admin_tokens("admin-token\n");
        app.agent_tokens = agent_tokens("agent-token\n");
    })
    .await;
    let document = document();
    for (path, method, operation) in operations(&document) {
        let uri = path_of(&path);
        if operation.get("security").is_some() {
            let routes = if operation["tags"][0] == "agents" {
                main_routes(&guarded.app)
            } else {
                admin_router(&guarded.app, AdminAccess::Bearer).into()
            };
            let answer = call(routes, method.clone(), &uri, &[], example(&operation)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            check(&document, &operation, &format!("{method} {path} without a token"), &answer);
        }
        if operation.get("requestBody").is_some() && path != "/" {
            let open = server(|_| {}).await;
            for body in ["{", "{}", r#"{"rule":{"a":{"like":1}}}"#, &" ".repeat(3 * 1024 * 1024)] {
                let routes = listeners(&open, &operation).0.remove(0);
                let answer = call(routes, method.clone(), &uri, &[], body.to_owned()).await;
                let start: String = body.chars().take(9).collect();
                check(&document, &operation, &format!("{method} {path} with {start}"), &answer);
            }
        }
        if let Some(parameters) = operation["parameters"].as_array().filter(|_| path.contains("/v1/")) {
            assert!(parameters.iter().all(|parameter| parameter["in"] == "query"));
            let open = server(|_| {}).await;
            let routes = listeners(&open, &operation).0.remove(0);
            let uri = format!("{uri}?nonsense=1");
            let answer = call(routes, method.clone(), &uri, &[], example(&operation)).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{method} {path}");
            check(&document, &operation, &uri, &answer);
        }
    }
    let proxied =
        call(main_routes(&guarded.app), Method::POST, "/", &[("x-forwarded-for", "x")], "a.b.c").await;
    check(&document, &document["paths"]["/"]["post"], "a proxy", &proxied);
    assert_eq!(
        mismatch(&document, &json!({"type": "integer"}), &json!("5")).as_deref(),
        Some("\"5\" is no \"integer\"")
    );
}

//! A rule written through the token-server's API refuses tokens at HAProxy, at once, and only those it names.

use integration_tests::http::Request;
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::token::{now, token};
use serde_json::{Value, json};

fn request(changes: Value) -> Request {
    Request::get("/").bearer(&token(key("ES256"), changes))
}

#[test]
fn a_rule_refuses_at_once_and_only_what_it_names() {
    let edge = Setup::denying().token_server().start();
    let server = edge.token_server.as_ref().unwrap();
    let now = now();
    let alice = |iat: u64| request(json!({"sub": "alice", "iat": iat}));
    edge.admits("alice", &alice(now - 10));
    server.revoke("alice", &json!({"iat": {"lt": now - 5}}));
    let response = edge.refuses("alice's old token", 401, &alice(now - 10));
    assert!(response.header("www-authenticate").unwrap().contains("revoked"), "{response:?}");
    edge.admits("alice's new token", &alice(now));
    edge.admits("bob's old token", &request(json!({"sub": "bob", "iat": now - 10})));
    server.restore("alice");
    edge.admits("alice's old token again", &alice(now - 10));
}

#[test]
fn a_rule_for_everybody_refuses_everybody_whom_it_names() {
    let edge = Setup::denying().token_server().start();
    let server = edge.token_server.as_ref().unwrap();
    server.revoke("g", &json!({"device": "stolen"}));
    for user in ["alice", "bob"] {
        edge.refuses(user, 401, &request(json!({"sub": user, "device": "stolen"})));
        edge.admits(user, &request(json!({"sub": user, "device": "own"})));
        edge.admits(user, &request(json!({"sub": user})));
    }
}

#[test]
fn a_revoked_ms_users_token_is_annotated() {
    let edge = Setup::annotating().token_server().start();
    let server = edge.token_server.as_ref().unwrap();
    let stateless = token(key("HS256"), json!({"username": "alice", "st": 1, "rt": "x"}));
    let request = Request::get("/").header("Authorization", format!("JWT {stateless}"));
    assert_eq!(edge.admits("before", &request).header("x-tkn-valid"), Some("1"));
    server.revoke("alice", &json!({"rt": "x"}));
    let seen = edge.admits("after", &request);
    assert_eq!(seen.header("x-tkn-valid"), Some("0"));
    assert_eq!(seen.header("x-tkn-reason"), Some("E_TKN_INVALID"));
    assert_eq!(seen.header("x-tkn-body"), None);
}

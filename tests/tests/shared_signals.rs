//! Security event tokens that jose (npm) and joserfc (PyPI) have signed, pushed to a token-server: the subject's tokens end at HAProxy.

use std::fs;

use integration_tests::agent::listening;
use integration_tests::http::{Client, Request, Response};
use integration_tests::interop::{node, output, python};
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::token::{now, token};
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::{Value, json};

const PUSH: &str = "Bearer 0123456789abcdef";
const SUBJECTS: [&str; 4] = ["anna", "ben", "carl", "dora"];

fn pushed(signals: &Address, stream: &str, set: &str) -> Response {
    let request = Request::line(&format!("POST /ssf/{stream} HTTP/1.1"))
        .header("Content-Type", "application/secevent+jwt")
        .header("Authorization", PUSH)
        .header("Content-Length", set.len().to_string());
    let mut client = Client::new(signals.connect(DEADLINE).unwrap());
    client.write(&[&request.to_bytes(), set.as_bytes()].concat()).unwrap();
    client.response().unwrap()
}

fn made() -> [(&'static str, Value); 2] {
    let with_subjects = |mut program: std::process::Command| {
        program.args(SUBJECTS);
        output(program)
    };
    [("npm", with_subjects(node("make_sets.mjs"))), ("pypi", with_subjects(python("make_sets.py")))]
}

#[test]
fn events_that_two_other_implementations_signed_end_tokens_at_haproxy() {
    let made = made();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let shown = |name: &str| path(name).display().to_string();
    fs::write(path("push"), PUSH).unwrap();
    let mut text = String::new();
    for (name, made) in &made {
        fs::write(path(name), made["jwks"].to_string()).unwrap();
        text += &format!(
            "[[ssf]]\nname = '{name}'\nissuer = {}\naudiences = ['edge']\nkeys_file = '{}'\nauthorization_file = '{}'\n",
            made["issuer"],
            shown(name),
            shown("push")
        );
    }
    fs::write(path("settings.toml"), text).unwrap();
    let edge = Setup::denying()
        .token_server()
        .token_server_env("TOKEN_SERVER_CONFIG", &shown("settings.toml"))
        .token_server_env("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0")
        .agent_env("JWT_CACHE_TTL", "3600")
        .agent_env("JWT_CACHE_TTL_MAX", "3600")
        .start();
    let server = edge.token_server.as_ref().unwrap();
    let signals = eventually("the listener of signals", || listening(&server.process.lines(), "signals"));
    for (name, made) in &made {
        let of = |sub: &str, iat: u64| {
            Request::get("/")
                .bearer(&token(key("ES256"), json!({ "iss": made["issuer"], "sub": sub, "iat": iat })))
        };
        let old: Vec<_> = SUBJECTS.iter().map(|sub| of(sub, now() - 60)).collect();
        let elsewhere = Request::get("/").bearer(&token(
            key("ES256"),
            json!({ "iss": "https://other.example.com", "sub": "anna", "iat": now() - 60 }),
        ));
        for request in old.iter().chain([&elsewhere]) {
            edge.comes_to("before", 200, request);
        }
        for set in made["sets"].as_array().unwrap() {
            let answer = pushed(&signals, name, set["token"].as_str().unwrap());
            let told = String::from_utf8_lossy(&answer.body).into_owned();
            match set["err"].as_str() {
                None => {
                    assert_eq!((answer.status, told.as_str()), (202, ""), "{name} {set}");
                    let sub = SUBJECTS.iter().position(|sub| set["sub"] == *sub).unwrap();
                    edge.comes_to("what was issued before is refused", 401, &old[sub]);
                    edge.comes_to("what is issued later is admitted", 200, &of(SUBJECTS[sub], now() + 20));
                }
                Some(err) => {
                    assert_eq!(answer.status, 400, "{name} {set}: {told}");
                    assert!(told.contains(&format!("{err:?}")), "{name} {set}: {told}");
                }
            }
        }
        edge.comes_to("a token of another issuer", 200, &elsewhere);
    }
}

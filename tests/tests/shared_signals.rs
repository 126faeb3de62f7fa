//! Shared signals, from the event to HAProxy: of security event tokens that jose (npm) and joserfc (PyPI) have signed, pushed and
//! polled, the subject's tokens end there. A stream's keys verify nothing else.

use std::fs;

use integration_tests::agent::{ask, listening};
use integration_tests::http::{Client, Request, Response};
use integration_tests::interop::{node, output, python};
use integration_tests::keys::{SigningKey, jwks, key};
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::token::{now, sign_raw, token};
use integration_tests::transmitter::{AUDIENCE, TOKEN, Transmitter};
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::{Value, json};

const PUSH: &str = "Bearer 0123456789abcdef";
const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
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

#[test]
fn an_event_that_is_polled_ends_tokens_at_haproxy() {
    let (transmitter, folder) = (Transmitter::start(), tempfile::tempdir().unwrap());
    let (origin, path) = (&transmitter.origin, |name: &str| folder.path().join(name));
    fs::write(path("token"), TOKEN).unwrap();
    let table = format!(
        "[[ssf]]\nname = 'idp'\nissuer = '{origin}'\naudiences = ['{AUDIENCE}']\npoll_url = '{origin}/ssf/poll'\npoll_interval = 1\n\
         poll_token_file = '{}'\n",
        path("token").display()
    );
    fs::write(path("settings.toml"), table).unwrap();
    let edge = Setup::denying()
        .token_server()
        .token_server_env("TOKEN_SERVER_CONFIG", &path("settings.toml").display().to_string())
        .token_server_env("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0")
        .agent_env("JWT_CACHE_TTL", "3600")
        .agent_env("JWT_CACHE_TTL_MAX", "3600")
        .start();
    let of = |iss: &str, sub: &str, iat: u64| {
        Request::get("/").bearer(&token(key("ES256"), json!({ "iss": iss, "sub": sub, "iat": iat })))
    };
    let anna = of(origin, "anna", now() - 60);
    let others = [of(origin, "ben", now() - 60), of("https://other.example.com", "anna", now() - 60)];
    for request in others.iter().chain([&anna]) {
        edge.comes_to("before", 200, request);
    }
    let sub_id = json!({ "format": "iss_sub", "iss": origin, "sub": "anna" });
    let told = transmitter.send(json!({ "sub_id": sub_id, "events": { SESSION_REVOKED: {} } }));
    edge.comes_to("what was issued before is refused", 401, &anna);
    transmitter.acknowledged(&told);
    edge.comes_to("what is issued later is admitted", 200, &of(origin, "anna", now() + 20));
    for other in &others {
        edge.comes_to("another's, and another issuer's", 200, other);
    }
}

#[test]
fn a_streams_key_verifies_no_access_token_and_an_issuers_key_no_event_though_both_have_one_name() {
    const ISSUER: &str = "https://idp.example.com";
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    // The same algorithm and the same `kid`: the place alone tells them apart.
    let (issuers, transmitters) = (key("ES256"), SigningKey::generate("ES256", &key("ES256").kid));
    fs::write(path("issuer"), jwks([issuers])).unwrap();
    fs::write(path("transmitter"), jwks([&transmitters])).unwrap();
    fs::write(path("push"), PUSH).unwrap();
    let (own, theirs, push) = (path("issuer"), path("transmitter"), path("push"));
    let tables = format!(
        "[[issuers]]\nissuer = '{ISSUER}'\nkeys_file = '{own}'\n[[ssf]]\nname = 'idp'\nissuer = '{ISSUER}'\naudiences = ['edge']\n\
         keys_file = '{theirs}'\nauthorization_file = '{push}'\n"
    );
    fs::write(path("settings.toml"), tables).unwrap();
    let edge = Setup::denying()
        .keys(jwks([issuers]))
        .agent_env("JWT_ISSUERS", ISSUER)
        .token_server()
        .token_server_env("TOKEN_SERVER_CONFIG", &path("settings.toml"))
        .token_server_env("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0")
        .start();
    let server = edge.token_server.as_ref().unwrap();
    let signals = eventually("the listener of signals", || listening(&server.process.lines(), "signals"));
    let by = |key: &SigningKey, path: &str| Request::get(path).bearer(&token(key, json!({ "iss": ISSUER })));
    edge.comes_to("the issuer's key, at the agent", 200, &by(issuers, "/"));
    edge.refuses("the transmitter's key, at the agent", 401, &by(&transmitters, "/"));
    let verify = |key| ask(&server.address, &by(key, "/verify")).status;
    eventually("the issuer's key, at /verify", || (verify(issuers) == 200).then_some(()));
    assert_eq!(verify(&transmitters), 401, "the transmitter's key, at /verify");

    let event = |key: &SigningKey| {
        let header = json!({ "alg": key.algorithm, "kid": key.kid, "typ": "secevent+jwt" });
        let claims = json!({
            "iss": ISSUER, "aud": "edge", "iat": now(), "jti": "1", "events": { SESSION_REVOKED: {} },
            "sub_id": { "format": "opaque", "id": "anna" },
        });
        sign_raw(key, &header.to_string(), &claims.to_string())
    };
    let refused = pushed(&signals, "idp", &event(issuers));
    let told = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(refused.status == 400 && told.contains("\"invalid_key\""), "{refused}");
    assert_eq!(pushed(&signals, "idp", &event(&transmitters)).status, 202);
    edge.admits("and nothing has changed for access tokens", &by(issuers, "/"));
    edge.refuses("nor for the transmitter's", 401, &by(&transmitters, "/"));
}

//! Keys that change, vanish or turn into garbage while HAProxy asks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::key_server::{Answer, KeyServer};
use integration_tests::keys::{SigningKey, jwks, key};
use integration_tests::setup::Setup;
use integration_tests::token::{sign_raw, token};
use integration_tests::wait::eventually;
use serde_json::json;

fn asks(key: &SigningKey) -> Request {
    Request::get("/").bearer(&token(key, json!({})))
}

/// Waits until tokens of a key get a status, and asserts that none passed that should not have.
fn becomes(edge: &Edge, what: &str, key: &SigningKey, status: u16) {
    eventually(what, || (edge.send(&asks(key)).status == status).then_some(()));
}

/// Two keys under one kid and two kids: what rotations go between.
fn generations() -> [SigningKey; 2] {
    ["2026-01", "2026-02"].map(|kid| SigningKey::generate("ES256", kid))
}

fn logged(edge: &Edge, text: &str) {
    eventually(text, || edge.agents[0].process.log().contains(text).then_some(()));
}

#[test]
fn a_replaced_key_file_is_used_without_a_restart() {
    let [old, new] = generations();
    let edge = Setup::denying().keys(jwks([&old])).agent_env("JWT_SYNC_INTERVAL", "3600").start();
    edge.admits("the old key", &asks(&old));
    edge.refuses("a key that is not there yet", 401, &asks(&new));
    edge.replace_keys(&jwks([&old, &new]));
    becomes(&edge, "the new key is known", &new, 200);
    edge.admits("the old key beside the new one", &asks(&old));
    edge.replace_keys(&jwks([&new]));
    becomes(&edge, "the old key is forgotten", &old, 401);
    edge.admits("the new key alone", &asks(&new));
}

#[test]
fn another_key_under_the_same_kid_replaces_the_first() {
    let [old, new] = ["same", "same"].map(|kid| SigningKey::generate("ES256", kid));
    let edge = Setup::denying().keys(jwks([&old])).start();
    edge.refuses("the second key", 401, &asks(&new));
    edge.replace_keys(&jwks([&new]));
    becomes(&edge, "the second key is known", &new, 200);
    edge.refuses("the first key", 401, &asks(&old));
}

#[test]
fn a_broken_key_file_does_not_replace_a_good_set() {
    for broken in
        ["", "{", "{\"keys\":[]}", "-----BEGIN PUBLIC KEY-----\n", "{\"keys\":[{\"kty\":\"novel\"}]}"]
    {
        let edge = Setup::denying().keys(jwks([key("ES256")])).start();
        edge.replace_keys(broken);
        logged(&edge, "keys not loaded");
        edge.admits(broken, &asks(key("ES256")));
        edge.refuses(broken, 401, &asks(key("RS256")));
        edge.replace_keys(&jwks([key("RS256")]));
        becomes(&edge, "the mended file is read", key("RS256"), 200);
    }
}

#[test]
fn a_rotated_key_url_is_followed() {
    let [old, new] = generations();
    let server = KeyServer::start(Answer::Body(jwks([&old])));
    let edge = Setup::denying()
        .no_key_file()
        .agent_env("JWT_JWKS_URL", &server.url())
        .agent_env("JWT_SYNC_INTERVAL", "1");
    let edge = edge.start();
    becomes(&edge, "the URL is read", &old, 200);
    edge.refuses("a key that is not there yet", 401, &asks(&new));
    server.set(Answer::Body(jwks([&new])));
    becomes(&edge, "the new key is known", &new, 200);
    becomes(&edge, "the old key is forgotten", &old, 401);
}

#[test]
fn an_unknown_key_asks_for_an_early_load() {
    let [old, new] = generations();
    let server = KeyServer::start(Answer::Body(jwks([&old])));
    let edge = Setup::denying()
        .no_key_file()
        .agent_env("JWT_JWKS_URL", &server.url())
        .agent_env("JWT_SYNC_INTERVAL", "3600");
    let edge = edge.start();
    becomes(&edge, "the URL is read", &old, 200);
    let fetches = server.fetches();
    server.set(Answer::Body(jwks([&old, &new])));
    becomes(&edge, "the new key is known long before the interval is over", &new, 200);
    assert_eq!(server.fetches(), fetches + 1, "however many tokens asked");
}

#[test]
fn a_key_url_that_fails_leaves_the_last_good_set_in_use() {
    let failures = [
        ("down", Answer::Close),
        ("500", Answer::Status(500)),
        ("404", Answer::Status(404)),
        ("garbage", Answer::Body("<html>maintenance</html>".to_owned())),
        ("an empty body", Answer::Body(String::new())),
        ("an empty set", Answer::Body("{\"keys\":[]}".to_owned())),
        ("hung", Answer::Hang),
    ];
    // At once: each waits for loads that fail, which takes a second or more.
    thread::scope(|scope| {
        for (what, failure) in failures {
            scope.spawn(move || {
                let server = KeyServer::start(Answer::Body(jwks([key("ES256")])));
                let setup = Setup::denying().no_key_file().agent_env("JWT_JWKS_URL", &server.url());
                let edge = setup.agent_env("JWT_SYNC_INTERVAL", "1").start();
                becomes(&edge, "the URL is read", key("ES256"), 200);
                server.set(failure);
                let fetches = server.fetches();
                eventually(what, || (server.fetches() > fetches).then_some(()));
                logged(&edge, "keys not loaded");
                edge.admits(what, &asks(key("ES256")));
                edge.refuses(what, 503, &asks(key("RS256")));
                server.set(Answer::Body(jwks([key("RS256")])));
                becomes(&edge, "the mended URL is read", key("RS256"), 200);
            });
        }
    });
}

#[test]
fn without_keys_nobody_can_decide_until_they_come() {
    for start in [Answer::Close, Answer::Status(503), Answer::Body("garbage".to_owned())] {
        let server = KeyServer::start(start);
        let edge = Setup::denying().no_key_file().agent_env("JWT_JWKS_URL", &server.url()).start();
        edge.refuses("no keys yet", 503, &asks(key("ES256")));
        edge.haproxy.wait_agents_up(&[("agent1", false), ("agent2", false)]);
        assert_eq!(edge.agents[0].admin("/ready").status, 503);
        edge.refuses("still no keys", 503, &asks(key("ES256")));
        server.set(Answer::Body(jwks([key("ES256")])));
        becomes(&edge, "the keys are there", key("ES256"), 200);
        assert!(edge.agents[0].is_ready());
    }
}

#[test]
fn a_flood_of_unknown_keys_hides_no_rotation_and_costs_one_fetch_a_cool_down() {
    /// The agent's cool-down, which no setting changes, and the fetches that may come before it.
    const COOL_DOWN: u64 = 10;
    const FREE: usize = 3;
    let [old, new] = generations();
    let server = KeyServer::start(Answer::Body(jwks([&old])));
    let edge = Setup::denying()
        .no_key_file()
        .agent_env("JWT_JWKS_URL", &server.url())
        .agent_env("JWT_SYNC_INTERVAL", "3600");
    let edge = edge.start();
    becomes(&edge, "the URL is read", &old, 200);
    let (begun, fetches) = (Instant::now(), server.fetches());
    let (over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for thread in 0..4 {
            let (edge, stranger, over, sent) = (&edge, &new, &over, &sent);
            scope.spawn(move || {
                for number in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let header = json!({"alg": stranger.algorithm, "kid": format!("{thread}-{number}")});
                    let token = sign_raw(stranger, &header.to_string(), r#"{"exp":4000000000}"#);
                    assert_eq!(edge.send(&Request::get("/").bearer(&token)).status, 401);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let stop = scopeguard(&over);
        edge.admits("a known key, in the flood", &asks(&old));
        eventually("the flood has spent the free loads", || {
            (server.fetches() >= fetches + FREE && sent.load(Ordering::Relaxed) > 100).then_some(())
        });
        server.set(Answer::Body(jwks([&old, &new])));
        eventually("the rotation is seen", || (edge.send(&asks(&new)).status == 200).then_some(()));
        edge.admits("a known key, after it", &asks(&old));
        drop(stop);
    });
    let cool_downs = usize::try_from(begun.elapsed().as_secs() / COOL_DOWN).unwrap();
    let asked = server.fetches() - fetches;
    assert!(asked <= FREE + cool_downs + 1, "{asked} fetches in {:?}", begun.elapsed());
}

/// Ends the flood also when an assertion fails, so that the test ends.
fn scopeguard(over: &AtomicBool) -> impl Drop + '_ {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    Over(over)
}

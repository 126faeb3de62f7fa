//! What a kept verdict must not outlive, through a real HAProxy.

use integration_tests::http::Request;
use integration_tests::keys::{jwks, key};
use integration_tests::setup::Setup;
use integration_tests::token::{forge_signature, now, token};
use integration_tests::wait::eventually;
use serde_json::json;

#[test]
fn a_token_that_expires_while_cached_is_refused_at_once() {
    let edge = Setup::denying().start();
    let expires = now() + 3;
    let request = Request::get("/").bearer(&token(key("ES256"), json!({"exp": expires})));
    edge.admits("fresh", &request);
    edge.admits("cached", &request);
    assert!(edge.count("jwt_agent_cache_hits_total") >= 1);
    eventually("its last second is over", || (now() >= expires).then_some(()));
    let response = edge.refuses("expired", 401, &request);
    assert!(response.header("www-authenticate").unwrap().contains("expired"), "{response:?}");
}

#[test]
fn a_removed_key_is_refused_at_once_cached_or_not() {
    let edge = Setup::denying().keys(jwks([key("ES256"), key("RS256")])).start();
    let (leaving, staying) = (token(key("ES256"), json!({})), token(key("RS256"), json!({})));
    for token in [&leaving, &staying, &leaving, &staying] {
        edge.admits("both keys", &Request::get("/").bearer(token));
    }
    edge.replace_keys(&jwks([key("RS256")]));
    eventually("the new keys are in use", || {
        (edge.send(&Request::get("/").bearer(&token(key("ES256"), json!({"n": 1})))).status == 401)
            .then_some(())
    });
    edge.refuses("the removed key's cached token", 401, &Request::get("/").bearer(&leaving));
    edge.admits("the other key's", &Request::get("/").bearer(&staying));
}

#[test]
fn garbage_pushes_no_good_token_out_and_is_refused_each_time() {
    let edge = Setup::denying().agent_env("JWT_CACHE_SIZE", "10").start();
    let good = token(key("HS256"), json!({}));
    edge.admits("good", &Request::get("/").bearer(&good));
    for number in 0..200 {
        let forged = forge_signature(&token(key("HS256"), json!({"n": number})));
        for _ in 0..2 {
            edge.refuses("forged", 401, &Request::get("/").bearer(&forged));
        }
    }
    let misses = edge.count("jwt_agent_cache_misses_total");
    edge.admits("good, still", &Request::get("/").bearer(&good));
    assert_eq!(edge.count("jwt_agent_cache_misses_total"), misses, "the good token was kept");
    assert_eq!(edge.count("jwt_agent_cache_entries"), 1);
}

#[test]
fn without_a_cache_everything_is_found_anew() {
    let edge = Setup::denying().agent_env("JWT_CACHE_SIZE", "0").start();
    let request = Request::get("/").bearer(&token(key("ES256"), json!({})));
    for _ in 0..3 {
        edge.admits("good", &request);
    }
    assert_eq!(edge.count("jwt_agent_cache_misses_total"), 3);
    assert_eq!(edge.count("jwt_agent_cache_hits_total"), 0);
}

//! Identity providers that replace their keys while clients ask: no good token may be refused, in both programs.
//!
//! A client that gets 401 logs its user out; one that gets 503 tries again.

use std::collections::BTreeMap;

use integration_tests::agent::ask;
use integration_tests::http::Request;
use integration_tests::key_server::Answer;
use integration_tests::keys::{SigningKey, jwks};
use integration_tests::provider::Provider;
use integration_tests::setup::Setup;
use integration_tests::steady::{Asked, during};
use integration_tests::token::token;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::eventually;
use serde_json::json;
use tempfile::TempDir;

const CLIENTS: usize = 4;

/// Three rotations, as many as may follow each other at once: the new key beside the one before, or alone.
fn rotates_in_each_way(provider: &Provider, asked: &Asked) {
    for (kid, alone) in [("second", false), ("third", true), ("third", true)] {
        provider.rotate(kid, |old, new| if alone { jwks([new]) } else { jwks([old, new]) });
        asked.go_on(kid);
    }
}

fn only_good(what: &str, answers: &BTreeMap<u16, usize>) {
    assert_eq!(answers.keys().collect::<Vec<_>>(), [&200], "{what}: {answers:?}");
}

#[test]
fn no_good_token_is_refused_at_haproxy_while_keys_are_replaced() {
    let provider = Provider::start();
    let edge = Setup::denying()
        .no_key_file()
        .agent_env("JWT_JWKS_URL", &provider.server.url())
        .agent_env("JWT_SYNC_INTERVAL", "3600")
        .start();
    let send = |token: &str| edge.send(&Request::get("/").bearer(token)).status;
    eventually("the first keys are there", || (provider.answer(send) == 200).then_some(()));
    let fetches = provider.server.fetches();
    let answers = during(CLIENTS, || provider.answer(send), |asked| rotates_in_each_way(&provider, asked));
    only_good("HAProxy", &answers);
    assert_eq!(
        provider.server.fetches(),
        fetches + 3,
        "one load for each rotation, however many tokens asked"
    );
}

#[test]
fn no_good_token_is_refused_by_forward_auth_while_keys_are_replaced() {
    let provider = Provider::start();
    let folder = TempDir::new().unwrap();
    let url = provider.server.url();
    let settings = [("TOKEN_SERVER__JWKS__URL", url.as_str()), ("TOKEN_SERVER__JWKS__SYNC_INTERVAL", "3600")];
    let server = TokenServer::start_with(folder.path(), "standard", &settings);
    let send = |token: &str| ask(&server.address, &Request::get("/verify").bearer(token)).status;
    eventually("the first keys are there", || (provider.answer(send) == 200).then_some(()));
    let answers = during(CLIENTS, || provider.answer(send), |asked| rotates_in_each_way(&provider, asked));
    only_good("forward-auth", &answers);
}

#[test]
fn a_token_that_may_be_newer_than_our_keys_is_never_refused_while_they_cannot_be_had() {
    let stranger = SigningKey::generate("ES256", "unknown");
    for (what, failure) in [("down", Answer::Close), ("broken", Answer::Status(500)), ("hung", Answer::Hang)]
    {
        let provider = Provider::start();
        let edge = Setup::denying()
            .no_key_file()
            .agent_env("JWT_JWKS_URL", &provider.server.url())
            .agent_env("JWT_SYNC_INTERVAL", "3600")
            .agent_env("JWT_TIMEOUT_MS", "80")
            .start();
        let send = |token: &str| edge.send(&Request::get("/").bearer(token)).status;
        eventually("the first keys are there", || (provider.answer(send) == 200).then_some(()));
        provider.server.set(failure);
        let old = Request::get("/").bearer(&token(&stranger, json!({"iat": 1_700_000_000})));
        let new = Request::get("/").bearer(&token(&stranger, json!({})));
        for _ in 0..6 {
            edge.refuses(what, 503, &new);
        }
        edge.refuses(what, 401, &old);
        assert_eq!(provider.answer(send), 200, "{what}: a known key");
    }
}

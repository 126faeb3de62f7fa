//! The token that an AWS load balancer writes into `x-amzn-oidc-data`, through HAProxy and an agent, whose keys are fetched by
//! `kid` from a real server, which may be down.

use std::fs;

use integration_tests::agent::Agent;
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::{Request, Response};
use integration_tests::key_server::{Answer, KeyServer};
use integration_tests::keys::SigningKey;
use integration_tests::load_balancer::{
    ABSENT, ARN, HEADER, NEW, OLD, STRANGER, pages, refused, table, token,
};
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::token::forge_signature;
use integration_tests::wait::eventually;
use tempfile::TempDir;

/// HAProxy and an agent that trusts the load balancer alone, whose keys are at `origin`.
fn edge(origin: &str) -> (Edge, TempDir) {
    let folder = TempDir::with_prefix("load-balancer-").unwrap();
    let file = folder.path().join("jwt-agent.toml");
    fs::write(&file, table(origin)).unwrap();
    let setup = Setup::new(Shipped::Header).no_key_file().haproxy_env("TOKEN_HEADER", HEADER);
    let edge = setup.agent_env("JWT_CONFIG", &file.display().to_string()).start();
    edge.agents.iter().for_each(Agent::wait_ready);
    (edge, folder)
}

fn keys() -> [SigningKey; 2] {
    [OLD, NEW].map(|kid| SigningKey::generate("ES256", kid))
}

fn request(token: &str) -> Request {
    Request::get("/").header(HEADER, token)
}

fn detail(response: &Response) -> &str {
    response.header("www-authenticate").and_then(|text| text.split('"').rev().nth(1)).unwrap_or_default()
}

#[test]
fn a_load_balancers_token_passes_and_no_other_does() {
    let [old, new] = keys();
    let server = KeyServer::start(pages(&[&old, &new]));
    let (edge, _folder) = edge(&server.origin());
    let good = token(&old, OLD, ARN);
    let seen = edge.admits("a good token", &request(&good));
    assert!(seen.header("x-tkn-body").unwrap().contains("alice"), "{seen:?}");
    edge.admits("the next key", &request(&token(&new, NEW, ARN)));
    for (what, token, expected) in refused(&old, &new) {
        let response = edge.refuses(what, 401, &request(&token));
        assert_eq!(detail(&response), expected, "{what}: {response}");
    }
    edge.admits("the good token again", &request(&good));
}

#[test]
fn an_agent_whose_key_server_is_down_at_the_start_has_the_key_soon_after_it_is_up() {
    let [old, _] = keys();
    let place = Address::free_port().unwrap();
    let (edge, _folder) = edge(&format!("http://{place}"));
    let good = request(&token(&old, OLD, ARN));
    edge.refuses("no key can be fetched", 503, &good);
    edge.refuses("a forged one neither", 503, &request(&forge_signature(&token(&old, OLD, ARN))));
    edge.refuses("another load balancer's needs no key", 401, &request(&token(&old, OLD, STRANGER)));
    let server = KeyServer::start_at(&place, pages(&[&old]));
    eventually("the key is there", || match edge.send(&good).status {
        503 => None,
        status => {
            assert_eq!(status, 200);
            Some(())
        }
    });
    assert!(server.fetches() > 0);
    let forged = edge.refuses("forged", 401, &request(&forge_signature(&token(&old, OLD, ARN))));
    assert_eq!(detail(&forged), "signature");
}

#[test]
fn while_the_key_server_is_down_known_keys_are_good_and_no_other_token_is_decided() {
    let [old, new] = keys();
    let server = KeyServer::start(pages(&[&old]));
    let (edge, _folder) = edge(&server.origin());
    let (known, unknown) = (request(&token(&old, OLD, ARN)), request(&token(&new, NEW, ARN)));
    edge.admits("a key that is fetched", &known);
    // A whole fetch of the last one ends after its time limit, so it comes last.
    for answer in [
        Answer::Status(500),
        Answer::Status(429),
        Answer::Close,
        Answer::Body("<html>".to_owned()),
        Answer::Hang,
    ] {
        let what = format!("{answer:?}");
        server.set(answer);
        let before = server.fetches();
        // Early fetches are few: each kind of outage is seen by one of its own.
        eventually(&what, || {
            edge.refuses(&what, 503, &unknown);
            edge.refuses(&what, 503, &request(&token(&old, ABSENT, ARN)));
            edge.admits(&what, &known);
            (server.fetches() > before).then_some(())
        });
        edge.admits(&what, &request(&token(&old, OLD, ARN)));
        let forged = edge.refuses(&what, 401, &request(&forge_signature(&token(&old, OLD, ARN))));
        assert_eq!(detail(&forged), "signature", "{what}");
    }

    server.set(Answer::Status(404));
    let absent = request(&token(&old, ABSENT, ARN));
    eventually("there is no such key", || match edge.send(&absent).status {
        503 => None,
        status => {
            assert_eq!(status, 401);
            Some(())
        }
    });
    assert_eq!(detail(&edge.refuses("no such key", 401, &absent)), "unknown_key");
    edge.admits("a key that is known", &known);

    server.set(pages(&[&old, &new]));
    eventually("the new key is there", || match edge.send(&unknown).status {
        // It may have been absent a moment ago.
        503 | 401 => None,
        status => {
            assert_eq!(status, 200);
            Some(())
        }
    });
    edge.admits("the key from before the outage", &known);
}

//! Bound tokens through `haproxy-dpop.cfg` and real agents: of copies of a proof exactly one passes, whichever agent is asked.

use std::path::Path;
use std::sync::Barrier;
use std::thread;

use integration_tests::edge::Edge;
use integration_tests::haproxy::{Shipped, version};
use integration_tests::http::Request;
use integration_tests::proof::Holder;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::tls_client::{TlsClient, curl};
use serde_json::json;
use tempfile::TempDir;

const URL: &str = "http://edge.test/api";

/// More threads than processors, of which newer versions warn; those have one for each processor.
fn four_threads(text: &str, _: &Path) -> String {
    let threads = if version() < (3, 0) { "    nbthread 4\n" } else { "" };
    text.replacen("global\n", &format!("global\n{threads}"), 1)
}

fn setup() -> Setup {
    Setup::new(Shipped::Dpop).agent_env("JWT_DPOP_REPLAY", "haproxy")
}

fn proved(token: &str, proof: &str) -> Request {
    Request::get("/api").header("Authorization", format!("DPoP {token}")).header("DPoP", proof)
}

#[test]
fn with_two_agents_and_four_threads_one_of_many_copies_passes() {
    const COPIES: usize = 32;
    let edge = setup().two_agents().edit(four_threads).start();
    let client = Holder::new();
    let token = client.token(json!({}));
    let proof = || client.prove(&client.claims(&token, "GET", URL));
    for round in 0..8 {
        let request = proved(&token, &proof());
        let start = Barrier::new(COPIES);
        let mut statuses: Vec<u16> = thread::scope(|scope| {
            let send = || {
                start.wait();
                edge.send(&request).status
            };
            let copies: Vec<_> = (0..COPIES).map(|_| scope.spawn(send)).collect();
            copies.into_iter().map(|copy| copy.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [&[200][..], &[401; COPIES - 1]].concat(), "round {round}");
        let response = edge.refuses("one that comes later", 401, &request);
        let challenge = response.header("www-authenticate").unwrap();
        assert!(
            challenge.starts_with("DPoP ") && challenge.contains("error=\"invalid_dpop_proof\""),
            "{challenge}"
        );
        edge.admits("a new proof", &proved(&token, &proof()));
    }
    assert_eq!(edge.backend.seen().len(), 16);
}

#[test]
fn a_proof_that_is_refused_uses_up_none() {
    let edge = setup().start();
    let (client, thief) = (Holder::new(), Holder::new());
    let token = client.token(json!({}));
    let claims = client.claims(&token, "GET", URL);
    let good = client.prove(&claims);
    edge.refuses("the name of a good proof under another key", 401, &proved(&token, &thief.prove(&claims)));
    edge.refuses("a good proof for another path", 401, &{
        let request = Request::get("/api/other").header("Authorization", format!("DPoP {token}"));
        request.header("DPoP", &good)
    });
    edge.refuses("twice in one request", 401, &proved(&token, &good).header("DPoP", &good));
    edge.admits("the good one", &proved(&token, &good));
    edge.refuses("its copy", 401, &proved(&token, &good));
}

fn folder(edge: &Edge) -> &Path {
    let Address::Unix(path) = edge.address() else { panic!("a socket") };
    path.parent().unwrap()
}

#[test]
fn over_tls_a_token_can_be_bound_to_both_and_each_must_be_proved() {
    let clients = TempDir::with_prefix("clients-").unwrap();
    let [anna, bob] = ["anna", "bob"].map(|name| TlsClient::new(clients.path(), name));
    let client = Holder::new();
    let token = anna.token(json!({"cnf": {"jkt": client.thumbprint(), "x5t#S256": anna.thumbprint()}}));
    let edge = setup().start();
    for version in ["--http1.1", "--http2"] {
        for (who, has_proof, status) in
            [(Some(&anna), true, 200), (Some(&anna), false, 401), (Some(&bob), true, 401), (None, true, 401)]
        {
            let proof = client.prove(&client.claims(&token, "GET", "https://localhost/api"));
            let authorization = format!("DPoP {token}");
            let mut headers = vec![("Authorization", authorization.as_str())];
            if has_proof {
                headers.push(("DPoP", &proof));
            }
            for status in [status, 401] {
                let answer = curl(folder(&edge), who, &headers, &[version]);
                assert_eq!(answer.status, status, "{version}, {who:?}, {has_proof}: {}", answer.head);
            }
        }
    }
    assert!(edge.backend.seen().iter().all(|seen| seen.header("x-tkn-binding") == Some("dpop+mtls")));
    assert_eq!(edge.backend.seen().len(), 2);
}

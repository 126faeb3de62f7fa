//! More connections than a listener has places for, all of them silent: the programs and HAProxy go on beside them.

use std::io::{Read, Write};

use integration_tests::agent::ask;
use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::socket::{Address, Connection};
use integration_tests::spop::haproxy_hello;
use integration_tests::token::token;
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::json;

/// Places of each listener, as docs/METRICS.md tells operators, and some more. Where it takes longer than five seconds to open
/// those of HTTP, the first have been closed for that, and fewer have to go.
const ADMIN: usize = 512 + 8;
const MAIN: usize = 4_096 + 8;
const SPOP: usize = 8_192 + 8;

fn connect(address: &Address) -> Connection {
    let connected = address.connect(DEADLINE);
    connected.unwrap_or_else(|error| panic!("{error}; this test needs some 20,000 open files (ulimit -n)"))
}

fn silent(address: &Address, count: usize) -> Vec<Connection> {
    (0..count).map(|_| connect(address)).collect()
}

/// A request whose token no cache knows.
fn request(subject: &str) -> Request {
    Request::get("/").bearer(&token(key("ES256"), json!({"sub": subject})))
}

fn assert_served(edge: &Edge, subjects: [&str; 2]) {
    for subject in subjects {
        assert_eq!(edge.send(&request(subject)).status, 200, "{subject}");
    }
}

#[test]
fn health_and_metrics_of_an_agent_are_answered_beside_silent_connections() {
    let edge = Setup::denying().start();
    let agent = &edge.agents[0];
    let silent = silent(&agent.admin, ADMIN);
    assert_eq!((agent.admin("/health").status, agent.admin("/metrics").status), (200, 200));
    drop(silent);
}

#[test]
fn checks_and_health_of_a_token_server_are_answered_beside_silent_connections() {
    let edge = Setup::denying().token_server().start();
    let server = edge.token_server.as_ref().unwrap();
    edge.comes_to("all is up", 200, &request("anna"));
    let silent = silent(&server.address, MAIN);
    assert_eq!(ask(&server.address, &Request::get("/health")).status, 200);
    // Its tokens are refused only if the server is asked.
    server.revoke("ben", &json!({"sub": "ben"}));
    assert_eq!(edge.send(&request("ben")).status, 401);
    assert_served(&edge, ["cleo", "dora"]);
    drop(silent);
}

#[test]
fn haproxy_is_answered_beside_connections_that_only_said_hello() {
    let edge = Setup::denying().start();
    let agent = &edge.agents[0];
    edge.comes_to("all is up", 200, &request("anna"));
    let hello = haproxy_hello();
    let mut silent: Vec<Connection> = (0..SPOP)
        .map(|_| {
            let mut stream = connect(&agent.listen);
            stream.write_all(&hello).unwrap();
            stream
        })
        .collect();
    // Those that were asked to go are told; the last is still there.
    let mut head = [0; 4];
    silent.last_mut().unwrap().read_exact(&mut head).unwrap();
    eventually("the oldest had to go", || {
        let open = agent.metric("connections");
        (agent.metric("connections_shed_total") >= 8 && open <= 8_192).then_some(())
    });
    assert_served(&edge, ["cleo", "dora"]);
    assert_eq!((agent.admin("/ready").status, agent.metric("connections_refused_total")), (200, 0));
    drop(silent);
}

//! Parts that are down, frozen, slow, killed: what should not pass does not, and what may pass does again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::keys::key;
use integration_tests::process::Signal;
use integration_tests::setup::Setup;
use integration_tests::steady::{self, Asked};
use integration_tests::token::token;
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::json;

fn good() -> Request {
    Request::get("/").bearer(&token(key("ES256"), json!({})))
}

/// What must not pass, ever: no token, and a token that expired.
fn nothing_bad_passes(edge: &Edge, what: &str) {
    let expired = token(key("ES256"), json!({"exp": 1}));
    for request in [Request::get("/"), Request::get("/").bearer(&expired)] {
        edge.refuses_bytes(what, &[401, 503], &request.to_bytes());
    }
}

fn recovers(edge: &Edge, what: &str) {
    eventually(what, || (edge.send(&good()).status == 200).then_some(()));
    nothing_bad_passes(edge, what);
}

#[test]
fn an_agent_that_is_down_admits_no_request() {
    let edge = Setup::denying().shipped_timeouts().no_agent().start();
    let response = edge.refuses("a good token", 503, &good());
    assert_eq!(response.header("retry-after"), Some("1"));
    edge.haproxy.wait_agents_up(&[("agent1", false), ("agent2", false)]);
    edge.refuses("a good token, the outage being known", 503, &good());
    nothing_bad_passes(&edge, "no agent");
}

#[test]
fn an_agent_that_is_down_is_annotated() {
    let edge = Setup::annotating().shipped_timeouts().no_agent().start();
    let seen = edge.admits("a good token", &good().header("X-Tkn-Valid", "1"));
    assert_eq!(seen.header("x-tkn-valid"), Some("0"));
    assert_eq!(seen.header("x-tkn-reason"), Some("E_BACKEND_UNAVAIL"));
    assert_eq!(seen.header("x-tkn-body"), None);
}

#[test]
fn a_frozen_agent_admits_no_request_and_is_used_again_when_it_thaws() {
    let edge = Setup::denying().shipped_timeouts().start();
    recovers(&edge, "the agent answers");
    edge.agents[0].process.freeze();
    let started = Instant::now();
    edge.refuses("a good token at a frozen agent", 503, &good());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    nothing_bad_passes(&edge, "a frozen agent");
    edge.haproxy.wait_agents_up(&[("agent1", false), ("agent2", false)]);
    edge.refuses("a good token, the outage being known", 503, &good());
    edge.agents[0].process.thaw();
    recovers(&edge, "the agent thawed");
    nothing_bad_passes(&edge, "late answers of the thawed agent");
}

#[test]
fn a_frozen_agent_is_annotated() {
    let edge = Setup::annotating().shipped_timeouts().start();
    edge.agents[0].process.freeze();
    let seen = edge.admits("a good token", &good().header("x-tkn-stateless", "1"));
    assert_eq!(seen.header("x-tkn-valid"), Some("0"));
    assert_eq!(seen.header("x-tkn-reason"), Some("E_BACKEND_UNAVAIL"));
    assert_eq!(seen.header("x-tkn-stateless"), None);
}

#[test]
fn an_agent_killed_in_mid_request_admits_no_request() {
    // With timeouts that do not end the request before the agent is killed.
    let mut edge = Setup::denying().start();
    edge.admits("a good token", &good());
    edge.agents[0].process.freeze();
    let mut client = edge.client();
    client.write(&good().to_bytes()).unwrap();
    eventually("the request is in HAProxy", || {
        (edge.haproxy.stats("show sess").matches("fe=edge ").count() > 0).then_some(())
    });
    edge.agents[0].process.kill();
    assert_eq!(client.response().unwrap().status, 503);
    assert_eq!(edge.backend.seen().len(), 1, "only the request before");
    edge.refuses("a good token after that", 503, &good());
}

#[test]
fn a_killed_agent_leaves_the_work_to_the_other() {
    let mut edge = Setup::denying().two_agents().start();
    recovers(&edge, "the agents answer");
    edge.agents[0].process.kill();
    edge.haproxy.wait_agents_up(&[("agent1", false), ("agent2", true)]);
    recovers(&edge, "the other agent answers");
    for _ in 0..50 {
        edge.admits("a good token", &good());
    }
    nothing_bad_passes(&edge, "one agent");
}

#[test]
fn a_frozen_agent_leaves_the_work_to_the_other() {
    let edge = Setup::denying().short_timeouts().two_agents().start();
    recovers(&edge, "the agents answer");
    edge.agents[1].process.freeze();
    for _ in 0..10 {
        // Until the outage is known a request may be lost, but it may not pass undecided.
        nothing_bad_passes(&edge, "one frozen agent");
    }
    edge.haproxy.wait_agents_up(&[("agent1", true), ("agent2", false)]);
    recovers(&edge, "the other agent answers");
    for _ in 0..50 {
        edge.admits("a good token", &good());
    }
    edge.agents[1].process.thaw();
    edge.haproxy.wait_agents_up(&[("agent1", true), ("agent2", true)]);
    recovers(&edge, "both answer");
}

/// Clients that ask at the same time.
const CLIENTS: usize = 4;

/// Answers to good requests that clients send without a pause while `event` happens, counted by status.
fn under_load(edge: &Edge, event: impl FnOnce(&Asked)) -> BTreeMap<u16, usize> {
    let request = good().to_bytes();
    steady::during(CLIENTS, || edge.exchange(&request).map_or(0, |response| response.status), event)
}

#[test]
fn agents_that_are_restarted_in_turn_lose_no_request() {
    let mut edge = Setup::denying().two_agents().start();
    edge.haproxy.wait_agents_up(&[("agent1", true), ("agent2", true)]);
    let mut agents = std::mem::take(&mut edge.agents);
    let answers = under_load(&edge, |asked| {
        for agent in &mut agents {
            agent.process.signal(Signal::TERM);
            let ended = agent.process.wait(DEADLINE);
            assert!(ended.is_some_and(|status| status.success()), "{ended:?}: {}", agent.process.log());
            asked.go_on("requests at the other agent");
            agent.restart();
            agent.wait_ready();
            edge.haproxy.wait_agents_up(&[("agent1", true), ("agent2", true)]);
        }
    });
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), [200], "{answers:?}");
}

#[test]
fn an_agent_that_is_killed_under_load_costs_no_more_than_what_it_was_asked() {
    let mut edge = Setup::denying().two_agents().start();
    edge.haproxy.wait_agents_up(&[("agent1", true), ("agent2", true)]);
    let mut victim = edge.agents.remove(0);
    let answers = under_load(&edge, |asked| {
        victim.process.kill();
        asked.go_on("requests at the other agent");
        edge.haproxy.wait_agents_up(&[("agent1", false), ("agent2", true)]);
    });
    // HAProxy asks once more, but perhaps over a connection whose end it has not seen yet.
    let (passed, lost) = (answers.get(&200).copied(), answers.get(&503).copied().unwrap_or(0));
    assert_eq!(passed.map(|passed| passed + lost), Some(answers.values().sum()), "{answers:?}");
    assert!(lost <= 4 * CLIENTS, "{answers:?}");
}

#[test]
fn when_all_agents_are_killed_no_request_waits_for_one_to_come_back() {
    const CROWD: usize = 48;
    let mut edge = Setup::denying().two_agents().short_timeouts().start();
    let mut agents = std::mem::take(&mut edge.agents);
    let request = good().to_bytes();
    let ask = || edge.exchange(&request).map_or(0, |response| response.status);
    for _ in 0..2 {
        edge.haproxy.wait_agents_up(&[("agent1", true), ("agent2", true)]);
        let answers = steady::during(CROWD, ask, |asked| {
            agents.iter_mut().for_each(|agent| agent.process.kill());
            asked.go_on("requests are refused");
        });
        assert_eq!(answers.keys().copied().collect::<Vec<_>>(), [200, 503], "{answers:?}");
        for agent in &mut agents {
            agent.restart();
            agent.wait_ready();
        }
    }
}

#[test]
fn an_agent_over_tcp_serves_alike() {
    let mut edge = Setup::denying().over_tcp().start();
    edge.admits("a good token", &good());
    nothing_bad_passes(&edge, "over TCP");
    edge.agents[0].process.kill();
    edge.refuses("a good token at a killed agent", 503, &good());
}

#[test]
fn a_late_answer_admits_neither_its_request_nor_the_next() {
    // The agent waits longer for the frozen token-server than HAProxy waits for the agent.
    let edge = Setup::denying().shipped_timeouts().agent_env("JWT_TIMEOUT_MS", "1000").token_server().start();
    recovers(&edge, "all answer");
    let server = &edge.token_server.as_ref().unwrap().process;
    server.freeze();
    for _ in 0..3 {
        edge.refuses("a good token", 503, &good());
    }
    server.thaw();
    // The answers to the three arrive now, or have arrived.
    for _ in 0..20 {
        nothing_bad_passes(&edge, "late answers");
    }
    recovers(&edge, "all answer again");
}

#[test]
fn a_token_server_that_is_down_admits_no_request() {
    for shipped_timeouts in [true, false] {
        let setup = Setup::denying().token_server();
        let setup = if shipped_timeouts { setup.shipped_timeouts() } else { setup };
        let mut edge = setup.start();
        recovers(&edge, "all answer");
        edge.token_server.as_mut().unwrap().process.kill();
        edge.refuses("a good token", 503, &good());
        nothing_bad_passes(&edge, "no token-server");
    }
}

#[test]
fn a_hung_token_server_admits_no_request_and_holds_none_up() {
    let edge = Setup::denying().shipped_timeouts().token_server().start();
    recovers(&edge, "all answer");
    let server = &edge.token_server.as_ref().unwrap().process;
    server.freeze();
    for _ in 0..5 {
        let started = Instant::now();
        edge.refuses("a good token", 503, &good());
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
    nothing_bad_passes(&edge, "a hung token-server");
    server.thaw();
    recovers(&edge, "all answer again");
}

#[test]
fn an_outage_of_the_token_server_is_annotated() {
    let mut edge = Setup::annotating().token_server().start();
    let stateless = token(key("HS256"), json!({"username": "alice", "st": 1}));
    let request =
        Request::get("/").header("Authorization", format!("JWT {stateless}")).header("x-tkn-valid", "1");
    eventually("all answer", || {
        (edge.admits("ok", &request).header("x-tkn-valid") == Some("1")).then_some(())
    });
    edge.token_server.as_mut().unwrap().process.kill();
    let seen = eventually("what it said holds no longer", || {
        Some(edge.admits("no token-server", &request)).filter(|seen| seen.header("x-tkn-valid") == Some("0"))
    });
    assert_eq!(seen.header("x-tkn-reason"), Some("E_BACKEND_UNAVAIL"));
    assert_eq!(seen.header("x-tkn-body"), None);
}

//! Streams that stay open end when a request with the same token would be refused, and no other stream does. The application
//! sends back what it is sent, so that a stream which is open shows it.

use std::fs;
use std::io::ErrorKind;

use integration_tests::backend::WEBSOCKET_KEY;
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::{Client, Request};
use integration_tests::keys::{jwks, key};
use integration_tests::process::Signal;
use integration_tests::setup::Setup;
use integration_tests::token::{now, token};
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::{Value, json};

fn setup() -> Setup {
    Setup::new(Shipped::Streams).ends_streams()
}

/// A WebSocket, from its client's side.
struct Open(Client);

impl Open {
    fn new(edge: &Edge, token: &str) -> Self {
        Self::at(edge, "/live", token)
    }

    fn at(edge: &Edge, path: &str, token: &str) -> Self {
        let request = Request::get(path)
            .bearer(token)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", WEBSOCKET_KEY);
        let mut client = edge.client();
        client.write(&request.to_bytes()).unwrap();
        let response = client.response().unwrap();
        assert_eq!(response.status, 101, "{response}");
        Self(client)
    }

    fn of(edge: &Edge, claims: Value) -> Self {
        Self::new(edge, &token(key("ES256"), claims))
    }

    fn is_open(&mut self, what: &str) {
        let mut back = [0; 4];
        self.0.write(b"ping").unwrap_or_else(|error| panic!("{what}: {error}"));
        self.0.read_exact(&mut back).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(&back, b"ping", "{what}");
    }

    /// Waits until the other side ends it.
    fn ends(&mut self, what: &str) {
        let end = self.0.read_exact(&mut [0; 1]).expect_err(what).kind();
        assert!(
            !matches!(end, ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "{what}: open after {DEADLINE:?}"
        );
    }
}

/// Waits until the agent remembers so many.
fn remembered(edge: &Edge, count: u64) {
    eventually(&format!("{count} streams are remembered"), || {
        (edge.count("jwt_agent_streams_open") == count).then_some(())
    });
}

fn ended(edge: &Edge, cause: &str) -> u64 {
    edge.count(&format!("jwt_agent_streams_ended_total{{cause=\"{cause}\"}}"))
}

/// Waits until so many are counted as ended for this.
fn counted(edge: &Edge, cause: &str, count: u64) {
    eventually(&format!("{count} are counted as {cause}"), || (ended(edge, cause) == count).then_some(()));
}

#[test]
fn a_rule_ends_the_streams_of_its_subject_and_neither_newer_ones_nor_others() {
    let edge = setup().token_server().start();
    let (before, after) = (now() - 60, now());
    let mut old = [0, 1].map(|_| Open::of(&edge, json!({"sub": "ann", "iat": before})));
    let mut new = Open::of(&edge, json!({"sub": "ann", "iat": after}));
    let mut other = Open::of(&edge, json!({"sub": "bob", "iat": before}));
    remembered(&edge, 4);
    edge.token_server.as_ref().unwrap().revoke("ann", &json!({"iat": {"lt": after}}));
    old.iter_mut().for_each(|stream| stream.ends("the rule is for it"));
    counted(&edge, "revoked", 2);
    remembered(&edge, 2);
    new.is_open("newer than the rule");
    other.is_open("of another subject");
    // Had the rule ended too much, that would be counted by now.
    edge.token_server.as_ref().unwrap().revoke("bob", &json!({"sub": "bob"}));
    other.ends("a rule of its own");
    new.is_open("newer than the rule, still");
    counted(&edge, "revoked", 3);
}

#[test]
fn a_rule_for_everybody_ends_every_stream_that_it_is_for() {
    const EACH: usize = 100;
    let edge = setup().token_server().start();
    let open = |device: &str| -> Vec<Open> {
        (0..EACH).map(|n| Open::of(&edge, json!({"sub": format!("user{n}"), "device": device}))).collect()
    };
    let (mut stolen, mut kept) = (open("stolen"), open("kept"));
    remembered(&edge, 2 * EACH as u64);
    edge.token_server.as_ref().unwrap().revoke_for_everybody(&json!({"device": "stolen"}));
    stolen.iter_mut().for_each(|stream| stream.ends("the rule is for it"));
    counted(&edge, "revoked", EACH as u64);
    kept.iter_mut().for_each(|stream| stream.is_open("another device"));
    remembered(&edge, EACH as u64);
}

/// By the agent alone: HAProxy's own timeout for silence, which is due in the same moment, is left out.
#[test]
fn a_stream_ends_when_its_token_expires() {
    let edge = setup().change("    http-request set-timeout tunnel ", "    # ").start();
    let end = now() + 2;
    let mut ends = Open::of(&edge, json!({"exp": end}));
    let mut stays = Open::of(&edge, json!({}));
    remembered(&edge, 2);
    ends.is_open("before its end");
    ends.ends("its token is over");
    assert!(now() >= end, "not sooner");
    counted(&edge, "expired", 1);
    stays.is_open("its token is not over");
}

/// With no agent to end it: HAProxy's own timeout, which the agent's answer has set, ends a stream on which nothing is said.
#[test]
fn a_silent_stream_ends_with_its_token_although_its_agent_has_died() {
    for (setup, path) in [
        (setup(), "/live"),
        (Setup::new(Shipped::Streams), "/live"),
        (Setup::new(Shipped::StreamsBackend), "/api/live"),
    ] {
        let mut edge = setup.start();
        let end = now() + 3;
        let mut ends = Open::at(&edge, path, &token(key("ES256"), json!({"exp": end})));
        let mut lasts = Open::at(&edge, path, &token(key("ES256"), json!({"exp": end + 3_000})));
        let mut endless = Open::at(&edge, path, &token(key("ES256"), json!({"exp": end + 300_000})));
        edge.agents[0].process.kill();
        ends.is_open("before its end");
        ends.ends("its token is over");
        assert!(now() >= end, "not sooner");
        lasts.is_open("its token is not over");
        endless.is_open("its token is longer than any timeout");
    }
}

/// What is told of an agent that begins anew: it knows of what opens from then on.
#[test]
fn an_agent_that_begins_anew_ends_new_streams_and_no_former_ones() {
    let mut edge = setup().token_server().start();
    let mut former = Open::of(&edge, json!({"sub": "ann"}));
    remembered(&edge, 1);
    edge.agents[0].process.kill();
    edge.agents[0].restart();
    edge.comes_to("requests pass", 200, &Request::get("/").bearer(&token(key("ES256"), json!({}))));
    let mut new = Open::of(&edge, json!({"sub": "ann"}));
    remembered(&edge, 1);
    edge.token_server.as_ref().unwrap().revoke("ann", &json!({"sub": "ann"}));
    new.ends("the agent knows of it");
    former.is_open("nothing tells the agent of it");
}

#[test]
fn a_key_that_is_gone_takes_its_streams_with_it() {
    let edge = setup().start();
    let mut gone = Open::of(&edge, json!({"sub": "ann"}));
    let mut stays = Open::new(&edge, &token(key("RS256"), json!({"sub": "bob"})));
    remembered(&edge, 2);
    edge.replace_keys(&jwks([key("RS256")]));
    gone.ends("its key is gone");
    stays.is_open("its key is there");
    remembered(&edge, 1);
}

#[test]
fn a_policy_that_changes_ends_what_it_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agent.toml");
    let audiences = |names: &str| fs::write(&file, format!("JWT_AUDIENCES = [{names}]\n")).unwrap();
    audiences(r#""web", "old""#);
    let edge = setup().agent_env("JWT_CONFIG", &file.display().to_string()).start();
    let [mut old, mut web] = ["old", "web"].map(|audience| Open::of(&edge, json!({"aud": audience})));
    remembered(&edge, 2);
    audiences(r#""web""#);
    edge.agents[0].process.signal(Signal::HUP);
    old.ends("its audience is gone");
    counted(&edge, "audience", 1);
    web.is_open("its audience is there");
}

#[test]
fn streams_outlast_a_token_server_unless_they_have_a_grace() {
    for grace in [None, Some("1")] {
        let setup = setup().token_server().agent_env("JWT_CACHE_TTL", "1");
        let setup = match grace {
            None => setup,
            Some(grace) => setup.agent_env("JWT_STREAMS_GRACE", grace),
        };
        let mut edge = setup.start();
        let mut stream = Open::of(&edge, json!({"sub": "ann"}));
        remembered(&edge, 1);
        edge.token_server.as_mut().unwrap().process.kill();
        // By then nothing that was said before counts.
        edge.comes_to(
            "nothing can be decided",
            503,
            &Request::get("/").bearer(&token(key("ES256"), json!({"sub": "ann"}))),
        );
        match grace {
            None => stream.is_open("without a grace"),
            Some(_) => {
                stream.ends("after its grace");
                counted(&edge, "lease", 1);
            }
        }
    }
}

#[test]
fn an_agent_that_stops_ends_its_streams_where_they_have_a_grace() {
    for (grace, ends) in [(None, false), (Some("60"), true)] {
        let setup = grace.map_or_else(setup, |grace| setup().agent_env("JWT_STREAMS_GRACE", grace));
        let mut edge = setup.start();
        let mut stream = Open::of(&edge, json!({}));
        remembered(&edge, 1);
        edge.agents[0].process.signal(Signal::TERM);
        assert!(edge.agents[0].process.wait(DEADLINE).is_some(), "it stops");
        if ends {
            stream.ends("the agent has stopped");
        } else {
            stream.is_open("the agent has stopped");
        }
    }
}

#[test]
fn more_streams_than_may_be_remembered_are_let_in_and_counted() {
    let edge = setup().token_server().agent_env("JWT_STREAMS_SIZE", "1").start();
    let mut first = Open::of(&edge, json!({"sub": "ann"}));
    remembered(&edge, 1);
    let mut second = Open::of(&edge, json!({"sub": "ann"}));
    eventually("it is counted", || {
        (edge.count("jwt_agent_streams_untracked_total{reason=\"full\"}") == 1).then_some(())
    });
    edge.token_server.as_ref().unwrap().revoke("ann", &json!({"sub": "ann"}));
    first.ends("it is remembered");
    second.is_open("it is not");
    // There is room again, as soon as HAProxy has said that it has ended.
    remembered(&edge, 0);
    let mut third = Open::of(&edge, json!({"sub": "bob"}));
    remembered(&edge, 1);
    edge.token_server.as_ref().unwrap().revoke("bob", &json!({"sub": "bob"}));
    third.ends("it is remembered");
}

#[test]
fn a_stream_that_haproxy_still_has_is_told_of_as_remaining_until_it_is_closed() {
    let edge = setup().token_server().start();
    let mut stream = Open::at(&edge, "/stays", &token(key("ES256"), json!({"sub": "ann"})));
    remembered(&edge, 1);
    stream.0.half_close().unwrap();
    stream.0.read_exact(&mut [0; 1]).expect("the application goes on");
    edge.token_server.as_ref().unwrap().revoke("ann", &json!({"sub": "ann"}));
    counted(&edge, "revoked", 1);
    let remain = |count| {
        let counts = || edge.count("jwt_agent_streams_remaining") == count;
        eventually(&format!("{count} remain"), || counts().then_some(()));
    };
    remain(1);
    stream.0.read_exact(&mut [0; 1]).expect("HAProxy does not end it");
    drop(stream);
    remain(0);
    remembered(&edge, 0);
    assert_eq!((ended(&edge, "revoked"), edge.count("jwt_agent_streams_gone_total")), (1, 0));
}

#[test]
fn a_stream_that_ends_by_itself_is_forgotten_and_one_that_is_refused_is_none() {
    // With no more room than that it is looked for them soon.
    let edge = setup().agent_env("JWT_STREAMS_SIZE", "2").start();
    let mut stays = Open::of(&edge, json!({}));
    let leaves = Open::of(&edge, json!({}));
    remembered(&edge, 2);
    let upgrade = Request::get("/live").header("Upgrade", "websocket").bearer("a.b.c");
    assert_eq!(edge.send(&upgrade).status, 401);
    drop(leaves);
    remembered(&edge, 1);
    assert_eq!(edge.count("jwt_agent_streams_gone_total"), 1);
    stays.is_open("nothing has ended it");
}

#[test]
fn a_request_whose_answer_is_short_is_not_remembered() {
    let edge = setup().start();
    edge.admits("a short answer", &Request::get("/").bearer(&token(key("ES256"), json!({}))));
    let mut stream = Open::of(&edge, json!({}));
    remembered(&edge, 1);
    stream.is_open("open");
    assert_eq!(edge.count("jwt_agent_streams_untracked_total"), 0);
}

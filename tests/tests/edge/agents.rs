//! With agents that write the maps: what comes often is answered by HAProxy, and whatever ends a verdict ends it there.

use std::fs;

use integration_tests::keys::jwks;
use integration_tests::process::Signal;
use integration_tests::token::now;
use tempfile::TempDir;

use super::*;

const DECISIONS: &str = "jwt_agent_decisions_total";

fn kept(shipped: Shipped) -> Setup {
    setup(shipped).kept_by_agents()
}

fn of(changes: serde_json::Value) -> Request {
    Request::get("/api/users").bearer(&token(signing_key("ES256"), changes))
}

/// It was refused once, and is refused from then on, by HAProxy and by each agent.
fn stays_refused(edge: &Edge, what: &str, request: &Request) {
    eventually(what, || (edge.send(request).status != 200).then_some(()));
    for _ in 0..50 {
        edge.refuses_bytes(what, &[401, 403, 503], &request.to_bytes()).unwrap();
    }
}

#[test]
fn a_token_that_comes_often_is_answered_by_haproxy_and_one_that_does_not_is_asked_about() {
    let edge = kept(Shipped::EdgeDenying).start();
    let (often, once) = (of(json!({})), || of(json!({"sub": "bob"})));
    let asked = edge.admits("asked about", &often);
    answers_by_itself(&edge, "often", &often);
    assert!(edge.count(DECISIONS) >= 3, "it was asked about until it came often");
    let seen = edge.admits("answered", &often);
    assert_eq!(seen.headers, asked.headers);
    eventually("HAProxy answers many in a row", || {
        let before = edge.count(DECISIONS);
        let by_itself = |_| source(&edge.send(&often)) == Some("edge");
        ((0..50).all(by_itself) && edge.count(DECISIONS) == before).then_some(())
    });
    for _ in 0..5 {
        let response = edge.send(&once());
        assert_eq!((response.status, source(&response)), (200, Some("agent")));
    }
    let forged = Request::get("/x").bearer(&refused_token());
    (0..10).for_each(|_| asks_the_agent(&edge, "a bad token", &forged));
    let refused = edge.refuses("a bad token", 401, &forged);
    assert!(refused.header("www-authenticate").unwrap().contains("signature"), "{refused}");
}

#[test]
fn a_rule_ends_the_verdicts_of_its_subject_and_no_others() {
    let edge = kept(Shipped::EdgeDenying).token_server().start();
    let server = edge.token_server.as_ref().unwrap();
    let [alices, bobs] = ["alice", "bob"].map(|sub| of(json!({"sub": sub, "iat": now() - 10})));
    for request in [&alices, &bobs] {
        answers_by_itself(&edge, "before", request);
    }
    let bobs_entry = eventually("both are there", || {
        let entries = edge.kept.entries();
        (entries.len() >= 2).then_some(entries)
    });
    server.revoke("alice", &json!({"iat": {"lt": now() - 5}}));
    stays_refused(&edge, "alice's token", &alices);
    answers_by_itself(&edge, "bob's token", &bobs);
    let left = edge.kept.entries();
    assert!(left.iter().all(|entry| bobs_entry.contains(entry)) && !left.is_empty(), "{left:?}");
    server.restore("alice");
    edge.comes_to("alice's token again", 200, &alices);
    server.revoke_for_everybody(&json!({"iat": {"lt": now() - 5}}));
    stays_refused(&edge, "alice's token", &alices);
    stays_refused(&edge, "bob's token", &bobs);
}

/// Two agents may write one token at the same time, and HAProxy 3.4 deletes only the first of two entries.
#[test]
fn a_rule_ends_the_entry_of_another_agent_that_does_not_hear_of_it() {
    let edge = kept(Shipped::EdgeDenying).token_server().start();
    let _held = edge.kept.hold(NAME);
    let good = token(signing_key("ES256"), json!({"sub": "alice", "iat": now() - 10}));
    let (bearer, request) = (format!("Bearer {good}"), Request::get("/x").bearer(&good));
    let key = key(&bearer, LAYOUT, "");
    for _ in 0..2 {
        edge.kept.add(&key, &good_entry());
    }
    answers_by_itself(&edge, "two entries", &request);
    edge.kept.delete(&key);
    if version() >= (3, 4) {
        answers_by_itself(&edge, "the second of two", &request);
        edge.kept.delete(&key);
    }
    assert_eq!(edge.kept.entries(), [""; 0]);

    // Behind the agent's own stand two of another agent's.
    answers_by_itself(&edge, "the agent's own", &request);
    edge.kept.add(&key, &good_entry());
    edge.kept.add(&key, &good_entry());
    assert_eq!(edge.kept.entries().len(), 3);
    let server = edge.token_server.as_ref().unwrap();
    server.revoke("alice", &json!({"iat": {"lt": now() - 5}}));
    stays_refused(&edge, "a revoked token", &request);
}

#[test]
fn a_token_is_refused_from_its_end_on() {
    let edge = kept(Shipped::EdgeDenying).start();
    let end = now() + 5;
    let request = of(json!({ "exp": end }));
    answers_by_itself(&edge, "before its end", &request);
    eventually("its end", || {
        let sent = now_ms();
        let response = edge.send(&request);
        assert!(response.status == 401 || sent < end * 1000, "{sent} of {end}: {response}");
        (response.status == 401).then_some(())
    });
    stays_refused(&edge, "after its end", &request);
}

#[test]
fn a_token_is_refused_by_haproxy_too_once_its_login_is_too_old() {
    let edge = kept(Shipped::EdgeDenying).agent_env("JWT_MAX_AGE", "300").start();
    let login = now() - 295;
    let request = of(json!({ "auth_time": login }));
    answers_by_itself(&edge, "a young login", &request);
    let refused = eventually("its end", || {
        let sent = now_ms();
        let response = edge.send(&request);
        assert!(response.status == 401 || sent < (login + 300) * 1000, "{sent} of {login}: {response}");
        (response.status == 401).then_some(response)
    });
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.ends_with(r#"error_description="auth_time", max_age="300""#), "{challenge}");
    stays_refused(&edge, "after its end", &request);
}

#[test]
fn a_key_that_is_removed_ends_its_verdicts() {
    let edge = kept(Shipped::EdgeDenying).start();
    let (request, other) =
        (of(json!({})), Request::get("/x").bearer(&token(signing_key("EdDSA"), json!({}))));
    answers_by_itself(&edge, "while the key is there", &request);
    edge.replace_keys(&jwks([signing_key("EdDSA")]));
    stays_refused(&edge, "the key is gone", &request);
    answers_by_itself(&edge, "another key", &other);
}

#[test]
fn another_configuration_ends_the_verdicts_of_the_one_before() {
    let folder = TempDir::with_prefix("edge-reload-").unwrap();
    let file = folder.path().join("agent.toml");
    let write = |audience: &str| fs::write(&file, format!("JWT_AUDIENCES = [\"{audience}\"]\n")).unwrap();
    write("api");
    let setup = kept(Shipped::EdgeDenying).agent_env("JWT_CONFIG", &file.display().to_string());
    let edge = setup.start();
    let [request, other] = ["api", "other"].map(|audience| of(json!({ "aud": audience })));
    answers_by_itself(&edge, "its audience", &request);
    edge.refuses("another audience", 401, &other);
    write("other");
    edge.agents[0].process.signal(Signal::HUP);
    stays_refused(&edge, "an audience of before", &request);
    answers_by_itself(&edge, "the audience of now", &other);
}

#[test]
fn a_verdict_by_one_policy_is_none_by_another() {
    let (setup, _folder) = asked::routes("all_scopes = [\"write\"]\n");
    let edge = setup.kept_by_agents().start();
    let [reads, writes] =
        ["read", "read write"].map(|scope| token(signing_key("ES256"), json!({ "scope": scope })));
    let get = |path: &str, token: &str| Request::get(path).bearer(token);
    answers_by_itself(&edge, "a route of the policy", &get("/api/users", &reads));
    answers_by_itself(&edge, "the strict route", &get("/admin", &writes));
    for _ in 0..10 {
        let response = edge.refuses("a route of another policy", 403, &get("/admin", &reads));
        assert_eq!(source(&response), Some("agent"));
    }
    answers_by_itself(&edge, "a route of the policy, still", &get("/api/users", &reads));
}

#[test]
fn what_an_agent_has_written_ends_with_it() {
    let mut edge = kept(Shipped::EdgeDenying).shipped_timeouts().start();
    let request = of(json!({}));
    answers_by_itself(&edge, "a living agent", &request);
    edge.agents[0].process.freeze();
    edge.comes_to("a frozen agent", 503, &request);
    edge.agents[0].process.thaw();
    answers_by_itself(&edge, "a thawed agent", &request);
    let before = edge.kept.entries();
    edge.agents[0].process.kill();
    edge.comes_to("a dead agent", 503, &request);
    edge.agents[0].restart();
    answers_by_itself(&edge, "another agent in its place", &request);
    let after = edge.kept.entries();
    assert!(after.iter().all(|entry| !before.contains(entry)), "{before:?} {after:?}");
}

#[test]
fn of_two_agents_one_may_die_and_no_request_is_refused() {
    let mut edge = kept(Shipped::EdgeDenying).two_agents().start();
    let requests = ["alice", "bob", "carol", "dave"].map(|sub| of(json!({ "sub": sub })));
    for request in &requests {
        answers_by_itself(&edge, "both agents", request);
    }
    edge.agents[1].process.kill();
    edge.haproxy.wait_agents_up(&[("agent1", true), ("agent2", false)]);
    for request in requests.iter().cycle().take(200) {
        edge.admits("one agent", request);
    }
    for request in &requests {
        answers_by_itself(&edge, "one agent", request);
    }
}

/// What is told twice is the same: once by the agent, once from the map that the agent wrote.
#[test]
fn an_agent_writes_the_variables_of_its_answers_byte_for_byte() {
    let variables = format!("challenge,detail,{}", same_variables::layout().join(","));
    let setup = Setup::new(Shipped::EdgeDenying).edit(same_variables::with_claims).kept_by_agents();
    let edge = setup.agent_env("JWT_VARIABLES", &variables).start();
    for payload in same_variables::payloads() {
        let request = Request::get("/x").header("Authorization", same_variables::bearer(&payload));
        let told = edge.send(&request);
        assert_eq!((told.status, source(&told)), (200, Some("agent")), "{payload}: {told}");
        let kept = eventually("often", || {
            let response = edge.send(&request);
            (source(&response) == Some("edge")).then_some(response)
        });
        assert_eq!(same_variables::variables(&kept), same_variables::variables(&told), "{payload}: {kept}");
    }
}

#[test]
fn a_token_that_haproxy_could_not_give_back_is_asked_about_each_time() {
    let variables = format!("challenge,detail,{}", same_variables::layout().join(","));
    let setup = Setup::new(Shipped::EdgeDenying).edit(same_variables::with_claims).kept_by_agents();
    let edge = setup.agent_env("JWT_VARIABLES", &variables).start();
    for (what, members) in [
        ("a NUL", r#""odd":"a\u0000b""#.to_owned()),
        ("what is long once it is encoded", format!(r#""long":"{}""#, "%".repeat(1_000))),
    ] {
        let before = edge.count("jwt_agent_edge_left_out");
        let request = Request::get("/x").header("Authorization", same_variables::bearer(&members));
        eventually("it is left out", || {
            let response = edge.send(&request);
            assert_eq!((response.status, source(&response)), (200, Some("agent")), "{what}: {response}");
            (edge.count("jwt_agent_edge_left_out") > before).then_some(())
        });
        let response = edge.send(&request);
        assert_eq!(source(&response), Some("agent"), "{what}");
        if what == "a NUL" {
            let odd = same_variables::bytes(&response, same_variables::place("payload.odd"));
            assert_eq!(odd.as_deref(), Some(&b"a\0b"[..]));
        }
    }
    let plain = Request::get("/x").header("Authorization", same_variables::bearer(r#""odd":"ab""#));
    answers_by_itself(&edge, "another token", &plain);
}

/// Nothing but the file is told to the agent.
#[test]
fn the_file_tells_an_agent_all_that_it_needs() {
    for shipped in Shipped::EDGES {
        let setup = Setup::new(shipped).kept_by_agents();
        let edge = setup.agent_env("JWT_VARIABLES", "auto").agents_read_haproxy_cfg().start();
        let scheme = if shipped == Shipped::EdgeAnnotating { "JWT" } else { "Bearer" };
        let claims = json!({"username": "ann", "st": 1});
        let bearer = format!("{scheme} {}", token(signing_key("ES256"), claims));
        let request = Request::get("/api/users").header("Authorization", bearer);
        let asked = edge.admits("asked about", &request);
        eventually("HAProxy answers", || {
            let seen = edge.admits("often", &request);
            assert_eq!(seen.headers, asked.headers, "{shipped:?}");
            let by_itself = |line: &String| line.ends_with(" tkn=ok/ok/-/edge");
            edge.haproxy.process.lines().iter().any(by_itself).then_some(())
        });
    }
}

//! Decisions as they come: what agents tell token-servers of the requests of a real HAProxy, and who reads it.

use std::net::TcpListener;

use integration_tests::agent::ask;
use integration_tests::decisions::Decisions;
use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::keys::key;
use integration_tests::process::Signal;
use integration_tests::setup::Setup;
use integration_tests::token::{now, sign_raw, token};
use integration_tests::token_server::TokenServer;
use integration_tests::wait::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

const ISSUER: &str = "https://id.example";

/// A frontend that tells the token's fingerprint.
const TELLING: &str = "frontend extra\n    mode http\n    timeout client 30s\n    bind \"${EXTRA_BIND}\"\n    \
     filter spoe engine jwt config \"${SPOE_CONF}\"\n    \
     http-after-response set-header x-token-id %[var(txn.tkn.id)]\n    \
     http-request deny status 401 unless { var(txn.tkn.valid) -m bool }\n    \
     default_backend app\n";

fn edge(which: &str) -> Edge {
    let setup = Setup::denying().token_server().extra(TELLING);
    setup.agent_env("JWT_ISSUERS", ISSUER).agent_env("JWT_DECISIONS", which).start()
}

/// Of the server of an edge.
fn server(edge: &Edge) -> &TokenServer {
    edge.token_server.as_ref().unwrap()
}

fn detail<'a>(detail: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |line| line["detail"] == detail
}

/// A token with any `kid` and claims, which is signed with a known key.
fn signed(kid: &str, claims: &Value) -> String {
    let header = json!({"alg": "ES256", "kid": kid}).to_string();
    sign_raw(key("ES256"), &header, &claims.to_string())
}

#[test]
fn a_refusal_is_told_with_its_reason_its_key_and_the_id_that_haproxy_logs() {
    let edge = edge("sample");
    let mut told = server(&edge).decisions(0).unwrap();
    let claims = json!({"iss": ISSUER, "sub": "anna", "exp": now() - 5});
    let expired = signed(&key("ES256").kid, &claims);
    let answer = edge.send_extra(&Request::get("/").bearer(&expired));
    assert_eq!(answer.status, 401);
    let line = told.until("the refusal", detail("expired"));
    let id = answer.header("x-token-id").unwrap();
    for (name, expected) in [
        ("id", json!(id)),
        ("reason", json!("E_TKN_INVALID")),
        ("policy", json!("default")),
        ("issuer", json!(ISSUER)),
        ("kid", json!(key("ES256").kid)),
        ("alg", json!("ES256")),
        ("subject", Value::Null),
    ] {
        assert_eq!(line[name], expected, "{name} in {line}");
    }
    let at = line["at"].as_u64().unwrap() / 1_000;
    assert!(at.abs_diff(now()) < 60, "{line}");
    // One that is accepted is told too, with what its header says.
    let good = token(key("ES256"), json!({"iss": ISSUER, "sub": "anna"}));
    edge.comes_to("a good token passes", 200, &Request::get("/").bearer(&good));
    let line = told.until("the accepted request", detail("ok"));
    assert_eq!(
        (&line["kid"], &line["alg"], &line["subject"]),
        (&json!(key("ES256").kid), &json!("ES256"), &Value::Null)
    );

    let agents = server(&edge).rule_writer();
    let agent = eventually("the agent has reported what it decided", || {
        let agents = agents.get("/v1/agents")?["agents"].take();
        assert_eq!(
            agents.as_array().unwrap().len(),
            1,
            "one that polls and one that reports are one: {agents}"
        );
        let agent = agents[0].clone();
        (agent["totals"]["refused"]["E_TKN_INVALID"] == 1).then_some(agent)
    });
    assert!(agent["name"].as_str().unwrap().contains(':') && agent["ready"] == true, "{agent}");
    assert!(agent["totals"]["accepted"].as_u64().unwrap() >= 1 && agent["lag_ms"].is_u64(), "{agent}");
    let keys = eventually("the agent has told its keys", || {
        agents.get("/v1/keys")?["agents"].as_object()?.values().next().cloned()
    });
    let kids: Vec<&Value> = keys[0]["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    assert!(kids.contains(&&json!(key("ES256").kid)), "{keys}");
}

#[test]
fn what_strangers_write_into_tokens_is_told_as_text_and_subjects_only_where_that_is_asked_for() {
    let hostile = "</script><img src=x onerror=alert(1)>\n\"\u{1b}[31m\u{2028}".repeat(20);
    let claims = |iss: &str, sub: &str| json!({"iss": iss, "sub": sub, "exp": now() - 5});
    let kid = &key("ES256").kid;
    let tokens = [
        ("expired", signed(kid, &claims(ISSUER, &hostile))),
        ("issuer", signed(kid, &json!({"iss": hostile, "sub": "anna", "exp": now() + 600}))),
        ("unknown_key", signed(&hostile, &claims(ISSUER, "anna"))),
    ];
    for which in ["sample", "full"] {
        let edge = edge(which);
        let mut told = server(&edge).decisions(0).unwrap();
        let mut tell = |number: usize| {
            let (word, token) = &tokens[number];
            edge.refuses(word, 401, &Request::get("/").bearer(token));
            told.until(word, detail(word))
        };
        let (expired, stranger, unknown) = (tell(0), tell(1), tell(2));
        let is_told = |shown: &Value| {
            let shown = shown.as_str().unwrap();
            assert_eq!(shown.chars().count(), 129, "{shown}");
            hostile.starts_with(shown.trim_end_matches('\u{2026}'))
        };
        if which == "full" {
            assert!(is_told(&expired["subject"]), "{expired}");
            assert_eq!(stranger["subject"], "anna", "its signature is good");
        } else {
            assert!(expired.get("subject").is_none() && stranger.get("subject").is_none());
        }
        assert!(is_told(&stranger["issuer"]), "{stranger}");
        let kid = unknown["kid"].as_str().unwrap();
        assert!(kid.len() <= 66 && kid.bytes().all(|byte| byte.is_ascii_graphic()), "{unknown}");
        assert!(unknown.get("subject").is_none(), "no key has signed it: {unknown}");
    }
}

#[test]
fn without_the_setting_nothing_is_told() {
    let edge = Setup::denying().token_server().start();
    edge.refuses("garbage", 401, &Request::get("/").bearer("a.b.c"));
    let agents = server(&edge).rule_writer();
    let agent = eventually("the agent polls", || {
        Some(agents.get("/v1/agents")?["agents"][0].clone()).filter(Value::is_object)
    });
    assert_eq!((&agent["totals"], &agent["last_report_ms"]), (&Value::Null, &Value::Null), "{agent}");
    assert_eq!(edge.count("jwt_agent_decision_reports"), 0);
    assert!(agents.get("/v1/keys").unwrap().get("agents").is_none());
}

#[test]
fn readers_need_a_role_are_few_and_end_with_the_server() {
    let folder = TempDir::with_prefix("decisions-").unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, "rita read token-of-rita-0000\n").unwrap();
    let setting = ("TOKEN_SERVER__ADMIN__TOKENS_FILE", tokens.to_str().unwrap());
    let mut server = TokenServer::start_with(folder.path(), "standard", &[setting]);
    let open = |bearer| Decisions::open(&server.admin, 0, bearer);
    for bearer in [None, Some("token-of-nobody-0000")] {
        assert_eq!(open(bearer).err(), Some(401));
    }
    let readers: Vec<Decisions> = (0..16).map(|_| open(Some("token-of-rita-0000")).unwrap()).collect();
    assert_eq!(open(Some("token-of-rita-0000")).err(), Some(429));
    assert_eq!(ask(&server.address, &Request::get("/v1/decisions")).status, 405, "agents only write there");
    server.process.signal(Signal::TERM);
    for reader in readers {
        assert!(!reader.rest().contains("reason"), "nothing was told");
    }
    assert!(server.process.wait(integration_tests::wait::DEADLINE).is_some());
}

#[test]
fn a_token_server_that_hangs_or_is_gone_costs_no_answer_and_what_it_misses_is_counted() {
    let folder = TempDir::with_prefix("decisions-").unwrap();
    let server = TokenServer::start(folder.path(), "standard");
    // Connections are accepted by the system, and nothing answers there.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let urls = format!("{},http://{}", server.url(), hanging.local_addr().unwrap());
    let edge = Setup::denying()
        .agent_env("JWT_TOKEN_SERVER_BACKEND", &urls)
        .agent_env("JWT_DECISIONS", "full")
        .start();
    let untold = || edge.count("jwt_agent_decisions_untold_total{reason=\"server\"}");
    let reports =
        |outcome: &str| edge.count(&format!("jwt_agent_decision_reports_total{{outcome=\"{outcome}\"}}"));
    let expired = |number: u64| token(key("ES256"), json!({"exp": now() - 1, "jti": number.to_string()}));
    let mut told = server.decisions(0).unwrap();
    let mut number = 0;
    let mut refuse = || {
        number += 1;
        edge.refuses("expired", 401, &Request::get("/").bearer(&expired(number)));
    };
    eventually("a report is under way to the server that hangs", || {
        refuse();
        (reports("busy") > 0 && untold() > 0).then_some(())
    });
    told.until("the other server is told", detail("expired"));
    drop(hanging);
    let before = reports("unreachable");
    eventually("the one that is gone is not waited for", || {
        refuse();
        (reports("unreachable") > before).then_some(())
    });
    edge.comes_to(
        "good tokens pass",
        200,
        &Request::get("/").bearer(&token(key("ES256"), json!({"sub": "anna"}))),
    );
    let log = edge.agents[0].process.log();
    assert_eq!(log.matches("does not take this agent's reports").count(), 1, "once for a server: {log}");
    // This server has no bearer tokens of agents, and no page.
    let log = server.process.log();
    assert_eq!(
        log.matches("may tell decisions that no agent has made").count(),
        1,
        "once, not for each: {log}"
    );
}

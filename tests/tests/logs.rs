//! From a line of a proxy's log to our own about the same request, by its name and by the token's fingerprint.

use std::fs;
use std::io::Write;

use integration_tests::agent::ask;
use integration_tests::http::Request;
use integration_tests::keys::{jwks, key};
use integration_tests::process::Signal;
use integration_tests::setup::Setup;
use integration_tests::token::{now, token};
use integration_tests::token_server::TokenServer;
use integration_tests::wait::{DEADLINE, eventually};
use jose::fingerprint;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What docs/OPERATING.md tells an operator to add.
const LOGGING: &str = "frontend extra\n    mode http\n    timeout client 30s\n    bind \"${EXTRA_BIND}\"\n    \
     http-request del-header x-request-id\n    \
     unique-id-format %[uuid()]\n    \
     unique-id-header x-request-id\n    \
     log-format \"%ST request=%ID token=%[var(txn.tkn.id)] tkn=%[var(txn.tkn.detail)]\"\n    \
     filter spoe engine jwt config \"${SPOE_CONF}\"\n    \
     http-request deny status 401 unless { var(txn.tkn.valid) -m bool }\n    \
     default_backend app\n";

/// The end of the arguments of `spoe-jwt.conf`, and the same with the one that docs/OPERATING.md adds.
const ARGUMENTS: &str = "auth_count=req.fhdr_cnt(authorization)\n    event";
const NAMING: &str = "auth_count=req.fhdr_cnt(authorization) request_id=unique-id\n    event";

/// The word after `name=` of a log line.
fn word<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

#[test]
fn a_line_of_haproxys_log_leads_to_the_agents_line_about_the_same_request() {
    let edge = Setup::denying()
        .extra(LOGGING)
        .edit_spoe(ARGUMENTS, NAMING)
        .agent_env("RUST_LOG", "info,jwt_agent=debug")
        .start();
    let good = token(key("ES256"), json!({"sub": "anna"}));
    let expired = token(key("ES256"), json!({"exp": now() - 1}));
    for (token, status, detail) in [(&good, 200, "ok"), (&expired, 401, "expired")] {
        let request = Request::get("/").bearer(token).header("x-request-id", "the client's own");
        assert_eq!(edge.send_extra(&request).status, status);
        let ending = format!("tkn={detail}");
        let line = eventually("haproxy has logged the request", || {
            let lines = edge.haproxy.process.lines();
            lines.into_iter().rfind(|line| line.contains("request=") && line.ends_with(&ending))
        });
        let id = word(&line, "token").unwrap();
        let request_id = word(&line, "request").unwrap();
        assert!(id.len() > 8 && request_id.len() == 36, "{line}");
        if status == 200 {
            let seen = edge.backend.seen();
            assert_eq!(seen.last().unwrap().header("x-request-id"), Some(request_id), "{line}");
        }
        eventually("the agent has logged its decision", || {
            edge.agents[0].process.lines().iter().find_map(|line| {
                let event: Value = serde_json::from_str(line).ok()?;
                let found = event["message"] == "decided" && event["id"] == id && event["detail"] == detail;
                (found && event["request"] == request_id).then_some(())
            })
        });
    }
    // Nothing but the request's name leads to a decision without a token.
    assert_eq!(edge.send_extra(&Request::get("/")).status, 401);
    eventually("both have logged the request without a token", || {
        let lines = edge.haproxy.process.lines();
        let line = lines.into_iter().rfind(|line| line.ends_with("tkn=missing"))?;
        let request_id = word(&line, "request")?.to_owned();
        edge.agents[0].process.lines().iter().find_map(|line| {
            let event: Value = serde_json::from_str(line).ok()?;
            let found = event["request"] == request_id && event["detail"] == "missing";
            (found && event["id"].is_null()).then_some(())
        })
    });
    let logs = edge.haproxy.process.log() + &edge.agents[0].process.log();
    for token in [&good, &expired] {
        for part in token.split('.').skip(1) {
            assert!(!logs.contains(part), "a part of a token is logged");
        }
    }
}

#[test]
fn refusals_stand_in_the_log_at_info_with_what_an_operator_asks_first() {
    let start = |which: &str| {
        Setup::denying()
            .edit_spoe(ARGUMENTS, NAMING)
            .agent_env("RUST_LOG", "info")
            .agent_env("JWT_ISSUERS", "https://id.example")
            .agent_env("JWT_LOG_REFUSALS", which)
            .start()
    };
    let refusals = |edge: &integration_tests::edge::Edge| -> Vec<Value> {
        let events = edge.agents[0].process.lines();
        let events = events.iter().filter_map(|line| serde_json::from_str(line).ok());
        events.filter(|event: &Value| event["message"] == "refused").collect()
    };
    let claims = json!({"iss": "https://id.example", "exp": now() - 1});
    let expired = token(key("ES256"), claims);
    let request = Request::get("/").bearer(&expired);
    let all = start("all");
    let good = token(key("ES256"), json!({"iss": "https://id.example"}));
    assert_eq!(all.send(&Request::get("/").bearer(&good)).status, 200);
    for _ in 0..20 {
        assert_eq!(all.send(&request).status, 401);
    }
    eventually("each is logged", || (refusals(&all).len() == 20).then_some(()));
    let event = &refusals(&all)[7];
    let expected = [
        ("level", json!("INFO")),
        ("reason", json!("E_TKN_INVALID")),
        ("detail", json!("expired")),
        ("policy", json!("default")),
        ("issuer", json!("https://id.example")),
        ("kid", json!("ES256")),
        ("id", json!(fingerprint(&expired))),
    ];
    for (name, value) in expected {
        assert_eq!(event[name], value, "{name} of {event}");
    }
    for part in expired.split('.') {
        assert!(!all.agents[0].process.log().contains(part), "a part of a token is logged");
    }
    let metrics = String::from_utf8(all.agents[0].admin("/metrics").body).unwrap();
    let counted = r#"jwt_agent_decisions_total{reason="E_TKN_INVALID",detail="expired",policy="default",issuer="https://id.example"} 20"#;
    assert!(metrics.contains(counted), "{metrics}");
    let accepted = r#"{reason="ok",detail="ok",policy="default",issuer="https://id.example"} 1"#;
    assert!(metrics.contains(accepted), "{metrics}");
    let off = start("off");
    assert_eq!(off.send(&request).status, 401);
    // What comes later in the log shows that nothing came before it.
    off.agents[0].process.signal(Signal::HUP);
    eventually("the log goes on", || off.agents[0].process.log().contains("SIGHUP").then_some(()));
    assert!(refusals(&off).is_empty());
}

#[test]
fn a_request_that_a_proxy_names_is_found_in_token_servers_log() {
    let folder = TempDir::new().unwrap();
    let keys = folder.path().join("keys");
    fs::write(&keys, jwks([key("ES256")])).unwrap();
    let settings = [
        ("TOKEN_SERVER__JWKS__FILE", keys.to_str().unwrap()),
        ("TOKEN_SERVER__VERIFY__PROXY", "nginx"),
        ("RUST_LOG", "info,token_server=debug"),
    ];
    let server = TokenServer::start_with(folder.path(), "standard", &settings);
    let expired = token(key("ES256"), json!({"exp": now() - 1}));
    let too_long = "r".repeat(129);
    for (name, logged) in [("r-1", json!("r-1")), (too_long.as_str(), Value::Null)] {
        let request = Request::get("/verify").bearer(&expired).header("x-request-id", name);
        eventually("the keys are loaded", || (ask(&server.address, &request).status == 401).then_some(()));
        let event = eventually("token-server has logged its decision", || {
            server.process.lines().iter().find_map(|line| {
                let event: Value = serde_json::from_str(line).ok()?;
                let found = event["message"] == "decided" && event["detail"] == "expired";
                (found && event.get("request").unwrap_or(&Value::Null) == &logged).then_some(event)
            })
        });
        assert_eq!((&event["policy"], &event["reason"]), (&json!("default"), &json!("E_TKN_INVALID")));
        assert_eq!(event["id"], fingerprint(&expired));
    }
    let log = server.process.log();
    assert!(!log.contains(&too_long) && expired.split('.').skip(1).all(|part| !log.contains(part)));
}

#[test]
fn the_end_of_a_connection_is_logged_with_the_peer_that_it_was_with() {
    for over_tcp in [false, true] {
        let setup = Setup::denying();
        let edge = if over_tcp { setup.over_tcp() } else { setup }.start();
        let agent = &edge.agents[0];
        let mut stranger = agent.listen.connect(DEADLINE).unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let span = eventually("the agent has logged the end", || {
            agent.process.lines().iter().find_map(|line| {
                let event: Value = serde_json::from_str(line).ok()?;
                (event["message"] == "connection ended").then(|| event["span"].clone())
            })
        });
        assert_eq!(span["listener"], agent.listen.to_string());
        let peer = span["peer"].as_str().unwrap_or_else(|| panic!("{span}"));
        if over_tcp {
            assert!(peer.starts_with("127.0.0.1:"), "{span}");
        } else {
            assert_eq!(peer, format!("pid {}", std::process::id()));
        }
    }
}

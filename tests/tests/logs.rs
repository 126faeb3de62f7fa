//! From a line of HAProxy's log to the agent's own about the same token, by the token's fingerprint.

use integration_tests::http::Request;
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::token::{now, token};
use integration_tests::wait::eventually;
use serde_json::{Value, json};

/// What docs/OPERATING.md tells an operator to add.
const LOGGING: &str = "frontend extra\n    mode http\n    timeout client 30s\n    bind \"${EXTRA_BIND}\"\n    \
     http-request del-header x-request-id\n    \
     unique-id-format %[uuid()]\n    \
     unique-id-header x-request-id\n    \
     log-format \"%ST request=%ID token=%[var(txn.tkn.id)] tkn=%[var(txn.tkn.detail)]\"\n    \
     filter spoe engine jwt config \"${SPOE_CONF}\"\n    \
     http-request deny status 401 unless { var(txn.tkn.valid) -m bool }\n    \
     default_backend app\n";

/// The word after `name=` of a log line.
fn word<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

#[test]
fn a_line_of_haproxys_log_leads_to_the_agents_line_about_the_same_token() {
    let edge = Setup::denying().extra(LOGGING).agent_env("RUST_LOG", "info,jwt_agent=debug").start();
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
        assert!(id.len() > 8, "{line}");
        if status == 200 {
            let seen = edge.backend.seen();
            assert_eq!(seen.last().unwrap().header("x-request-id"), word(&line, "request"), "{line}");
        }
        eventually("the agent has logged its decision", || {
            edge.agents[0].process.lines().iter().find_map(|line| {
                let event: Value = serde_json::from_str(line).ok()?;
                let found = event["message"] == "decided" && event["id"] == id && event["detail"] == detail;
                found.then_some(())
            })
        });
    }
    let logs = edge.haproxy.process.log() + &edge.agents[0].process.log();
    for token in [&good, &expired] {
        for part in token.split('.').skip(1) {
            assert!(!logs.contains(part), "a part of a token is logged");
        }
    }
}

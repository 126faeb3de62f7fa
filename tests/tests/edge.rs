//! Verdicts inside HAProxy: what an entry of its maps is taken for, and when the agent is asked instead. The tests write the
//! entries themselves, so that they can be wrong.

#[path = "edge/agents.rs"]
mod agents;
#[path = "edge/asked.rs"]
mod asked;
#[path = "edge/files.rs"]
mod files;
#[path = "edge/same_variables.rs"]
mod same_variables;

use std::path::Path;

use integration_tests::edge::Edge;
use integration_tests::haproxy::{Shipped, StatsSocket, version};
use integration_tests::http::{Request, Response};
use integration_tests::kept_verdicts::{entry, key, now_ms};
use integration_tests::keys::key as signing_key;
use integration_tests::setup::Setup;
use integration_tests::token::{forge_signature, token};
use integration_tests::wait::eventually;
use serde_json::json;

/// Under which the tests' leases stand.
const NAME: &str = "1f2e3d4c5b6a79881.0";
const LAYOUT: &str = "body,header,legacy,stateless";
const BODY: &[u8] = br#"{"sub":"kept"}"#;
const HEADER: &[u8] = br#"{"alg":"none"}"#;
const BIND: &str = "    bind \"${EDGE_BIND}\"\n";

/// The shipped file with lines that show who answered, and with a user's lines above ours, which do what a header says.
fn shown(shipped: &str, _: &Path) -> String {
    let mut above = String::new();
    for (header, variable) in [
        ("token", "tkn_token"),
        ("cookie", "tkn_cookie"),
        ("parameter", "tkn_parameter"),
        ("ws-protocol", "tkn_ws_protocol"),
        ("earlier-entry", "tkn_edge"),
        ("earlier-source", "tkn.source"),
    ] {
        let header = format!("req.fhdr(v-{header})");
        above += &format!("    http-request set-var(txn.{variable}) {header} if {{ {header} -m found }}\n");
    }
    above += "    http-request set-var(txn.tkn_token_count) req.fhdr_cnt(v-token-count)\n    \
              http-request set-var(txn.tkn.valid) bool(true) if { req.fhdr(v-earlier-valid) -m found }\n    \
              http-request set-var(txn.tkn.reason) str(ok) if { req.fhdr(v-earlier-valid) -m found }\n";
    let mark = "    # Refusals have the pages";
    assert_eq!((shipped.matches(BIND).count(), shipped.matches(mark).count()), (1, 1));
    let source = "    http-after-response set-header x-source %[var(txn.tkn.source)]\n";
    shipped.replace(BIND, &format!("{BIND}{above}")).replace(mark, &format!("{source}{mark}"))
}

fn setup(shipped: Shipped) -> Setup {
    Setup::new(shipped).edit(shown)
}

/// A token that every agent refuses: only what stands in a map can let it in.
fn refused_token() -> String {
    forge_signature(&token(signing_key("ES256"), json!({})))
}

/// Milliseconds since the epoch, as far from now.
fn from_now(milliseconds: i64) -> String {
    (i64::try_from(now_ms()).unwrap() + milliseconds).to_string()
}

/// An entry that counts, while its lease does.
fn good_entry() -> String {
    entry(now_ms() + 50_000, NAME, &[Some(BODY), Some(HEADER), None, None])
}

fn source(response: &Response) -> Option<&str> {
    response.header("x-source")
}

/// Waits until HAProxy answers by itself: nothing is slow enough to let a lease lapse for long.
fn answers_by_itself(edge: &Edge, what: &str, request: &Request) {
    eventually(what, || {
        let response = edge.send(request);
        (response.status == 200 && source(&response) == Some("edge")).then_some(())
    });
}

/// The agent is asked, and refuses.
fn asks_the_agent(edge: &Edge, what: &str, request: &Request) {
    let before = edge.count("jwt_agent_decisions_total");
    let response = edge.refuses(what, 401, request);
    assert_eq!(source(&response), Some("agent"), "{what}: {response}");
    assert_eq!(edge.count("jwt_agent_decisions_total"), before + 1, "{what}");
}

/// That HAProxy believes its maps is what they are for. So what may write them decides who gets in, like HAProxy's
/// configuration: see SECURITY.md.
#[test]
fn what_may_write_the_maps_decides_who_gets_in() {
    let edge = setup(Shipped::EdgeDenying).start();
    let bearer = format!("Bearer {}", refused_token());
    let request = Request::get("/x").header("Authorization", &bearer);
    asks_the_agent(&edge, "empty maps", &request);
    edge.kept.put(&key(&bearer, LAYOUT, ""), &good_entry());
    asks_the_agent(&edge, "an entry without a lease", &request);
    let held = edge.kept.hold(NAME);
    answers_by_itself(&edge, "an entry with its lease", &request);
    let seen = edge.admits("an entry with its lease", &request);
    assert_eq!(seen.header("x-tkn-valid"), Some("1"));
    assert_eq!(seen.header("x-tkn-reason"), Some("ok"));
    assert_eq!(seen.header("x-tkn-body").map(str::as_bytes), Some(BODY));
    assert_eq!(seen.header("x-tkn-header").map(str::as_bytes), Some(HEADER));
    assert_eq!((seen.header("x-tkn-stateless"), seen.header("x-tkn-legacy")), (None, None));
    edge.kept.clear();
    asks_the_agent(&edge, "maps that are empty again", &request);
    drop(held);
}

/// Which sockets these are: HAProxy 3.2 and older look at no level there, so that a socket for monitoring is enough.
#[test]
fn every_stats_socket_writes_maps_whatever_its_level_until_haproxy_asks_for_admin() {
    const MONITORING: &str = "global\n    stats socket \"${MONITORING}\" mode 600 level user\n";
    let folder = tempfile::TempDir::with_prefix("edge-levels-").unwrap();
    let path = folder.path().join("user.sock");
    let setup = setup(Shipped::EdgeDenying).haproxy_env("MONITORING", &path.display().to_string());
    let edge = setup.extra(MONITORING).start();
    let monitoring = StatsSocket::new(&path);
    for command in ["show servers state", "disable server app/app", "set server app/app state maint"] {
        let answer = monitoring.ask(command);
        assert!(answer.contains("Permission denied") || command.starts_with("show"), "{command}: {answer}");
    }
    let add = edge.kept.adding("KEY", "value");
    let told = [edge.haproxy.stats(&add), monitoring.ask(&add)];
    let taken = edge.kept.entries();
    if version() <= (3, 2) {
        assert_eq!(taken, ["KEY value", "KEY value"], "{told:?}");
    } else if version() >= (3, 4) {
        assert!(told.iter().all(|told| told.contains("Permission denied")), "{told:?}");
        assert_eq!(taken, [""; 0]);
    }
}

/// HAProxy itself lets go of what a dead agent has written.
#[test]
fn with_no_agent_left_a_verdict_counts_until_its_lease_lapses() {
    let edge = setup(Shipped::EdgeDenying).shipped_timeouts().no_agent().start();
    let bearer = format!("Bearer {}", refused_token());
    let request = Request::get("/x").header("Authorization", &bearer);
    edge.refuses("empty maps", 503, &request);
    edge.kept.put(&key(&bearer, LAYOUT, ""), &good_entry());
    let held = edge.kept.hold(NAME);
    answers_by_itself(&edge, "a lease that is renewed", &request);
    drop(held);
    edge.comes_to("a lease that is renewed no more", 503, &request);
    edge.kept.lease(NAME, &from_now(4_000));
    answers_by_itself(&edge, "a lease that is there again", &request);
}

/// The version of a token, which ms-users backends read.
#[test]
fn the_version_of_a_token_comes_from_the_maps_too() {
    let edge = Setup::new(Shipped::EdgeAnnotating).start();
    let _held = edge.kept.hold(NAME);
    let bearer = format!("Bearer {}", refused_token());
    let request = Request::get("/x").header("Authorization", &bearer);
    assert_eq!(edge.admits("asked", &request).header("x-tkn-valid"), Some("0"));
    for (legacy, stateless) in [(Some("1"), None), (None, Some("1")), (None, None)] {
        let fields = [Some(BODY), Some(HEADER), legacy.map(str::as_bytes), stateless.map(str::as_bytes)];
        edge.kept.put(&key(&bearer, LAYOUT, ""), &entry(now_ms() + 50_000, NAME, &fields));
        let seen = eventually("an entry with its lease", || {
            let seen = edge.admits("kept", &request);
            (seen.header("x-tkn-valid") == Some("1")).then_some(seen)
        });
        assert_eq!(seen.header("x-tkn-body").map(str::as_bytes), Some(BODY));
        assert_eq!((seen.header("x-tkn-legacy"), seen.header("x-tkn-stateless")), (legacy, stateless));
    }
}

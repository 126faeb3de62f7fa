//! What `haproxy-dpop.cfg` makes of proofs (RFC 9449) that an agent has accepted: each counts once. A scripted agent names them, since
//! what HAProxy does must not depend on what an agent remembers.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Barrier;
use std::thread;

use integration_tests::agent;
use integration_tests::edge::Edge;
use integration_tests::haproxy::{Shipped, StatsSocket, program, version};
use integration_tests::http::{Request, Response};
use integration_tests::process::Process;
use integration_tests::scripted_agent::Script;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::spop::Value;
use integration_tests::wait::{DEADLINE, eventually};
use tempfile::TempDir;

const PROOF: &str = "0123456789abcdef0123456789abcdef";
const COPY: &str = r#"DPoP error="invalid_dpop_proof", error_description="proof_replayed""#;

fn text(value: &str) -> Value {
    Value::Str(value.to_owned())
}

/// An answer that accepts a token with this binding, and more variables.
fn accepted(binding: &str, more: &[(&'static str, &str)]) -> Script {
    let mut variables: Vec<_> = more.iter().map(|(name, value)| (*name, text(value))).collect();
    variables.extend([("binding", text(binding)), ("reason", text("ok")), ("detail", text("ok"))]);
    variables.push(("valid", Value::Bool(true)));
    Script::Ack(variables)
}

fn proved(proof: &str) -> Script {
    accepted("dpop", &[("proof", proof)])
}

fn setup() -> Setup {
    Setup::new(Shipped::Dpop).scripted(Script::Silence)
}

fn request() -> Request {
    Request::get("/api").header("Authorization", "DPoP a.b.c")
}

fn assert_copy(edge: &Edge, what: &str) {
    let response = edge.refuses(what, 401, &request());
    assert_eq!(response.header("www-authenticate"), Some(COPY), "{what}");
    assert_eq!(response.header("access-control-expose-headers"), Some("WWW-Authenticate"), "{what}");
}

/// More threads than processors, of which newer versions warn; those have one for each processor.
fn four_threads(text: &str, _: &Path) -> String {
    let threads = if version() < (3, 0) { "    nbthread 4\n" } else { "" };
    text.replacen("global\n", &format!("global\n{threads}"), 1)
}

#[test]
fn of_copies_that_come_at_once_exactly_one_passes() {
    const COPIES: usize = 32;
    let edge = setup().edit(four_threads).start();
    for round in 0..8 {
        edge.script(proved(&format!("{round:032x}")));
        let start = Barrier::new(COPIES);
        let mut statuses: Vec<u16> = thread::scope(|scope| {
            let send = || {
                start.wait();
                edge.send(&request()).status
            };
            let copies: Vec<_> = (0..COPIES).map(|_| scope.spawn(send)).collect();
            copies.into_iter().map(|copy| copy.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [&[200][..], &[401; COPIES - 1]].concat(), "round {round}");
        assert_copy(&edge, "one that comes later");
    }
    assert_eq!(edge.backend.seen().len(), 8);
}

#[test]
fn proofs_are_told_apart_by_their_whole_names_and_counted_for_bound_tokens_alone() {
    let edge = setup().start();
    let (first, other) = (PROOF.replace('0', "e"), PROOF.replace('f', "e"));
    for proof in [PROOF, &first, &other] {
        edge.script(proved(proof));
        edge.admits(proof, &request());
        assert_copy(&edge, proof);
    }
    edge.script(accepted("dpop+mtls", &[("proof", PROOF)]));
    assert_copy(&edge, "the same with a certificate");
    for binding in ["none", "mtls"] {
        edge.script(accepted(binding, &[]));
        for _ in 0..3 {
            let seen = edge.admits(binding, &request());
            assert_eq!(seen.header("x-tkn-binding"), Some(binding));
        }
    }
    for (what, script) in [
        ("bound, and no proof", accepted("dpop", &[])),
        ("the other way round, and no proof", accepted("dpop+mtls", &[])),
        ("a word of another version", accepted("novel", &[])),
        ("an empty one", accepted("", &[])),
    ] {
        edge.script(script);
        let response = edge.refuses(what, 503, &request());
        assert_eq!(response.header("retry-after"), Some("1"), "{what}");
    }
}

#[test]
fn a_proof_of_a_refused_token_is_not_counted() {
    let edge = setup().start();
    let refused = [("proof", text(PROOF)), ("reason", text("E_TKN_INVALID")), ("valid", Value::Bool(false))];
    edge.script(Script::Ack(refused.into()));
    edge.refuses("refused", 401, &request());
    edge.script(proved(PROOF));
    edge.admits("the same proof with a good token", &request());
    assert_copy(&edge, "a copy");
}

#[test]
fn a_request_that_is_asked_about_twice_counts_once() {
    let edge = setup().start();
    // The first agent is lost before it answers: HAProxy asks again.
    edge.script(Script::InTurn(vec![Script::Close, proved(PROOF)]));
    edge.admits("asked again", &request());
    assert_copy(&edge, "a copy");
}

#[test]
fn a_full_table_refuses_what_is_new_and_forgets_nothing() {
    let edge = setup().change("size 1m", "size 2").start();
    for proof in ["first", "second"] {
        edge.script(proved(proof));
        edge.admits(proof, &request());
    }
    edge.script(proved("third"));
    let response = edge.refuses("no room", 503, &request());
    assert_eq!(response.header("retry-after"), Some("1"));
    for proof in ["first", "second"] {
        edge.script(proved(proof));
        assert_copy(&edge, proof);
    }
    edge.script(accepted("none", &[]));
    edge.admits("a token that is not bound", &request());
}

/// A user's own lines take the counter that ours need.
#[test]
fn where_the_counter_is_taken_nothing_that_has_to_be_counted_passes() {
    let taken = |text: &str, _: &Path| {
        let mark = "    # Your rate limits,";
        assert!(text.contains(mark));
        let lines = "    stick-table type string len 64 size 1k expire 10m store http_req_cnt\n    \
                     http-request track-sc2 req.fhdr(host)\n";
        text.replacen(mark, &format!("{lines}{mark}"), 1)
    };
    let edge = setup().edit(taken).start();
    edge.script(proved(PROOF));
    edge.refuses("uncounted", 503, &request());
    edge.script(accepted("none", &[]));
    edge.admits("a token that is not bound", &request());
}

fn all<'a>(response: &'a Response, name: &str) -> Vec<&'a str> {
    let headers = response.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    headers.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn the_next_nonce_is_told_whatever_became_of_the_request() {
    const NONCE: (&str, &str) = ("dpop_nonce", "AAAAAAHfB2sRRjTaVVXbqXM9");
    let edge = setup().start();
    let refused = |reason: &str| {
        let reason = ("reason", text(reason));
        Script::Ack(vec![(NONCE.0, text(NONCE.1)), reason, ("valid", Value::Bool(false))])
    };
    for (script, status) in [
        (accepted("dpop", &[NONCE, ("proof", PROOF)]), 200),
        (accepted("dpop", &[NONCE, ("proof", PROOF)]), 401),
        (refused("E_TKN_INVALID"), 401),
        (refused("E_TKN_FORBIDDEN"), 403),
        (refused("E_BACKEND_UNAVAIL"), 503),
    ] {
        edge.script(script);
        let response = edge.send(&request());
        assert_eq!(response.status, status, "{response}");
        assert_eq!(all(&response, "dpop-nonce"), [NONCE.1], "{response}");
        let is_challenged = [401, 403].contains(&status);
        let exposed = if is_challenged { &["WWW-Authenticate", "DPoP-Nonce"][..] } else { &["DPoP-Nonce"] };
        assert_eq!(all(&response, "access-control-expose-headers"), exposed, "{response}");
    }
    edge.script(accepted("none", &[]));
    let response = edge.send(&request());
    assert_eq!((all(&response, "dpop-nonce"), response.status), (vec![], 200));
}

/// The lines of the shipped file about proofs, in a frontend that is told them by its client.
fn table_alone(folder: &Path) -> String {
    let shipped = fs::read_to_string(Shipped::Dpop.path()).unwrap();
    let from = shipped.find("# Which proofs were seen.").unwrap();
    let table = shipped[from..].split("backend jwt-agents").next().unwrap();
    let counts: String = shipped
        .split_inclusive('\n')
        .filter(|line| line.contains("track-sc2") || line.contains("sc2_inc_gpc0"))
        .map(|line| line.replace(" !tkn_public", ""))
        .collect();
    let path = |name: &str| folder.join(name).display().to_string();
    format!(
        "global\n    stats socket {} mode 600 level admin\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    \
         timeout server 30s\n{table}\nfrontend edge\n    bind unix@{}\n    http-request set-var(txn.tkn.proof) req.fhdr(x-proof)\n\
         {counts}    http-request return status 200 hdr x-shown %[var(txn.tkn_shown)]\n",
        path("stats.sock"),
        path("edge.sock"),
    )
}

/// A HAProxy that takes the place of another one, if there is one.
fn start(folder: &Path, old: Option<&Process>) -> Process {
    let mut command = Command::new(program());
    command.arg("-db").arg("-f").arg(folder.join("table.cfg"));
    command.env("DPOP_PEERS", format!("unix@{}", folder.join("peers.sock").display()));
    if let Some(old) = old {
        command.arg("-sf").arg(old.id().to_string());
    }
    let process = Process::start("haproxy", command).unwrap();
    let pid = format!("Pid: {}\n", process.id());
    let stats = StatsSocket::new(&folder.join("stats.sock"));
    eventually("HAProxy answers", || stats.try_ask("show info").ok()?.contains(&pid).then_some(()));
    process
}

/// Not on 2.6, whose old process ends without a word.
#[test]
fn a_reload_forgets_no_proof() {
    if version() < (3, 0) {
        eprintln!("HAProxy {:?}: tables do not outlive a reload", version());
        return;
    }
    let folder = TempDir::with_prefix("table-").unwrap();
    fs::write(folder.path().join("table.cfg"), table_alone(folder.path())).unwrap();
    let edge = Address::Unix(folder.path().join("edge.sock"));
    let shown = |proof: &str| {
        let response = agent::ask(&edge, &Request::get("/").header("X-Proof", proof));
        response.header("x-shown").unwrap_or_default().to_owned()
    };
    let mut old = start(folder.path(), None);
    assert_eq!([shown("a"), shown("a"), shown("b")], ["1", "2", "1"]);
    let _new = start(folder.path(), Some(&old));
    assert!(old.wait(DEADLINE).is_some(), "{}", old.log());
    let stats = StatsSocket::new(&folder.path().join("stats.sock"));
    eventually("the new process has the table", || {
        let table = stats.ask("show table dpop-proofs");
        (table.contains("key=a ") && table.contains("key=b ")).then_some(())
    });
    assert_eq!([shown("a"), shown("b"), shown("c")], ["3", "2", "1"]);
}

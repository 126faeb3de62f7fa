//! Every line that refuses, in every shipped file: what it refuses, and that a request is answered wrongly when it is gone.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use integration_tests::backend::WEBSOCKET_KEY;
use integration_tests::edge::Edge;
use integration_tests::haproxy::{Shipped, version};
use integration_tests::http::Request;
use integration_tests::http2;
use integration_tests::scripted_agent::Script;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::spop::Value;
use integration_tests::wait::DEADLINE;

use super::{BODY, HEADER, refused, text};

/// An answer that accepts, by the policy that the files ask for or that an agent has as its default.
fn accepted_with(body: &str, reason: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("policy", text("default")),
        ("reason", text(reason)),
        ("detail", text("ok")),
        ("header", text(HEADER)),
        ("id", text("f00d")),
        ("payload.tenant", text("edge")),
        ("binding", text("none")),
        ("valid", Value::Bool(true)),
        ("body", text(body)),
    ]
}

fn accepted() -> Script {
    Script::Ack(accepted_with(BODY, "ok"))
}

/// A path that every good token opens.
fn place(shipped: Shipped) -> &'static str {
    if shipped.form() == Shipped::Routes { "/api/users" } else { "/api/x" }
}

/// A request with a token where all files look for one; the scripted agent answers whatever it is.
fn request(shipped: Shipped) -> Request {
    Request::get(place(shipped)).bearer("a.b.c")
}

/// Bytes of an answer's body that fit a frame, and HAProxy's room for headers too, but not beside [those](beside).
const LONG_BODY: usize = 12_000;

/// With other headers, for which there is room.
fn beside(request: Request) -> Request {
    request.header("Cookie", format!("a={}", "y".repeat(5_000)))
}

/// Answers that decide nothing.
fn undecided() -> [(&'static str, Script); 2] {
    let without_valid = accepted_with(BODY, "ok").into_iter().filter(|(name, _)| *name != "valid").collect();
    [
        ("E_BACKEND_UNAVAIL", refused("E_BACKEND_UNAVAIL", "no_keys")),
        ("an answer without valid", Script::Ack(without_valid)),
    ]
}

/// A target or a host that is read in two ways, whatever the agent says of the token.
fn judge_targets(shipped: Shipped, edge: &Edge) {
    let place = place(shipped);
    let bearer = |line: &str| Request::line(line).bearer("a.b.c");
    edge.refuses("OPTIONS *", 204, &bearer("OPTIONS * HTTP/1.1"));
    edge.refuses("the absolute form", 400, &bearer(&format!("GET http://edge.test{place} HTTP/1.1")));
    let bytes = request(shipped).to_bytes();
    let hosted = |host: &str| {
        String::from_utf8_lossy(&bytes).replacen("Host: edge.test", &format!("Host: {host}"), 1).into_bytes()
    };
    for host in ["h?", ""] {
        edge.refuses_bytes(&format!("the host {host:?}"), &[400], &hosted(host)).unwrap();
    }
    judge_a_tunnel(edge);
}

/// A request without a path.
fn judge_a_tunnel(edge: &Edge) {
    let mut connection = edge.address().connect(DEADLINE).unwrap();
    let connect = http2::status_of_connect(&mut connection, "edge.test:443").unwrap();
    assert_eq!(connect, 400, "CONNECT by HTTP/2");
    assert!(edge.backend.seen().iter().all(|seen| !seen.line.starts_with("CONNECT")));
}

/// What a page of another site could send along with the cookie, or a browser ask in advance.
fn judge_pages(shipped: Shipped, edge: &Edge) {
    let cookie = |line: &str| Request::line(line).header("Cookie", "__Host-token=a.b.c");
    match shipped {
        Shipped::Cookie => {
            edge.refuses("POST of another page", 403, &cookie("POST /x HTTP/1.1"));
            let upgrade = cookie("GET /x HTTP/1.1").header("Connection", "upgrade");
            let upgrade = upgrade.header("Upgrade", "websocket").header("Sec-WebSocket-Version", "13");
            let upgrade = upgrade.header("Sec-WebSocket-Key", WEBSOCKET_KEY);
            edge.refuses("a WebSocket of another page", 403, &upgrade);
        }
        Shipped::Browsers => {
            let preflight = Request::line("OPTIONS /x HTTP/1.1")
                .header("Origin", "https://app.example")
                .header("Access-Control-Request-Method", "PUT");
            edge.refuses("a preflight", 204, &preflight);
        }
        _ => {}
    }
}

/// What becomes of each answer.
fn judge_answers(shipped: Shipped, edge: &Edge) {
    let request = request(shipped);
    let contradiction = Script::Ack(accepted_with(BODY, "E_TKN_INVALID"));
    for (what, script, status) in [
        ("a bad token", refused("E_TKN_INVALID", "signature"), 401),
        ("a bad token that is called valid", contradiction, 401),
        ("a good token that is not enough", refused("E_TKN_FORBIDDEN", "scope"), 403),
    ] {
        edge.script(script);
        let response = edge.refuses(what, status, &request);
        assert!(response.header("www-authenticate").is_some(), "{what}: {response}");
        assert_eq!(response.header("retry-after"), None, "{what}: {response}");
    }
    edge.script(Script::Ack(accepted_with(&"x".repeat(LONG_BODY), "ok")));
    let response = edge.send(&beside(request.clone()));
    assert_eq!(response.status, 431, "no room");
    if shipped.form() == Shipped::Routes {
        let mut variables = accepted_with(BODY, "ok");
        variables[0].1 = text("other");
        edge.script(Script::Ack(variables));
        edge.refuses("an answer by another policy", 503, &request);
    }
    for (what, script) in undecided() {
        edge.script(script);
        unavailable(edge, what, &request);
    }
}

fn unavailable(edge: &Edge, what: &str, request: &Request) {
    let response = edge.refuses(what, 503, request);
    assert_eq!(response.header("retry-after"), Some("1"), "{what}: {response}");
}

/// The application is told that nothing is known of the token.
fn unknown(edge: &Edge, what: &str, request: &Request) {
    let seen = edge.admits(what, request);
    assert_eq!(seen.header("x-tkn-valid"), Some("0"), "{what}");
    assert_eq!(seen.header("x-tkn-reason"), Some("E_BACKEND_UNAVAIL"), "{what}");
    assert_eq!(seen.header("x-tkn-body"), None, "{what}");
}

/// The file whose application decides.
fn judge_annotations(edge: &Edge) {
    edge.refuses("CONNECT", 400, &Request::line("CONNECT edge.test:443 HTTP/1.1"));
    let request = request(Shipped::Annotating);
    edge.script(Script::Ack(accepted_with(&"x".repeat(LONG_BODY), "ok")));
    unknown(edge, "no room", &beside(request.clone()));
    for (what, script) in undecided() {
        edge.script(script);
        unknown(edge, what, &request);
    }
}

fn judge(shipped: Shipped, edge: &Edge) {
    admits_good_tokens(shipped, edge);
    if shipped.form() == Shipped::Annotating {
        judge_annotations(edge);
    } else {
        judge_targets(shipped, edge);
        judge_pages(shipped, edge);
        judge_answers(shipped, edge);
    }
}

fn admits_good_tokens(shipped: Shipped, edge: &Edge) {
    edge.script(accepted());
    let seen = edge.admits("a good token", &request(shipped));
    assert_eq!(seen.header("x-tkn-valid"), Some("1"), "{seen:?}");
}

/// An answer that accepts, less one variable.
fn accepted_without(name: &str) -> Script {
    Script::Ack(accepted_with(BODY, "ok").into_iter().filter(|(known, _)| *known != name).collect())
}

/// The file behind another proxy, which tells the address.
fn behind_a_proxy(text: &str, _: &Path) -> String {
    let from = ["track-sc0 src ", "track-sc2 src "].into_iter().find(|from| text.contains(from)).unwrap();
    text.replace(from, &from.replace("src", "req.hdr_ip(x-forwarded-for,-1)"))
}

/// Limits of one request.
fn judge_limits(shipped: Shipped, edge: &Edge) {
    let request = request(shipped).header("X-Forwarded-For", "192.0.2.1");
    let limited = |what: &str, seconds: &str| {
        let response = edge.refuses(what, 429, &request);
        assert_eq!(response.header("retry-after"), Some(seconds), "{what}: {response}");
    };
    edge.script(accepted());
    edge.admits("the first request of a subject", &request);
    limited("the second request of a subject", "10");
    edge.script(accepted_without("id"));
    edge.refuses("an answer that names nothing to count", 503, &request);
    edge.script(refused("E_TKN_INVALID", "signature"));
    for what in ["the first guess", "the second guess"] {
        edge.refuses(what, 401, &request);
    }
    limited("the third guess", "60");
}

/// A token of another tenant, and one of none.
fn judge_tenants(shipped: Shipped, edge: &Edge) {
    admits_good_tokens(shipped, edge);
    let other = accepted_with(BODY, "ok").into_iter().map(|(name, value)| match name {
        "payload.tenant" => (name, text("other")),
        _ => (name, value),
    });
    for script in [Script::Ack(other.collect()), accepted_without("payload.tenant")] {
        edge.script(script);
        edge.refuses("a token of another tenant", 403, &request(shipped));
    }
}

/// A proof that comes twice, and answers that do not tell what can be counted.
fn judge_proofs(shipped: Shipped, edge: &Edge) {
    let request = request(shipped);
    let bound = |proof: Option<&str>| {
        let mut variables = accepted_with(BODY, "ok");
        variables.retain(|(name, _)| *name != "binding");
        variables.insert(0, ("binding", text("dpop")));
        variables.splice(0..0, proof.map(|proof| ("proof", text(proof))));
        Script::Ack(variables)
    };
    edge.script(bound(Some("0123456789abcdef0123456789abcdef")));
    edge.admits("a proof", &request);
    let response = edge.refuses("its copy", 401, &request);
    let challenge = response.header("www-authenticate");
    assert_eq!(challenge, Some(r#"DPoP error="invalid_dpop_proof", error_description="proof_replayed""#));
    for (what, script) in
        [("no name of the proof", bound(None)), ("no word of the binding", accepted_without("binding"))]
    {
        edge.script(script);
        unavailable(edge, what, &request);
    }
}

/// What is no signal, one that comes while no token-server is there, and one too many.
fn judge_signals(_: Shipped, edge: &Edge) {
    let signal = |line: &str| Request::line(line).header("X-Forwarded-For", "192.0.2.1");
    edge.refuses("a signal to be read", 405, &signal("GET /revoke HTTP/1.1"));
    let signal = signal("POST /revoke HTTP/1.1");
    let endless = signal.clone().header("Transfer-Encoding", "chunked");
    edge.refuses("a signal of unknown length", 413, &endless);
    let signal = signal.header("Content-Length", "0");
    for (what, status, seconds) in [("a server that is down", 503, "1"), ("one too many", 429, "10")] {
        let response = edge.refuses(what, status, &signal);
        assert_eq!(response.header("retry-after"), Some(seconds), "{what}: {response}");
    }
}

/// An answer that was good counts for nothing once a later question has failed.
fn judge_a_second_question(shipped: Shipped, edge: &Edge) {
    admits_good_tokens(shipped, edge);
    edge.script(Script::InTurn(vec![accepted(), Script::Silence]));
    let (what, request) = ("a good answer, and then none", request(shipped));
    if shipped.form() == Shipped::Annotating {
        unknown(edge, what, &request);
    } else {
        unavailable(edge, what, &request);
    }
}

/// A user's own lines ask as well, after ours have asked for the first time.
fn asking_twice(text: &str, _: &Path) -> String {
    let ours = "    http-request send-spoe-group jwt-again jwt   if ";
    assert_eq!(text.matches(ours).count(), 1);
    text.replace(ours, &format!("    http-request send-spoe-group jwt-again jwt\n{ours}"))
}

/// What a user may make of the file of a backend: every request comes to the backend that is protected.
fn all_to_the_protected_backend(text: &str, _: &Path) -> String {
    let (from, to) = ("default_backend web", "default_backend api");
    assert!(text.contains(from));
    text.replace(from, to)
}

/// A way in which a file is used, and what must come of it.
type Use = (Setup, fn(Shipped, &Edge));

fn uses(shipped: Shipped) -> Vec<Use> {
    let setup = || Setup::new(shipped).short_timeouts().scripted(Script::Silence);
    let mut uses: Vec<Use> = match shipped.form() {
        // As it is, what has no path of the backend's comes to the other one, which is not ours to protect.
        Shipped::Backend => vec![
            (setup().edit(all_to_the_protected_backend), judge),
            (setup(), |shipped, edge| {
                admits_good_tokens(shipped, edge);
                judge_a_tunnel(edge);
            }),
        ],
        Shipped::Limits => {
            let limited = ["RATE_LIMIT", "REFUSED_LIMIT"]
                .iter()
                .fold(setup(), |setup, name| setup.haproxy_env(name, "1"));
            vec![(setup(), judge), (limited.edit(behind_a_proxy), judge_limits)]
        }
        Shipped::Tenant => vec![(setup(), judge), (setup(), judge_tenants)],
        Shipped::Dpop => vec![(setup(), judge), (setup(), judge_proofs)],
        Shipped::Signals => {
            let nothing = Address::free_port().unwrap();
            let limited = setup().server("SIGNALS_SERVER", &nothing).haproxy_env("SIGNALS_LIMIT", "3");
            vec![(setup(), judge), (limited.edit(behind_a_proxy), judge_signals)]
        }
        _ => vec![(setup(), judge)],
    };
    uses.push((setup().edit(asking_twice), judge_a_second_question));
    uses
}

/// The lines of a file that refuse, tell when to come again, or tell the application that nothing is known.
fn lines(shipped: Shipped) -> Vec<&'static str> {
    const PARTS: [&str; 4] =
        ["http-request deny ", "http-request return ", " Retry-After ", "E_BACKEND_UNAVAIL"];
    let text: &'static str = fs::read_to_string(shipped.path()).unwrap().leak();
    let rules = text.split_inclusive('\n').filter(|line| line.trim_start().starts_with("http-"));
    rules.filter(|line| PARTS.iter().any(|part| line.contains(part))).collect()
}

/// Newer HAProxy refuses such hosts by itself, so that no request can find that our line is gone.
fn is_haproxys_own(line: &str) -> bool {
    version() >= (3, 0) && line.contains("req.fhdr(host)")
}

/// The lines that no request misses.
fn unmissed(shipped: &[Shipped]) -> Vec<String> {
    let mut unmissed = Vec::new();
    for &shipped in shipped {
        // As it is the file answers everything right, so that whatever is wrong below is wrong for want of the line.
        uses(shipped).into_iter().for_each(|(setup, judge)| judge(shipped, &setup.start()));
        let lines = lines(shipped);
        let least = if shipped.form() == Shipped::Annotating { 3 } else { 11 };
        assert!(lines.len() >= least, "{shipped:?}: {lines:?}");
        for line in lines.into_iter().filter(|line| !is_haproxys_own(line)) {
            let is_missed = uses(shipped).into_iter().any(|(setup, judge)| {
                let edge = setup.change(line, "").start();
                catch_unwind(AssertUnwindSafe(|| judge(shipped, &edge))).is_err()
            });
            if !is_missed {
                unmissed.push(format!("{shipped:?}: {line}"));
            }
        }
    }
    unmissed
}

/// The one line whose word another line says as well: without a reason a later one takes the answer for one that does not
/// fit, and says the same.
const SAID_AGAIN: &str = "    http-request set-header x-tkn-reason  E_BACKEND_UNAVAIL  if \
                          { var(txn.tkn.spoe_error) -m found } || !{ var(txn.tkn.valid) -m found }\n";

#[test]
fn each_line_that_refuses_is_missed_by_a_request_when_it_is_gone_from_a_file() {
    assert_eq!(unmissed(&Shipped::ALL[..4]), [format!("Annotating: {SAID_AGAIN}")]);
}

#[test]
fn each_line_that_refuses_is_missed_by_a_request_when_it_is_gone_from_a_file_of_the_edge() {
    assert_eq!(unmissed(&Shipped::EDGES), [format!("EdgeAnnotating: {SAID_AGAIN}")]);
}

#[test]
fn each_line_that_refuses_is_missed_by_a_request_when_it_is_gone_from_a_recipe() {
    assert_eq!(unmissed(&Shipped::ALL[8..]), [""; 0]);
}

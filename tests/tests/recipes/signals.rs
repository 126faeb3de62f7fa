//! The way of identity providers to a token-server, beside that of users to the application.

use std::panic::{AssertUnwindSafe, catch_unwind};

use integration_tests::backend::Backend;
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::{Request, Response};
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::wait::eventually;

use super::claims::told_addresses;
use super::good;

type Change<'a> = &'a dyn Fn(Setup) -> Setup;

/// What a token-server takes, by its specification.
const PATHS: [&str; 5] =
    ["/backchannel-logout", "/revoke", "/global-token-revocation", "/ssf/okta", "/ssf/of_two-words"];

fn post(target: &str, body: &str) -> Vec<u8> {
    let request = Request::line(&format!("POST {target} HTTP/1.1"))
        .header("Content-Length", body.len().to_string())
        .header("X-Tkn-Valid", "1");
    [request.to_bytes().as_slice(), body.as_bytes()].concat()
}

/// An edge with a server for signals.
fn start(change: Change<'_>) -> (Edge, Backend) {
    let signals = Backend::start(&Address::free_port().unwrap()).unwrap();
    let setup = Setup::new(Shipped::Signals).server("SIGNALS_SERVER", signals.address());
    let edge = change(setup.haproxy_env("SIGNALS_LIMIT", "100000")).start();
    eventually("the way is open", || {
        let status = status(&edge, &post("/revoke", "token=x"));
        assert!([200, 503].contains(&status), "{status}");
        (status == 200).then_some(())
    });
    signals.forget();
    (edge, signals)
}

fn exchange(edge: &Edge, bytes: &[u8]) -> Response {
    edge.exchange(bytes).unwrap()
}

fn status(edge: &Edge, bytes: &[u8]) -> u16 {
    exchange(edge, bytes).status
}

fn assert_ways(change: Change<'_>) {
    let (edge, signals) = start(change);
    for path in PATHS {
        for target in [path.to_owned(), format!("{path}?a=b")] {
            let before = (edge.backend.seen().len(), signals.seen().len());
            assert_eq!(status(&edge, &post(&target, "logout_token=x")), 200, "{target}");
            let after = (edge.backend.seen().len(), signals.seen().len());
            assert_eq!(after, (before.0, before.1 + 1), "{target}: the token-server alone has it");
        }
        let seen = signals.seen();
        assert!(seen.iter().all(|seen| seen.line.starts_with("POST ")), "{seen:?}");
    }
    let before = signals.seen().len();
    // What is no signal needs a token, and what only looks like one too.
    for target in [
        "/",
        "/backchannel-logout/",
        "/backchannel-logout/x",
        "/Backchannel-Logout",
        "/%62ackchannel-logout",
        "/x/../revoke",
        "//revoke",
        "/revoke;x",
        "/api/revoke",
        "/ssf",
        "/ssf/",
        "/ssf/a/b",
        "/ssf/..",
        "/ssf/a%2fb",
        "/health",
        "/metrics",
        "/v1/rules",
    ] {
        edge.refuses_bytes(target, &[401], &post(target, "token=x"));
    }
    for path in PATHS {
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "post"] {
            edge.refuses(
                &format!("{method} {path}"),
                405,
                &Request::line(&format!("{method} {path} HTTP/1.1")),
            );
        }
        let chunked = Request::line(&format!("POST {path} HTTP/1.1")).header("Transfer-Encoding", "chunked");
        edge.refuses(path, 413, &chunked);
    }
    let long = Request::line("POST /revoke HTTP/1.1").header("Content-Length", "65537");
    edge.refuses("a long body", 413, &long);
    assert_eq!(signals.seen().len(), before, "nothing of that reached the token-server");
    assert_eq!(status(&edge, &post("/revoke", &"x".repeat(65_536))), 200);

    edge.admits("a user", &Request::get("/").bearer(&good()));
    edge.admits("a user's own path", &Request::get("/revoked").bearer(&good()));
}

fn assert_limit(change: Change<'_>) {
    let signals = Backend::start(&Address::free_port().unwrap()).unwrap();
    let setup = Setup::new(Shipped::Signals)
        .server("SIGNALS_SERVER", signals.address())
        .haproxy_env("SIGNALS_LIMIT", "3")
        .edit(told_addresses);
    let edge = change(setup).start();
    let from = |address: &str, bytes: &[u8]| {
        let told = format!("PROXY TCP4 {address} 127.0.0.1 1 80\r\n");
        exchange(&edge, &[told.as_bytes(), bytes].concat())
    };
    let signal = post("/revoke", "token=x");
    let statuses: Vec<u16> = (0..5).map(|_| from("192.0.2.1", &signal).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429], "one address");
    assert_eq!(from("192.0.2.1", &signal).header("retry-after"), Some("10"));
    assert_eq!(from("192.0.2.2", &signal).status, 200, "another address");
    assert_eq!(signals.seen().len(), 4, "what is limited reaches no token-server");
    // Users of that address go on, and count for nothing.
    let user = Request::get("/").bearer(&good()).to_bytes();
    for _ in 0..5 {
        assert_eq!(from("192.0.2.1", &user).status, 200, "a user beside them");
        assert_eq!(from("192.0.2.3", &user).status, 200, "a user");
    }
    assert_eq!(from("192.0.2.3", &signal).status, 200, "the first signal of an address");
}

fn assert_down(change: Change<'_>) {
    let nothing = Address::free_port().unwrap();
    let edge = change(Setup::new(Shipped::Signals).server("SIGNALS_SERVER", &nothing)).start();
    let down = eventually("HAProxy knows that nothing is there", || {
        let response = exchange(&edge, &post("/backchannel-logout", "logout_token=x"));
        assert_eq!(response.status, 503, "{response}");
        response.header("retry-after").is_some().then_some(response)
    });
    assert_eq!(down.header("retry-after"), Some("1"), "{down}");
    edge.admits("a user", &Request::get("/").bearer(&good()));
}

#[test]
fn signals_go_to_the_token_server_and_nothing_else_does() {
    assert_ways(&|setup| setup);
}

#[test]
fn an_address_that_sends_too_many_signals_has_to_wait() {
    assert_limit(&|setup| setup);
}

#[test]
fn a_signal_is_to_be_sent_again_while_the_token_server_is_down() {
    assert_down(&|setup| setup);
    let (edge, _signals) = start(&|setup: Setup| setup.no_agent());
    assert_eq!(status(&edge, &post("/revoke", "token=x")), 200, "no agent is needed");
}

/// What is checked, what stands there, and what a user might make of it.
type Broken = (fn(Change<'_>), &'static str, &'static str);

const BROKEN: &[Broken] = &[
    (assert_ways, "path /backchannel-logout", "path_beg /backchannel-logout"),
    (assert_ways, "path /backchannel-logout", "path -i /backchannel-logout"),
    (assert_ways, "path -m reg ^/ssf/[A-Za-z0-9_-]+$", "path_beg /ssf/"),
    (assert_ways, "path -m reg ^/ssf/[A-Za-z0-9_-]+$", "path -m reg /ssf/[A-Za-z0-9_-]+"),
    (assert_ways, " !{ method POST }", " { method GET }"),
    (assert_ways, "tkn_signal !{ req.fhdr(content-length) -m found } || ", ""),
    (assert_ways, " || tkn_signal { req.hdr_val(content-length) gt 65536 }", ""),
    (assert_ways, "    use_backend token-signals if tkn_signal\n", ""),
    (assert_limit, "track-sc0 src table tkn_signals if tkn_signal", "track-sc0 src table tkn_signals"),
    (assert_limit, "track-sc0 src ", "track-sc1 src "),
    (assert_limit, "set-var(txn.tkn_limited) int(10)", "set-var(txn.tkn_limited) int(60)"),
    (
        assert_down,
        "    http-after-response set-header Retry-After 1 if { status 503 } !{ res.hdr(retry-after) -m found }\n",
        "",
    ),
];

#[test]
fn whatever_is_broken_in_the_recipe_of_signals_is_found_by_a_request() {
    let unfound = BROKEN.iter().filter(|(assert, from, to)| {
        let change = |setup: Setup| setup.change(from, to);
        catch_unwind(AssertUnwindSafe(|| assert(&change))).is_ok()
    });
    let unfound: Vec<_> = unfound.map(|(_, from, to)| (from, to)).collect();
    assert!(unfound.is_empty(), "{unfound:#?}");
}

//! The files whose streams end with their token: which requests name a stream to the agent, by which number, and which answers are
//! not sent, since nothing would end them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use integration_tests::backend::WEBSOCKET_KEY;
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::{Request, Response};
use integration_tests::kept_verdicts::{entry, key as map_key, now_ms};
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::token::{forge_signature, token};
use serde_json::json;

/// Lines that show what HAProxy has named, and that make the application's answer one of any type.
fn shown(text: &str, _: &Path) -> String {
    let mark = "    # An event stream that was not asked for";
    assert_eq!(text.matches(mark).count(), 1);
    let lines = "    http-request set-var(txn.v_type) req.fhdr(v-type)\n    \
                 http-response set-header content-type %[var(txn.v_type)] if { var(txn.v_type) -m found }\n    \
                 http-after-response set-header x-stream %[var(txn.tkn_stream)] if { var(txn.tkn_stream) -m found }\n    \
                 http-after-response set-header x-process %[var(txn.tkn_process)] if { var(txn.tkn_process) -m found }\n";
    text.replace(mark, &format!("{lines}{mark}"))
}

fn setup(shipped: Shipped) -> Setup {
    Setup::new(shipped).edit(shown)
}

fn good() -> String {
    token(key("ES256"), json!({}))
}

/// A path below what the file protects.
fn at(shipped: Shipped, path: &str) -> Request {
    let below = if shipped.form() == Shipped::Backend { "/api" } else { "" };
    Request::get(&format!("{below}{path}")).bearer(&good())
}

fn web_socket(request: Request) -> Request {
    let request = request.header("Connection", "upgrade").header("Upgrade", "websocket");
    request.header("Sec-WebSocket-Version", "13").header("Sec-WebSocket-Key", WEBSOCKET_KEY)
}

/// The numbers of the stream and of its process.
fn named(response: &Response) -> [Option<u64>; 2] {
    ["x-stream", "x-process"].map(|name| response.header(name).map(|number| number.parse().unwrap()))
}

/// What names a stream, and what does not.
fn judge_names(shipped: Shipped, edge: &Edge) {
    let asking = |accepted: &str| at(shipped, "/x").header("Accept", accepted);
    for (what, status, is_named, request) in [
        ("a request", 200, false, at(shipped, "/x")),
        ("any type", 200, false, asking("*/*")),
        ("an event stream", 200, true, asking("text/event-stream")),
        ("an event stream among others", 200, true, asking("application/json, Text/Event-Stream;q=0.5")),
        (
            "an event stream in a second header",
            200,
            true,
            asking("*/*").header("Accept", "text/event-stream"),
        ),
        ("a WebSocket", 101, true, web_socket(at(shipped, "/x"))),
        ("an upgrade that is not passed on", 200, false, at(shipped, "/x").header("Upgrade", "h2c")),
        ("a download", 200, true, at(shipped, "/download/a")),
        ("a download in capitals", 200, true, at(shipped, "/Download/a")),
        ("a download elsewhere", 200, false, at(shipped, "/x/download/a")),
    ] {
        let response = edge.send(&request);
        assert_eq!(response.status, status, "{what}: {response}");
        assert_eq!(named(&response).map(|number| number.is_some()), [is_named; 2], "{what}: {response}");
    }
    if shipped.form() == Shipped::Denying {
        let public = at(shipped, "/public/x").header("Accept", "text/event-stream");
        let response = edge.send(&public.header("v-type", "text/event-stream"));
        assert_eq!((response.status, named(&response)), (200, [None; 2]), "a public path: {response}");
        let response = edge.send(&Request::get("/public/x").header("v-type", "text/event-stream"));
        assert_eq!(response.status, 200, "an event stream of a public path: {response}");
    }
}

/// Which answers are not sent.
fn judge_answers(shipped: Shipped, edge: &Edge) {
    for (kind, status) in [
        ("text/event-stream", 406),
        ("Text/Event-Stream; charset=utf-8", 406),
        ("text/event", 200),
        ("application/json", 200),
    ] {
        let request = at(shipped, "/x").header("v-type", kind);
        assert_eq!(edge.send(&request).status, status, "{kind}");
        assert_eq!(
            edge.send(&request.header("Accept", "text/event-stream")).status,
            200,
            "{kind}, asked for"
        );
    }
    let request = at(shipped, "/download/a").header("v-type", "text/event-stream");
    assert_eq!(edge.send(&request).status, 200, "a path that is named");
}

/// The numbers are those of HAProxy's own list.
fn judge_numbers(shipped: Shipped, edge: &Edge) {
    let mut clients = [edge.client(), edge.client()];
    let numbers = clients.each_mut().map(|client| {
        client.write(&web_socket(at(shipped, "/x")).to_bytes()).unwrap();
        let [stream, process] = named(&client.response().unwrap());
        assert!(edge.haproxy.stats("show info").contains(&format!("\nPid: {}\n", process.unwrap())));
        stream.unwrap()
    });
    let listed = edge.haproxy.stats("show sess all");
    for number in numbers {
        assert_eq!(listed.matches(&format!(" id={number} ")).count(), 1, "{number}: {listed}");
    }
    assert_ne!(numbers[0], numbers[1]);
}

fn judge(shipped: Shipped, edge: &Edge) {
    judge_names(shipped, edge);
    judge_answers(shipped, edge);
    judge_numbers(shipped, edge);
}

#[test]
fn answers_that_may_stay_open_are_named_to_the_agent_by_haproxys_own_numbers() {
    for shipped in Shipped::STREAMS {
        judge(shipped, &setup(shipped).start());
    }
}

/// Pieces of the lines about streams, and what takes their place.
const PIECES: [(&str, &str); 10] = [
    ("    acl tkn_open  req.fhdr(upgrade) -m found\n", ""),
    ("    acl tkn_open  req.fhdr(accept) -i -m sub text/event-stream\n", ""),
    ("(accept) -i -m sub", "(accept) -m sub"),
    ("    acl tkn_open  path -i -m beg /download/\n", ""),
    ("\"%rt\"   if tkn_open !tkn_public", "\"%rt\"   if tkn_open"),
    ("\"%pid\"  if tkn_open !tkn_public", "\"%ci\"  if tkn_open !tkn_public"),
    ("bool(true)    unless tkn_open || tkn_public", "bool(true)    unless tkn_open"),
    ("bool(true)    unless tkn_open || tkn_public", "bool(true)    unless tkn_public"),
    ("{ res.fhdr(content-type) -i -m sub", "{ res.fhdr(content-type) -m str"),
    ("    http-request send-spoe-group jwt-stream jwt  if { var(txn.tkn_stream) -m found }\n", ""),
];

#[test]
fn each_piece_of_the_lines_about_streams_is_missed_by_a_request_when_it_is_gone() {
    let shipped = Shipped::Streams;
    for (from, to) in PIECES {
        let edge = setup(shipped).change(from, to).start();
        assert!(
            catch_unwind(AssertUnwindSafe(|| judge(shipped, &edge))).is_err(),
            "no request misses {from:?}, which is {to:?}"
        );
    }
}

/// What haproxy/README.md says of streams beside verdicts inside HAProxy.
fn beside_the_map(text: &str, _: &Path) -> String {
    let elsewhere = "    acl tkn_elsewhere  var(txn.tkn_token)       -m found\n";
    let ask = "    http-request send-spoe-group jwt-group jwt  unless";
    for piece in [elsewhere, ask, "engine jwt-group "] {
        assert_eq!(text.matches(piece).count(), 1, "{piece}");
    }
    let lines = "    acl tkn_open  req.fhdr(upgrade) -m found\n    \
                 http-request set-var-fmt(txn.tkn_stream)   \"%rt\"   if tkn_open\n    \
                 http-request set-var-fmt(txn.tkn_process)  \"%pid\"  if tkn_open\n    \
                 acl tkn_elsewhere  var(txn.tkn_stream) -m found\n";
    text.replace(elsewhere, &format!("{lines}{elsewhere}"))
        .replace(ask, "    http-request send-spoe-group jwt-stream jwt  unless")
        .replace("engine jwt-group ", "engine jwt-stream ")
}

#[test]
fn a_stream_is_asked_about_though_haproxy_has_a_verdict_on_its_token() {
    let edge = Setup::new(Shipped::EdgeDenying).edit(beside_the_map).start();
    // Only the map can let it in.
    let refused = forge_signature(&good());
    let fields: [Option<&[u8]>; 4] = [Some(b"{}"), Some(b"{}"), None, None];
    let kept = entry(now_ms() + 30_000, "1f2e3d4c5b6a79881.0", &fields);
    let _held = edge.kept.hold("1f2e3d4c5b6a79881.0");
    edge.kept.put(&map_key(&format!("Bearer {refused}"), "body,header,legacy,stateless", ""), &kept);
    let request = Request::get("/x").bearer(&refused);
    assert_eq!(edge.send(&request).status, 200, "by the map");
    edge.refuses("a stream", 401, &web_socket(request));
    assert_eq!(edge.send(&web_socket(Request::get("/x").bearer(&good()))).status, 101, "a good token");
}

//! What a client may send beside its token: spoofed headers, public paths and paths that only look like one, upgrades,
//! tunnels, old and new HTTP.

use std::process::Command;

use integration_tests::backend::{Seen, WEBSOCKET_KEY};
use integration_tests::edge::Edge;
use integration_tests::haproxy::{Shipped, version};
use integration_tests::http::Request;
use integration_tests::scripted_agent::Script;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::spop::Value;

fn text(value: &str) -> Value {
    Value::Str(value.to_owned())
}

/// An edge whose agent accepts whatever it is asked about.
fn accepting(shipped: Shipped) -> Edge {
    let variables =
        vec![("reason", text("ok")), ("body", text(r#"{"sub":"alice"}"#)), ("valid", Value::Bool(true))];
    Setup::new(shipped).scripted(Script::Ack(variables)).start()
}

/// An edge whose agent refuses whatever it is asked about.
fn refusing() -> Edge {
    let variables =
        vec![("reason", text("E_TKN_INVALID")), ("detail", text("missing")), ("valid", Value::Bool(false))];
    Setup::denying().scripted(Script::Ack(variables)).start()
}

/// Those for a whole frontend, which deny or annotate, and ask about each request or have verdicts inside HAProxy.
const FILES: [Shipped; 4] =
    [Shipped::Denying, Shipped::Annotating, Shipped::EdgeDenying, Shipped::EdgeAnnotating];

const SPOOFS: [(&str, &str); 9] = [
    ("x-tkn-valid", "1"),
    ("X-Tkn-Body", r#"{"sub":"root"}"#),
    ("X-TKN-HEADER", "{}"),
    ("x_tkn_valid", "1"),
    ("X_Tkn_Body", r#"{"sub":"root"}"#),
    ("x-tkn_stateless", "1"),
    ("x_tkn-legacy", "1"),
    ("x-tkn-novel", "1"),
    ("x_tkn_reason", "ok"),
];

fn spoofed(request: Request) -> Request {
    SPOOFS.iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// Our headers, in any spelling that a backend might fold into one of them.
fn ours(seen: &Seen) -> Vec<(String, String)> {
    let folded = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    seen.headers.iter().filter(|(name, _)| folded(name).starts_with("x-tkn")).cloned().collect()
}

#[test]
fn a_client_cannot_send_our_headers() {
    for shipped in FILES {
        let edge = accepting(shipped);
        let seen = edge.admits("spoofed headers", &spoofed(Request::get("/")));
        let expected = [("x-tkn-valid", "1"), ("x-tkn-reason", "ok"), ("x-tkn-body", r#"{"sub":"alice"}"#)];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(ours(&seen), expected, "{shipped:?}");
    }
}

#[test]
fn a_client_cannot_have_our_headers_dropped_behind_haproxy() {
    let edge = accepting(Shipped::Denying);
    let named =
        Request::get("/").header("Connection", "close, x-tkn-valid").header("Connection", "X-Tkn-Body, te");
    let seen = edge.admits("headers of ours as hop-by-hop", &named);
    assert!(
        !seen.headers.iter().any(|(name, value)| name == "connection" && value.contains("tkn")),
        "{seen:?}"
    );
    let upgrade =
        Request::get("/").header("Connection", "Upgrade, x-tkn-valid").header("Upgrade", "websocket");
    let upgrade = upgrade.header("Sec-WebSocket-Version", "13").header("Sec-WebSocket-Key", WEBSOCKET_KEY);
    assert_eq!(edge.send(&upgrade).status, 101);
    let seen = edge.backend.seen();
    assert_eq!(seen[1].header("connection"), Some("upgrade"));
}

#[test]
fn a_refused_client_cannot_send_our_headers() {
    let edge = refusing();
    edge.refuses("spoofed headers without a token", 401, &spoofed(Request::get("/")));
    let annotating = Setup::annotating().no_agent().start();
    let seen = annotating.admits("spoofed headers", &spoofed(Request::get("/")));
    let expected = [("x-tkn-valid", "0"), ("x-tkn-reason", "E_BACKEND_UNAVAIL")];
    assert_eq!(ours(&seen), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn our_headers_sent_as_trailers_are_no_headers_and_are_dropped_where_haproxy_can() {
    for shipped in FILES {
        let edge = accepting(shipped);
        let head = Request::line("POST / HTTP/1.1")
            .header("Authorization", "JWT a.b.c")
            .header("Transfer-Encoding", "chunked")
            .header("Trailer", "x-tkn-valid, x-tkn-body");
        let body =
            "4\r\nbody\r\n0\r\nx-tkn-valid: spoofed\r\nX-Tkn-Body: spoofed\r\nx_tkn_reason: spoofed\r\n\r\n";
        let response = edge.exchange(&[&head.to_bytes(), body.as_bytes()].concat()).unwrap();
        assert_eq!(response.status, 200, "{shipped:?}");
        let seen = edge.backend.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].header("x-tkn-valid"), Some("1"));
        assert!(seen[0].headers.iter().all(|(_, value)| value != "spoofed"), "{seen:?}");
        assert_eq!(seen[0].trailers.is_empty(), version() >= (3, 2), "{seen:?}");
    }
}

#[test]
fn a_public_path_needs_no_token_and_gets_none_of_our_headers() {
    let edges =
        [refusing(), accepting(Shipped::Denying), Setup::denying().shipped_timeouts().no_agent().start()];
    for edge in edges {
        for path in [
            "/public/",
            "/public/a",
            "/public/a/",
            "/public/css/site-1.0_b~.css",
            "/public/a?next=/../private",
        ] {
            let seen = edge.admits(path, &spoofed(Request::get(path)));
            assert_eq!(ours(&seen), [], "{path}");
        }
    }
}

#[test]
fn a_path_that_only_looks_public_needs_a_token() {
    let edge = refusing();
    let paths = [
        "/",
        "/public",
        "/publicity",
        "/public.html",
        "/PUBLIC/",
        "//public/",
        "/./public/",
        "/private?/public/",
        "/private/public/",
        "/public/../private",
        "/public/a/../../private",
        "/public/..",
        "/public/.",
        "/public/./private",
        "/public//private",
        "/public/a//b",
        "/public/%2e%2e/private",
        "/public/%2E%2E/private",
        "/public/.%2e/private",
        "/public/%2e%2e%2fprivate",
        "/public/..%2fprivate",
        "/public/%252e%252e/private",
        "/public/..;/private",
        "/public/..;x=y/private",
        "/public/;/../private",
        "/public/..%5cprivate",
        "/public/..\\private",
        "/public/..%00/private",
        "/public/%c0%ae%c0%ae/private",
        "/public/.git/config",
        "/%70ublic/a",
        "/public%2f",
        "/private#/public/",
        "/public/#/../private",
        "/public/a\u{b}",
        "/public/\u{ff0e}\u{ff0e}/private",
        "http://edge.test/private",
        "http://edge.test/public/../private",
        "http://edge.test//public/",
        "http://public/private",
        "*",
        "public/",
    ];
    for path in paths {
        let request = Request::get(path).to_bytes();
        // HAProxy itself answers 400 to some; the point is that none of them passes.
        edge.refuses_bytes(path, &[400, 401], &request).unwrap();
    }
    edge.refuses("the absolute form of a public path", 400, &Request::get("http://edge.test/public/a"));
}

#[test]
fn every_method_and_version_of_http_is_decided_alike() {
    let (refusing, accepting) = (refusing(), accepting(Shipped::Denying));
    for line in [
        "GET / HTTP/1.0",
        "HEAD / HTTP/1.1",
        "POST / HTTP/1.1",
        "OPTIONS / HTTP/1.1",
        "TRACE / HTTP/1.1",
        "DELETE / HTTP/1.1",
        "PROPFIND / HTTP/1.1",
        "get / HTTP/1.1",
        "CONNECT edge.test:443 HTTP/1.1",
        "CONNECT /public/ HTTP/1.1",
    ] {
        refusing.refuses_bytes(line, &[400, 401], &Request::line(line).to_bytes());
    }
    for line in ["GET / HTTP/1.0", "POST / HTTP/1.1", "OPTIONS / HTTP/1.1", "PROPFIND / HTTP/1.1"] {
        let seen = accepting.admits(line, &Request::line(line));
        assert_eq!(seen.header("x-tkn-valid"), Some("1"), "{line}");
    }
    // About the server and nothing of the application's: HAProxy answers it.
    refusing.refuses("OPTIONS *", 204, &Request::line("OPTIONS * HTTP/1.1"));
}

#[test]
fn requests_that_are_not_http_reach_no_application() {
    let edge = refusing();
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /public/ HTTP/1.1\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: a\r\nx-tkn-valid : 1\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not plain text\r\n\r\n",
    ] {
        edge.refuses_bytes(&String::from_utf8_lossy(bytes), &[400, 401], bytes);
    }
}

#[test]
fn a_websocket_needs_a_token_as_any_request() {
    let upgrade = Request::get("/").header("Connection", "Upgrade").header("Upgrade", "websocket");
    let upgrade = upgrade.header("Sec-WebSocket-Version", "13").header("Sec-WebSocket-Key", WEBSOCKET_KEY);
    refusing().refuses("a websocket without a token", 401, &upgrade);
    let edge = accepting(Shipped::Denying);
    let mut client = edge.client();
    client.write(&upgrade.to_bytes()).unwrap();
    assert_eq!(client.response().unwrap().status, 101);
    client.write(b"hello").unwrap();
    let mut echo = [0; 5];
    client.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"hello");
    assert_eq!(edge.backend.seen()[0].header("x-tkn-valid"), Some("1"));
}

#[test]
fn no_other_protocol_can_be_agreed_on_past_haproxy() {
    for shipped in FILES {
        let edge = accepting(shipped);
        for upgrades in
            [&["h2c"][..], &["websocket, h2c"], &["websocket", "h2c"], &["h2c", "websocket"], &["TLS/1.0"]]
        {
            for path in ["/", "/public/"] {
                let request = Request::get(path)
                    .header("Connection", "Upgrade, HTTP2-Settings")
                    .header("HTTP2-Settings", "AAMAAABkAAQAAP__");
                let request =
                    upgrades.iter().fold(request, |request, upgrade| request.header("Upgrade", upgrade));
                // HAProxy itself answers 400 or 502 where it takes a broken offer of a websocket for one.
                let status = edge.send(&request).status;
                assert!([200, 400, 502].contains(&status), "{upgrades:?}: {status}");
            }
        }
        let seen = edge.backend.seen();
        assert!(!seen.is_empty());
        for request in seen {
            // Newer HAProxy takes h2c out of a list by itself, and lets the rest of it stand.
            assert!(matches!(request.header("upgrade"), None | Some("websocket")), "{request:?}");
        }
    }
}

#[test]
fn http_2_is_decided_alike() {
    let edge = refusing();
    assert_eq!(status_over_http_2(&edge), "401");
    assert_eq!(edge.backend.seen(), []);
    let edge = accepting(Shipped::Denying);
    assert_eq!(status_over_http_2(&edge), "200");
    let seen = edge.backend.seen();
    assert_eq!(ours(&seen[0]).len(), 3, "{seen:?}");
}

/// The status of a request with spoofed headers, over HTTP/2 without TLS.
fn status_over_http_2(edge: &Edge) -> String {
    let Address::Unix(socket) = edge.address() else { panic!("the edge listens on a unix socket") };
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_version} %{http_code}",
        "--http2-prior-knowledge",
    ]);
    for (name, value) in SPOOFS {
        curl.arg("--header").arg(format!("{name}: {value}"));
    }
    let output =
        curl.arg("--unix-socket").arg(socket).arg("http://edge.test/").output().expect("curl is installed");
    let output = String::from_utf8(output.stdout).unwrap();
    output.strip_prefix("2 ").unwrap_or_else(|| panic!("not HTTP/2: {output}")).to_owned()
}

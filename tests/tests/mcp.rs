//! Calls of the Model Context Protocol through `haproxy-mcp.cfg`: which policy judges one, and what is no call.
//!
//! The server is a program of the tests that takes any call, since what is asked here is what reaches it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::Request;
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::token::{now, token};
use serde_json::json;
use tempfile::TempDir;

const PATH: &str = "/mcp";
const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";
const ORIGIN: &str = "https://app.example.com";

/// Reading for the scope `read`, deleting for `write`, a listing for both.
const ROWS: &str = r#"
[[policies]]
name = "mcp-read"
any_scope = ["read", "write"]

[[policies]]
name = "mcp-write"
all_scopes = ["write"]

[[mcp]]
policy = "mcp"
use = "mcp-read"
methods = ["tools/list", "server/discover"]

[[mcp]]
policy = "mcp"
use = "mcp-read"
methods = ["tools/call"]
names = ["read_*"]

[[mcp]]
policy = "mcp"
use = "mcp-write"
methods = ["tools/call"]
names = ["delete_*", "read_*"]
"#;

fn setup(change: fn(Setup) -> Setup) -> (Edge, TempDir) {
    let folder = TempDir::with_prefix("mcp-").unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let setup = Setup::new(Shipped::Mcp)
        .agent_env("JWT_CONFIG", &file("agent.toml", ROWS))
        .haproxy_env("MCP_METADATA", &file("metadata.json", r#"{"resource":"https://mcp.example.com/mcp"}"#))
        .haproxy_env("MCP_ORIGINS", &file("origins.lst", &format!("{ORIGIN}\n")));
    (change(setup).start(), folder)
}

fn edge() -> (Edge, TempDir) {
    setup(|setup| setup)
}

fn bearer(scope: &str) -> String {
    token(key("ES256"), json!({ "scope": scope, "exp": now() + 600 }))
}

fn post() -> Request {
    Request::line(&format!("POST {PATH} HTTP/1.1"))
}

/// A call as a client of the revision sends it, but for its body.
fn call(method: &str, name: &str) -> Request {
    let call = post().header("MCP-Protocol-Version", "2026-07-28").header("Mcp-Method", method);
    if name.is_empty() { call } else { call.header("Mcp-Name", name) }
}

fn encoded(name: &str) -> String {
    format!("=?base64?{}?=", STANDARD.encode(name))
}

#[test]
fn a_scope_opens_its_tools_and_no_others_however_their_names_are_written() {
    let (edge, _folder) = edge();
    let (read, write) = (bearer("read"), bearer("write"));
    let names: [fn(&str) -> String; 2] = [str::to_owned, encoded];
    for form in names {
        for (tool, scope, status) in [
            ("read_x", &read, 200),
            ("read_x", &write, 200),
            ("delete_x", &read, 403),
            ("delete_x", &write, 200),
            ("other", &write, 403),
            ("Read_x", &write, 403),
            ("xread_x", &write, 403),
        ] {
            let name = form(tool);
            // Twice: the second answer is a kept verdict on the same token.
            for _ in 0..2 {
                edge.comes_to(&name, status, &call("tools/call", &name).bearer(scope));
            }
        }
    }
    edge.admits("a listing", &call("tools/list", "").bearer(&read));
    edge.refuses("a method of no row", 403, &call("resources/read", "file:///x").bearer(&write));
    edge.refuses("another", 403, &call("initialize", "").bearer(&write));
    edge.refuses("another case", 403, &call("Tools/call", "read_x").bearer(&write));
}

#[test]
fn a_call_without_a_good_token_is_told_where_to_get_one() {
    let (edge, _folder) = edge();
    for (what, request) in [
        ("no token", call("tools/list", "")),
        ("a bad one", call("tools/list", "").bearer("a.b.c")),
        (
            "one in the query",
            Request::line(&format!("POST {PATH}?access_token={} HTTP/1.1", bearer("read")))
                .header("MCP-Protocol-Version", "2026-07-28")
                .header("Mcp-Method", "tools/list"),
        ),
    ] {
        let refused = edge.refuses(what, 401, &request.header("Origin", ORIGIN));
        let challenge = refused.header("www-authenticate").unwrap_or_default();
        assert!(challenge.starts_with("Bearer "), "{what}: {challenge}");
        assert_eq!(challenge.contains("error="), what == "a bad one", "{what}: {challenge}");
        assert_eq!(refused.header("access-control-allow-origin"), Some(ORIGIN), "{what}");
        assert!(refused.header("access-control-expose-headers").unwrap().contains("WWW-Authenticate"));
    }
    let refused = edge.refuses("no scope", 403, &call("tools/call", "delete_x").bearer(&bearer("read")));
    let challenge = refused.header("www-authenticate").unwrap_or_default();
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
}

#[test]
fn headers_that_tell_no_call_are_refused_whatever_the_token_is() {
    let (edge, _folder) = edge();
    let good = bearer("read write");
    let version =
        |version: &str| post().header("MCP-Protocol-Version", version).header("Mcp-Method", "tools/list");
    for (what, request) in [
        ("none", post()),
        ("no version", post().header("Mcp-Method", "tools/list")),
        ("no method", post().header("MCP-Protocol-Version", "2026-07-28")),
        ("no name", call("tools/call", "")),
        ("an older revision", version("2025-11-25")),
        ("no revision", version("latest")),
        ("two versions", version("2025-11-25").header("MCP-Protocol-Version", "2026-07-28")),
        ("two methods", call("tools/list", "").header("mcp-method", "tools/call")),
        ("two names", call("tools/call", "delete_x").header("Mcp-Name", "read_x")),
        ("two in one", call("tools/call", "delete_x").header("Mcp-Name", "")),
        ("no base64", call("tools/call", "=?base64?read_x?=")),
        ("no end", call("tools/call", "=?base64?cmVhZF94")),
        ("another case", call("tools/call", "=?BASE64?cmVhZF94?=")),
        ("another encoding", call("tools/call", "=?utf-8?b?cmVhZF94?=")),
        ("no ASCII", call("tools/call", "read_caf\u{e9}")),
        (
            "a folded spelling",
            post().header("MCP-Protocol-Version", "2026-07-28").header("Mcp_Method", "tools/list"),
        ),
    ] {
        edge.refuses(what, 400, &request.bearer(&good));
    }
}

#[test]
fn what_is_no_call_gets_no_further() {
    let (edge, _folder) = edge();
    let good = bearer("read write");
    let other = |line: &str| {
        Request::line(line)
            .header("MCP-Protocol-Version", "2026-07-28")
            .header("Mcp-Method", "tools/list")
            .bearer(&good)
    };
    for (what, status, request) in [
        ("GET", 405, other("GET /mcp HTTP/1.1")),
        ("DELETE", 405, other("DELETE /mcp HTTP/1.1")),
        ("OPTIONS", 405, other("OPTIONS /mcp HTTP/1.1")),
        ("another path", 404, other("POST /mcp/ HTTP/1.1")),
        ("another case", 404, other("POST /MCP HTTP/1.1")),
        ("the root", 404, other("GET / HTTP/1.1")),
        ("an odd path", 404, other("POST //mcp HTTP/1.1")),
        ("an absolute form", 400, other("POST http://x/mcp HTTP/1.1")),
        ("a page of a stranger", 403, other("POST /mcp HTTP/1.1").header("Origin", "https://evil.example")),
        (
            "a longer origin",
            403,
            other("POST /mcp HTTP/1.1").header("Origin", format!("{ORIGIN}.evil.example")),
        ),
        ("null", 403, other("POST /mcp HTTP/1.1").header("Origin", "null")),
        ("two origins", 403, other("POST /mcp HTTP/1.1").header("Origin", "null").header("Origin", ORIGIN)),
    ] {
        let refused = edge.refuses(what, status, &request);
        assert_eq!(refused.header("allow"), (status == 405).then_some("POST"), "{what}");
    }
    edge.admits("a page of ours", &other("POST /mcp HTTP/1.1").header("Origin", ORIGIN));
}

#[test]
fn the_server_gets_what_was_judged_and_not_the_token() {
    let (edge, _folder) = edge();
    let request = call("tools/call", "read_x").header("Mcp_Name", "delete_x").header("X-Tkn-Valid", "0");
    let seen = edge.admits("a call", &request.header("Mcp.Method", "initialize").bearer(&bearer("read")));
    assert_eq!(seen.header("authorization"), None);
    assert_eq!((seen.header("mcp-name"), seen.header("mcp-method")), (Some("read_x"), Some("tools/call")));
    assert_eq!((seen.header("mcp_name"), seen.header("mcp.method")), (None, None));
    assert_eq!(seen.header("x-tkn-valid"), Some("1"));
}

#[test]
fn metadata_and_preflights_need_no_token() {
    let (edge, _folder) = edge();
    edge.backend.forget();
    let found = edge.send(&Request::get(METADATA).header("Origin", "https://evil.example"));
    assert_eq!((found.status, found.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(found.header("content-type"), Some("application/json"));
    let asked = |origin: &str| {
        Request::line("OPTIONS /mcp HTTP/1.1")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,mcp-method,mcp-param-x")
    };
    let allowed = edge.send(&asked(ORIGIN));
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, Some(ORIGIN)));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization,mcp-method,mcp-param-x"));
    edge.refuses("a stranger's", 403, &asked("https://evil.example"));
    assert!(edge.backend.seen().is_empty());
}

#[test]
fn a_configuration_that_does_not_tell_of_calls_opens_nothing() {
    let good = bearer("read write");
    let (edge, _folder) = setup(|setup| {
        setup.edit(|text, _| {
            text.replace("engine jwt-mcp", "engine jwt-group").replace("group jwt-mcp", "group jwt-group")
        })
    });
    edge.refuses("without the message", 400, &call("tools/call", "read_x").bearer(&good));
    let (edge, _folder) = setup(|setup| setup.change("str(mcp)", "str(default)"));
    edge.refuses("by a policy of no row", 503, &call("tools/call", "read_x").bearer(&good));
}

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
use serde_json::{Value, json};
use tempfile::TempDir;

const PATH: &str = "/mcp";
const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";
const ORIGIN: &str = "https://app.example.com";
/// What the operator lists, and nothing of the policies.
const DOCUMENT: &str = r#"{"resource":"https://mcp.example.com/mcp"}"#;

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
        .haproxy_env("MCP_METADATA", &file("metadata.json", DOCUMENT))
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
        (
            "one in a cookie",
            call("tools/list", "").header("Cookie", format!("access_token={}", bearer("read"))),
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
    assert_eq!(String::from_utf8_lossy(&found.body), DOCUMENT);
    // Nothing else lies there, with a token neither.
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/",
        "/.well-known/oauth-protected-resource/mcp/",
        "/.well-known/oauth-protected-resource/MCP",
        "/.well-known/oauth-protected-resource/mcp/../../agent.toml",
        "/.well-known/openid-configuration",
    ] {
        let answer = edge.refuses(path, 404, &Request::get(path).bearer(&bearer("read write")));
        assert!(!String::from_utf8_lossy(&answer.body).contains("mcp.example.com"), "{path}: {answer}");
    }
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

#[test]
fn what_a_client_says_of_policies_chooses_none() {
    let (edge, _folder) = edge();
    let read = bearer("read");
    let delete = |query: &str| {
        Request::line(&format!("POST {PATH}{query} HTTP/1.1"))
            .header("MCP-Protocol-Version", "2026-07-28")
            .header("Mcp-Method", "tools/call")
            .header("Mcp-Name", "delete_x")
            .bearer(&read)
    };
    for (what, request) in [
        ("nothing", delete("")),
        ("a parameter", delete("?policy=mcp-read&tkn_policy=mcp-read&txn.tkn_policy=mcp-read")),
        ("a header", delete("").header("Policy", "mcp-read").header("X-Tkn-Policy", "mcp-read")),
        ("a header of the name of a variable", delete("").header("txn.tkn_policy", "mcp-read")),
        ("a cookie", delete("").header("Cookie", "policy=mcp-read; tkn_policy=mcp-read")),
        ("a parameter of the tool", delete("").header("Mcp-Param-Policy", "mcp-read")),
        ("names like its own", delete("").header("Mcp-Param-Name", "read_x").header("Mcp-Name-2", "read_x")),
        (
            "another method",
            delete("").header("X-HTTP-Method-Override", "GET").header("X-Mcp-Method", "tools/list"),
        ),
    ] {
        let refused = edge.refuses(what, 403, &request);
        let challenge = refused.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains("scope=\"write\""), "{what}: {challenge}");
    }
}

#[test]
fn a_token_for_an_identifier_of_another_spelling_is_for_another_server() {
    let (edge, _folder) = setup(|setup| setup.agent_env("JWT_RESOURCE", "https://mcp.example.com/mcp"));
    let told = |aud: &Value| {
        let claims = json!({ "scope": "read", "exp": now() + 600, "aud": aud });
        call("tools/list", "").bearer(&token(key("ES256"), claims))
    };
    edge.admits("its own", &told(&json!("https://mcp.example.com/mcp")));
    edge.admits("among others", &told(&json!(["https://other.example", "https://mcp.example.com/mcp"])));
    for aud in [
        json!("https://mcp.example.com/mcp/"),
        json!("https://mcp.example.com"),
        json!("https://mcp.example.com/"),
        json!("https://mcp.example.com/MCP"),
        json!("https://MCP.example.com/mcp"),
        json!("https://mcp.example.com:443/mcp"),
        json!("http://mcp.example.com/mcp"),
        json!("https://mcp.example.com/mcp?x"),
        json!("https://mcp.example.com/mcp#"),
        json!("https://mcp.example.com/mc"),
        json!("https://mcp.example.com/mcp https://other.example"),
        json!([["https://mcp.example.com/mcp"]]),
        json!([]),
        json!(null),
    ] {
        let refused = edge.refuses(&aud.to_string(), 401, &told(&aud));
        let challenge = refused.header("www-authenticate").unwrap_or_default();
        let leads = "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"";
        assert!(
            challenge.contains(leads) && challenge.contains("error=\"invalid_token\""),
            "{aud}: {challenge}"
        );
    }
}

#[test]
fn a_challenge_says_the_same_whatever_is_in_the_token_and_the_call() {
    const INJECTED: &str = "x\", scope=\"admin\"\r\nWWW-Authenticate: Basic realm=\"x\\";
    let (edge, _folder) = edge();
    let refused = |claims: Value, request: Request| {
        let refused = edge.refuses(&claims.to_string(), 403, &request.bearer(&token(key("ES256"), claims)));
        let named = refused.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
        named.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let plain = refused(json!({ "scope": "read" }), call("tools/call", "delete_x"));
    assert_eq!(plain.len(), 1);
    for claims in [
        json!({ "scope": format!("read {INJECTED}") }),
        json!({ "scope": "read", "sub": INJECTED, "iss": INJECTED, "client_id": INJECTED, "acr": INJECTED }),
        json!({ "scope": "read", "realm": INJECTED, "error": INJECTED, "resource_metadata": "https://evil.example" }),
    ] {
        assert_eq!(refused(claims, call("tools/call", "delete_x")), plain);
    }
    let name = encoded(&format!("delete_{INJECTED}"));
    let host =
        call("tools/call", &name).header("X-Forwarded-Host", "evil.example").header("Forwarded", "host=evil");
    assert_eq!(refused(json!({ "scope": "read" }), host), plain);
}

/// The limit that docs/MCP.md tells: the server here does not compare the two.
#[test]
fn what_the_headers_say_is_judged_and_not_the_body() {
    let (edge, _folder) = edge();
    let send = |header: &str, body: &str| {
        let params = json!({ "name": body });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
        let length = body.len().to_string();
        let head = call("tools/call", header).bearer(&bearer("read")).header("Content-Length", length);
        let before = edge.backend.seen().len();
        let answer = edge.exchange(&[head.to_bytes(), body.into_bytes()].concat()).unwrap();
        (answer.status, edge.backend.seen().len() - before)
    };
    assert_eq!(send("read_x", "delete_x"), (200, 1));
    assert_eq!(send("delete_x", "read_x"), (403, 0));
}

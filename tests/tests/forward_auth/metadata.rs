//! How clients find where to log in: the challenges and the document about the API reach them through each proxy.

use integration_tests::http::Response;

use super::*;

const API: &str = "https://api.example.com/mcp";
const PATH: &str = "/.well-known/oauth-protected-resource/mcp";
const DOCUMENT: &str = r#"{"authorization_servers":["https://id.example.com"],"bearer_methods_supported":["header"],"resource":"https://api.example.com/mcp","scopes_supported":["admin"]}"#;

fn start(proxy: Proxy, shipped: fn(Proxy, &str) -> String) -> (Gateway, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    fs::write(
        &file,
        "[[policies]]\nname = \"default\"\n[[policies]]\nname = \"admin\"\nall_scopes = [\"admin\"]\n",
    )
    .unwrap();
    let settings = [
        ("TOKEN_SERVER_CONFIG", file.to_str().unwrap()),
        ("TOKEN_SERVER__VERIFY__ISSUERS", "https://id.example.com"),
        ("TOKEN_SERVER__VERIFY__RESOURCE", API),
    ];
    let gateway =
        Gateway::start_changed(proxy, jwks([key("ES256")]), &settings, |text| shipped(proxy, &text));
    (gateway, folder)
}

/// The only value of the header.
fn challenge(response: &Response) -> &str {
    let mut found = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    let (_, value) = found.next().unwrap_or_else(|| panic!("no challenge: {response}"));
    assert!(found.next().is_none(), "two challenges: {response}");
    value
}

fn leads_clients_to_the_document(proxy: Proxy, shipped: fn(Proxy, &str) -> String) {
    let (gateway, _folder) = start(proxy, shipped);
    let told = |aud: &str| token(key("ES256"), json!({"iss": "https://id.example.com", "aud": aud}));
    let metadata = format!(r#"resource_metadata="https://api.example.com{PATH}""#);
    let common = format!(r#"Bearer realm="api", scope="admin", {metadata}"#);
    for (what, request, status, expected) in [
        ("no token", Request::get("/x"), 401, common.clone()),
        (
            "one for another API",
            Request::get("/x").bearer(&told("https://api.example.com/mcp/")),
            401,
            format!(r#"{common}, error="invalid_token", error_description="audience""#),
        ),
        (
            "one without the scope",
            Request::get("/x").bearer(&told(API)),
            403,
            format!(r#"{common}, error="insufficient_scope", error_description="scope""#),
        ),
    ] {
        let refused = gateway.refuses(what, &request);
        assert_eq!((refused.status, challenge(&refused)), (status, expected.as_str()), "{what}: {refused}");
    }
    let page = |line: &str| Request::line(line).header("Origin", "https://app.example.com");
    for request in [
        page(&format!("GET {PATH} HTTP/1.1")),
        page(&format!("GET {PATH}?x=1 HTTP/1.1")),
        page(&format!("GET {PATH} HTTP/1.1")).bearer("a.b.c"),
    ] {
        let found = gateway.ask(&request);
        assert_eq!((found.status, String::from_utf8_lossy(&found.body).as_ref()), (200, DOCUMENT));
        assert_eq!(found.header("content-type"), Some("application/json"));
        assert_eq!(found.header("access-control-allow-origin"), Some("*"));
        assert_eq!(found.header("cache-control"), Some("public, max-age=3600"));
    }
    let preflight = page(&format!("OPTIONS {PATH} HTTP/1.1"))
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "mcp-protocol-version");
    let allowed = gateway.ask(&preflight);
    assert_eq!((allowed.status, allowed.header("access-control-allow-headers")), (204, Some("*")));
    for (status, line) in [
        (404, "GET /.well-known/oauth-protected-resource HTTP/1.1"),
        (404, "GET /.well-known/oauth-protected-resource/mcp/ HTTP/1.1"),
        (404, "GET /.well-known/oauth-protected-resource/MCP HTTP/1.1"),
        (405, "POST /.well-known/oauth-protected-resource/mcp HTTP/1.1"),
    ] {
        assert_eq!(gateway.ask(&Request::line(line)).status, status, "{line}");
    }
    // What lies beside it in token-server is for proxies and agents.
    for path in [
        "/.well-known/oauth-protected-resource/../../v1/events",
        "/.well-known/oauth-protected-resource/..%2f..%2fverify",
        "/.well-known/oauth-protected-resource/%2e%2e/%2e%2e/openapi.json",
        "/.well-known/oauth-protected-resource/..;/..;/verify",
        "//.well-known/oauth-protected-resource/mcp/../../../verify",
        "/.well-known/oauth-protected-resource-x",
    ] {
        let answer = gateway.ask(&Request::get(path));
        assert!((400..=404).contains(&answer.status), "{path}: {answer}");
    }
    assert!(gateway.backend.seen().is_empty());
    gateway.admits(
        "a good token",
        &Request::get("/x").bearer(&{
            token(key("ES256"), json!({"iss": "https://id.example.com", "aud": API, "scope": "admin"}))
        }),
    );
}

fn with_routes(proxy: Proxy, shipped: &str) -> String {
    proxy.with_routes(shipped.to_owned())
}

#[test]
fn traefik_leads_clients_to_the_document() {
    leads_clients_to_the_document(Proxy::Traefik, asking_for_admin);
}

#[test]
fn traefik_over_http2_leads_clients_to_the_document() {
    leads_clients_to_the_document(Proxy::TraefikHttp2, asking_for_admin);
}

#[test]
fn nginx_leads_clients_to_the_document() {
    leads_clients_to_the_document(Proxy::Nginx, asking_for_admin);
}

#[test]
fn envoy_leads_clients_to_the_document() {
    leads_clients_to_the_document(Proxy::Envoy, asking_for_admin);
}

#[test]
fn traefik_with_a_policy_for_each_route_leads_clients_to_the_document() {
    leads_clients_to_the_document(Proxy::Traefik, with_routes);
}

#[test]
fn nginx_with_a_policy_for_each_route_leads_clients_to_the_document() {
    leads_clients_to_the_document(Proxy::Nginx, with_routes);
}

#[test]
fn envoy_with_a_policy_for_each_route_leads_clients_to_the_document() {
    leads_clients_to_the_document(Proxy::Envoy, with_routes);
}

//! The document about an API: where it is found, by whom, and that nothing else is.

use axum::http::HeaderMap;
use integration_tests::keys::{jwks, key};

use super::*;
use crate::config::Config;

/// Where the document about https://api.example.com/mcp is.
const PATH: &str = "/.well-known/oauth-protected-resource/mcp";

/// A server with an issuer, these settings, and this file of tables.
async fn server_of(settings: &[(&str, &str)], tables: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let (keys, file) = (folder.path().join("keys.json"), folder.path().join("settings.toml"));
    std::fs::write(&keys, jwks([key("ES256")])).unwrap();
    std::fs::write(&file, tables).unwrap();
    let variables = [
        ("TOKEN_SERVER_CONFIG", file.to_str().unwrap()),
        ("TOKEN_SERVER__JWKS__FILE", keys.to_str().unwrap()),
        ("TOKEN_SERVER__VERIFY__ISSUERS", "https://id.example.com"),
    ];
    let variables = variables.iter().chain(settings).map(|(name, value)| ((*name).into(), (*value).into()));
    let config = Config::from_environment(variables).unwrap();
    server(|app| app.in_use = in_use(config.verify.unwrap(), VerifyMetrics::default(), &no_keys(1))).await
}

impl Server {
    async fn asked(&self, method: Method, path: &str, host: &str) -> (u16, HeaderMap, String) {
        let request = Request::builder().method(method).uri(path).header("host", host);
        let response = main_routes(&self.app).answer(request.body(Body::empty()).unwrap()).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn the_document_is_where_the_identifier_says_and_tells_what_is_configured_and_no_more() {
    let resource = ("TOKEN_SERVER__VERIFY__RESOURCE", "https://api.example.com/mcp");
    let tables = "[[policies]]\nname = 'read'\nall_scopes = ['read']\nclaims = { tenant = ['secret'] }\n\
                  [[policies]]\nname = 'write'\nany_scope = ['write', 'admin']\n";
    let server = server_of(&[resource], tables).await;
    // Whatever the host: what a proxy makes of it is its own affair.
    for host in ["api.example.com", "127.0.0.1:4000", "evil.example"] {
        let (status, headers, text) = server.asked(Method::GET, &format!("{PATH}?x=1"), host).await;
        assert_eq!(
            (status, text.as_str()),
            (
                200,
                r#"{"authorization_servers":["https://id.example.com"],"bearer_methods_supported":["header"],"resource":"https://api.example.com/mcp","scopes_supported":["admin","read","write"]}"#
            )
        );
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(headers["cache-control"], "public, max-age=3600");
    }
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/",
        "/.well-known/oauth-protected-resource/mcp/",
        "/.well-known/oauth-protected-resource/MCP",
        "/.well-known/oauth-protected-resource/%6dcp",
        "/.well-known/oauth-protected-resource//mcp",
        "/.well-known/oauth-protected-resource/x/../mcp",
        "/.well-known/oauth-protected-resource/../../v1/events",
        "/.well-known/oauth-protected-resourcemcp",
        "/mcp/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
        "//.well-known/oauth-protected-resource/mcp",
    ] {
        let (status, _, text) = server.asked(Method::GET, path, "api.example.com").await;
        assert_eq!(status, 404, "{path}: {text}");
        assert!(!text.contains("id.example.com"), "{path}: {text}");
    }
    let (_, admin) = (server.main(Method::GET, PATH, "").await, server.admin(Method::GET, PATH, "").await);
    assert_eq!(admin.status, StatusCode::NOT_FOUND, "{}", admin.text);
}

#[tokio::test(start_paused = true)]
async fn without_an_identifier_there_is_no_document() {
    let nothing_verified = server(|app| app.in_use = ArcSwapOption::empty()).await;
    let audience = ("TOKEN_SERVER__VERIFY__AUDIENCES", "https://api.example.com/mcp");
    for server in [server_of(&[audience], "").await, nothing_verified] {
        for path in [PATH, "/.well-known/oauth-protected-resource"] {
            assert_eq!(server.asked(Method::GET, path, "api.example.com").await.0, 404, "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_any_origin_may_ask_and_only_read() {
    let server = server_of(&[("TOKEN_SERVER__VERIFY__RESOURCE", "https://api.example.com/mcp")], "").await;
    let (_, _, document) = server.asked(Method::GET, PATH, "h").await;
    let (status, headers, text) = server.asked(Method::HEAD, PATH, "h").await;
    assert_eq!((status, text.as_str()), (200, ""));
    assert_eq!(headers["content-length"], document.len().to_string().as_str());
    let (status, headers, text) = server.asked(Method::OPTIONS, PATH, "h").await;
    assert_eq!((status, text.as_str()), (204, ""));
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET, HEAD"),
        ("access-control-allow-headers", "*"),
    ] {
        assert_eq!(headers[name], value);
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let (status, headers, _) = server.asked(method.clone(), PATH, "h").await;
        assert_eq!(status, 405, "{method}");
        assert_eq!(headers["allow"], "GET,HEAD,OPTIONS", "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_apis_with_one_path_on_several_hosts_the_host_says_which_is_meant() {
    let tables = "[[policies]]\nname = 'a'\nresource = 'https://a.example/mcp'\n\
                  [[policies]]\nname = 'b'\nresource = 'https://b.example:8443/mcp'\n\
                  [[policies]]\nname = 'alone'\nresource = 'https://b.example:8443/other'\n";
    let server = server_of(&[], tables).await;
    for (host, resource) in [
        ("a.example", Some("https://a.example/mcp")),
        ("A.example:443", Some("https://a.example/mcp")),
        ("b.example:8443", Some("https://b.example:8443/mcp")),
        ("b.example", None),
        ("a.example.evil.example", None),
    ] {
        let (status, _, text) = server.asked(Method::GET, PATH, host).await;
        assert_eq!(status, if resource.is_some() { 200 } else { 404 }, "{host}");
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["resource"].as_str(), resource, "{host}");
    }
    let other = "/.well-known/oauth-protected-resource/other";
    assert_eq!(server.asked(Method::GET, other, "127.0.0.1").await.0, 200);
}

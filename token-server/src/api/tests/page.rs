//! The page's files, and what browsers are not let do for pages of others.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::Response;

use super::browsers::{has_another_name, writes_for_another_site};
use super::*;

async fn get(server: &Server, path: &str) -> Response {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    Routes::from(admin_router(&server.app, AdminAccess::Bearer)).answer(request).await
}

#[tokio::test(start_paused = true)]
async fn the_page_is_there_where_it_is_wanted_and_its_headers_keep_it_to_itself() {
    let without = server(|_| {}).await;
    for path in ["/ui", "/ui/", "/ui/page.js", "/ui/page.css"] {
        assert_eq!(get(&without, path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let with = server(|app| app.page = true).await;
    for (path, media_type) in [
        ("/ui/", "text/html; charset=utf-8"),
        ("/ui/page.js", "text/javascript; charset=utf-8"),
        ("/ui/page.css", "text/css; charset=utf-8"),
        ("/ui/icon.svg", "image/svg+xml"),
    ] {
        let answer = get(&with, path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap();
        assert_eq!(header("content-type"), media_type);
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.split("; ").any(|directive| directive == part), "{policy}");
        }
    }
    for path in ["/ui/page.html", "/ui/tests.rs", "/ui/..", "/ui/%2e%2e", "/ui/page.js/", "/ui//"] {
        assert_eq!(get(&with, path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let moved = get(&with, "/ui").await;
    assert_eq!(moved.headers()[header::LOCATION], "ui/");
    let agents = main_routes(&with.app);
    let request = Request::builder().uri("/ui/").body(Body::empty()).unwrap();
    assert_eq!(agents.answer(request).await.status(), StatusCode::NOT_FOUND);
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        headers.append(name, value);
    }
    headers
}

#[test]
fn what_another_sites_page_has_a_browser_write_is_told_apart() {
    let host = ("host", "127.0.0.1:4001");
    for (shown, other) in [
        (&[host][..], false),
        (&[host, ("sec-fetch-site", "same-origin")], false),
        (&[host, ("sec-fetch-site", "none")], false),
        (&[host, ("sec-fetch-site", "cross-site")], true),
        (&[host, ("sec-fetch-site", "same-site")], true),
        (&[host, ("sec-fetch-site", "")], true),
        (&[host, ("sec-fetch-site", "Same-Origin")], true),
        (&[host, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], true),
        (&[host, ("origin", "http://127.0.0.1:4001")], false),
        (&[("host", "Admin.example.com"), ("origin", "https://admin.example.com")], false),
        (&[host, ("origin", "http://127.0.0.1:4002")], true),
        (&[host, ("origin", "http://evil.example.com")], true),
        (&[host, ("origin", "null")], true),
        (&[("origin", "http://127.0.0.1:4001")], true),
        (&[host, ("origin", "http://127.0.0.1:4001"), ("sec-fetch-site", "cross-site")], true),
    ] {
        for method in [Method::POST, Method::DELETE, Method::PUT, Method::PATCH] {
            assert_eq!(writes_for_another_site(&method, &headers(shown)), other, "{method} {shown:?}");
        }
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert!(!writes_for_another_site(&method, &headers(shown)), "{method} {shown:?}");
        }
    }
}

#[test]
fn a_name_of_a_domain_is_no_name_of_this_machine() {
    for (host, other) in [
        ("127.0.0.1:4001", false),
        ("127.0.0.1", false),
        ("[::1]:4001", false),
        ("localhost:4001", false),
        ("LOCALHOST.", false),
        ("admin.localhost:4001", false),
        ("192.0.2.7:4001", false),
        ("evil.example.com:4001", true),
        ("127.0.0.1.example.com:4001", true),
        ("localhost.example.com", true),
        ("evillocalhost:4001", true),
        ("", true),
        ("[evil.example.com]", true),
    ] {
        assert_eq!(has_another_name(&Uri::from_static("/"), &headers(&[("host", host)])), other, "{host}");
    }
    let nowhere = headers(&[]);
    assert!(!has_another_name(&Uri::from_static("/"), &nowhere), "no browser leaves it out");
    assert!(has_another_name(&Uri::from_static("https://evil.example.com/ui/"), &nowhere));
    let two = headers(&[("host", "localhost"), ("host", "evil.example.com")]);
    assert!(has_another_name(&Uri::from_static("/"), &two));
}

#[tokio::test(start_paused = true)]
async fn every_write_of_another_site_is_refused_and_nothing_is_written() {
    let server = server_with(&[("anna", r#"{"stored":1}"#)], |_| {}).await;
    let router = || admin_router(&server.app, AdminAccess::Named);
    for route in admin::table() {
        let method = match route.method {
            axum::routing::MethodFilter::POST => Method::POST,
            axum::routing::MethodFilter::DELETE => Method::DELETE,
            _ => continue,
        };
        let path = route.path.replace("{group}", "anna").replace("{id}", "0000000003e8-0000");
        let shown = [("sec-fetch-site", "cross-site")];
        let answer = call(router(), method.clone(), &path, &shown, r#"{"rule":{"a":1}}"#).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}: {}", answer.text);
        assert!(answer.text.contains("another site"), "{}", answer.text);
    }
    let rules = server.admin(Method::GET, "/v1/rules/anna", "").await.json();
    assert_eq!(rules["rules"].as_array().map(Vec::len), Some(1), "{rules}");
    let own = [("sec-fetch-site", "same-origin")];
    let answer = call(router(), Method::POST, "/v1/rules/anna", &own, r#"{"rule":{"a":1}}"#).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
}

#[tokio::test(start_paused = true)]
async fn on_loopback_the_page_answers_to_no_name_of_a_domain_and_an_api_without_it_to_all() {
    let (with, without) = (server(|app| app.page = true).await, server(|_| {}).await);
    for (server, names, host, expected) in [
        (&with, Names::OfThisMachine, "evil.example.com:4001", StatusCode::MISDIRECTED_REQUEST),
        (&with, Names::OfThisMachine, "127.0.0.1:4001", StatusCode::OK),
        (&with, Names::Any, "admin.example.com", StatusCode::OK),
        (&without, Names::OfThisMachine, "admin.example.com", StatusCode::OK),
    ] {
        let routes = || admin_listener_router(&server.app, names);
        for path in ["/health", "/metrics", "/ui/"] {
            let answer = call(routes(), Method::GET, path, &[("host", host)], "").await;
            let is_off = path == "/ui/" && !server.app.page;
            assert_eq!(answer.status, if is_off { StatusCode::NOT_FOUND } else { expected }, "{host} {path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_caller_is_told_its_name_and_role() {
    let file = "rita read token-of-rita-000\nrob revoke token-of-rob-0000\n";
    let server = server(|app| app.admin_tokens = admin_tokens(file)).await;
    for (token, name, role) in [("token-of-rita-000", "rita", "read"), ("token-of-rob-0000", "rob", "revoke")]
    {
        let shown = [("authorization", &*format!("Bearer {token}"))];
        let routes = admin_router(&server.app, AdminAccess::Bearer);
        let answer = call(routes, Method::GET, "/v1/me", &shown, "").await;
        assert_eq!(answer.json(), serde_json::json!({ "name": name, "role": role }));
    }
}

//! Traefik, nginx and Envoy with the shipped configurations, in front of a real token-server.

mod api_keys;
mod metadata;
mod proofs;

use std::fs;
use std::thread;

use integration_tests::backend::Seen;
use integration_tests::gateway::Gateway;
use integration_tests::http::Request;
use integration_tests::key_server::Answer;
use integration_tests::keys::{jwks, key};
use integration_tests::proxy::Proxy;
use integration_tests::socket::Address;
use integration_tests::token::{forge_signature, now, token};
use integration_tests::wait::eventually;
use serde_json::json;
use tempfile::TempDir;

/// What an application would take for the user's name, however it folds names.
fn user(seen: &Seen) -> Vec<(String, String)> {
    let is_user = |name: &str| {
        matches!(name.to_ascii_lowercase().replace(['_', '.'], "-").as_str(), "x-user-id" | "x-user-email")
    };
    let told = seen.headers.iter().filter(|(name, value)| is_user(name) && !value.is_empty());
    told.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn decides_each_request(proxy: Proxy) {
    let settings = [
        ("TOKEN_SERVER__VERIFY__PREFLIGHT", "true"),
        ("TOKEN_SERVER__VERIFY__QUERY", "access_token"),
        ("TOKEN_SERVER__VERIFY__COOKIE", "session"),
    ];
    let gateway = Gateway::start(proxy, jwks(["ES256", "ML-DSA-65", "ML-DSA-87"].map(key)), &settings);

    let missing = gateway.refuses("no token", &Request::get("/"));
    assert_eq!((missing.status, missing.header("www-authenticate")), (401, Some("Bearer realm=\"api\"")));
    let expired = token(key("ES256"), json!({"exp": now() - 1}));
    assert_eq!(gateway.refuses("expired", &Request::get("/").bearer(&expired)).status, 401);
    let unsigned = token(key("EdDSA"), json!({}));
    assert_eq!(gateway.refuses("another's key", &Request::get("/").bearer(&unsigned)).status, 401);

    let good = token(key("ES256"), json!({"email": "alice@a.example"}));
    let seen = gateway.admits("a good token", &Request::get("/a/b?c=d").bearer(&good));
    assert!(seen.line.starts_with("GET /a/b?c=d HTTP/1."), "{}", seen.line);
    let mut told = user(&seen);
    told.sort();
    assert_eq!(told, [pair("x-user-email", "alice@a.example"), pair("x-user-id", "alice")]);
    let in_query = Request::get(&format!("/a?access_token={good}"));
    assert_eq!(gateway.admits("in the query", &in_query).header("x-user-id"), Some("alice"));
    let host = format!("h?access_token={good}#");
    for (host, query, status) in [
        (host.as_str(), String::new(), &[400, 401][..]),
        (host.as_str(), format!("?access_token={good}x"), &[400, 401]),
        ("h", format!("?access_token={good}&access%5Ftoken={good}"), &[401]),
    ] {
        let bytes = format!("GET /a{query} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = gateway.answer_to(bytes.as_bytes());
        assert!(status.contains(&answer.status), "{host} {query}: {answer}");
    }
    let encoded = Request::get(&format!("/a?access%5Ftoken={good}"));
    assert_eq!(gateway.admits("an encoded name", &encoded).header("x-user-id"), Some("alice"));
    // Over HTTP/2 each cookie may come in a header of its own.
    let cookies = format!("a=b; session={good}; c=d");
    gateway.admits("among cookies", &Request::get("/").header("Cookie", cookies));

    long_tokens(&gateway);
    spoofed_headers(&gateway);
    preflights(&gateway);

    let route = if proxy == Proxy::Envoy { "/verify/{*path}" } else { "/verify" };
    let measured = format!(r#"token_server_request_seconds_count{{route="{route}",status="401"}}"#);
    let metrics = gateway.token_server.metrics();
    assert!(metrics.contains(&measured), "{measured} is not among\n{metrics}");

    gateway.token_server.revoke("alice", &json!({"iat": {"lte": now() + 60}}));
    let revoked = Request::get("/").bearer(&good);
    assert_eq!(gateway.refuses("revoked", &revoked).status, 401);
    gateway.token_server.restore("alice");
    gateway.admits("given back", &revoked);
}

/// Those of ML-DSA, whose signature alone has up to 6,170 characters.
fn long_tokens(gateway: &Gateway) {
    for algorithm in ["ML-DSA-65", "ML-DSA-87"] {
        let long = token(key(algorithm), json!({"sub": algorithm, "blob": "x".repeat(1000)}));
        let seen = gateway.admits(algorithm, &Request::get("/").bearer(&long));
        assert_eq!(user(&seen), [pair("x-user-id", algorithm)]);
        let forged = Request::get("/").bearer(&forge_signature(&long));
        assert_eq!(gateway.refuses(algorithm, &forged).status, 401);
    }
}

fn spoofed_headers(gateway: &Gateway) {
    let plain = token(key("ES256"), json!({}));
    let request =
        Request::get("/").bearer(&plain).header("X-User-Id", "root").header("x-user-email", "root@a.example");
    assert_eq!(user(&gateway.admits("forged headers", &request)), [pair("x-user-id", "alice")]);

    let signs = ['-', '_', '.'];
    for (first, second) in signs.iter().flat_map(|first| signs.iter().map(move |second| (first, second))) {
        let before = gateway.backend.seen().len();
        let forged = Request::get("/")
            .bearer(&plain)
            .header(&format!("X{first}User{second}Id"), "root")
            .header(&format!("x{first}USER{second}email"), "r@a.example");
        let status = gateway.decision(&forged).status;
        match gateway.backend.seen().get(before) {
            Some(seen) => assert_eq!(user(seen), [pair("x-user-id", "alice")], "{first}{second}"),
            None => assert_eq!(status, 400),
        }
    }

    const PATHS: [&str; 5] =
        ["X-Original-URL", "X-Original-URI", "X-Rewrite-URL", "X-Envoy-Original-Path", "X-Original-Method"];
    let told =
        PATHS.iter().fold(Request::get("/").bearer(&plain), |request, name| request.header(name, "/admin"));
    let seen = gateway.admits("headers that name another path", &told);
    assert!(PATHS.iter().all(|name| seen.header(name).is_none()), "{:?}", seen.headers);

    let long = "x".repeat(4000);
    let large = token(key("ES256"), json!({"email": long}));
    let seen = gateway.admits("claims of 4,000 bytes", &Request::get("/").bearer(&large));
    assert_eq!(seen.header("x-user-email").map(str::len), Some(long.len()));
}

fn preflights(gateway: &Gateway) {
    let preflight = |line| {
        Request::line(line)
            .header("Origin", "https://a.example")
            .header("Access-Control-Request-Method", "PUT")
    };
    let seen = gateway.admits("a preflight", &preflight("OPTIONS /a HTTP/1.1").header("X-User-Id", "root"));
    assert_eq!(user(&seen), []);
    let forged = preflight("DELETE /a HTTP/1.1")
        .header("X-Forwarded-Method", "OPTIONS")
        .header("X-Original-Method", "OPTIONS")
        .header("X-HTTP-Method-Override", "OPTIONS");
    assert_eq!(gateway.refuses("a forged preflight", &forged).status, 401);
    let good = token(key("ES256"), json!({}));
    let told = Request::get("/")
        .header("X-Forwarded-Uri", format!("/?access_token={good}"))
        .header("X-Original-URL", format!("/?access_token={good}"));
    assert_eq!(gateway.refuses("a forged query", &told).status, 401);
}

fn rotates_and_stays_closed(proxy: Proxy) {
    let (old, new) = (key("ES256"), key("EdDSA"));
    let mut gateway = Gateway::start(proxy, jwks([old]), &[]);
    let old_token = Request::get("/").bearer(&token(old, json!({})));
    let new_token = Request::get("/").bearer(&token(new, json!({"sub": "bob"})));
    gateway.admits("the old key", &old_token);

    gateway.keys.set(Answer::Body(jwks([old, new])));
    let published = gateway.keys.fetches();
    // The second fetch from now on begins after the first one's keys are in use.
    eventually("the new key was fetched", || {
        gateway.admits("the old key while the new one is fetched", &old_token);
        (gateway.keys.fetches() > published + 1).then_some(())
    });
    gateway.admits("the new key at its first use", &new_token);
    gateway.admits("the old key beside the new one", &old_token);
    gateway.keys.set(Answer::Status(500));
    let down = gateway.keys.fetches();
    eventually("the keys were asked for in vain", || (gateway.keys.fetches() > down + 1).then_some(()));
    gateway.admits("the last good keys", &new_token);
    gateway.keys.set(Answer::Body(jwks([new])));
    eventually("the old key is refused", || {
        gateway.admits("the new key while the old one ends", &new_token);
        (gateway.decision(&old_token).status == 401).then_some(())
    });

    gateway.token_server.process.kill();
    let closed = gateway.undecided("it cannot be decided", &new_token);
    let expected = if proxy.name() == "traefik" { 500 } else { 503 };
    assert_eq!(closed.status, expected);
    gateway.undecided("it cannot be decided, no token", &Request::get("/"));
}

/// The shipped file with the policy `admin` in the place of the default one.
fn asking_for_admin(proxy: Proxy, shipped: &str) -> String {
    match proxy {
        Proxy::Traefik | Proxy::TraefikHttp2 => shipped.replace("/verify\n", "/verify/admin\n"),
        Proxy::Nginx => {
            shipped.replace("/verify;\n            proxy_http", "/verify/admin;\n            proxy_http")
        }
        Proxy::Envoy => shipped.replace("/verify/default", "/verify/admin"),
    }
}

/// A gateway whose token-server has the policy `admin` besides the default one; the folder holds its settings.
fn with_admin(proxy: Proxy, change: impl Fn(String) -> String) -> (Gateway, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "[[policies]]\nname = \"admin\"\nall_scopes = [\"admin\"]\n").unwrap();
    let settings = [("TOKEN_SERVER_CONFIG", file.to_str().unwrap())];
    (Gateway::start_changed(proxy, jwks([key("ES256")]), &settings, change), folder)
}

fn applies_the_policy_that_its_own_file_names(proxy: Proxy) {
    let (gateway, _folder) = with_admin(proxy, |shipped| asking_for_admin(proxy, &shipped));
    let (admin, user) = (token(key("ES256"), json!({"scope": "read admin"})), token(key("ES256"), json!({})));
    gateway.admits("what the policy asks for", &Request::get("/default").bearer(&admin));
    for path in ["/", "/default", "/verify/default", "//default", "/a/../default", "/?policy=default"] {
        let request = Request::get(path)
            .bearer(&user)
            .header("X-Forwarded-Uri", "/verify/default")
            .header("X-Original-URL", "/verify/default")
            .header("X-Envoy-Original-Path", "/verify/default");
        // nginx passes no dot segments on.
        let expected = if proxy == Proxy::Nginx && path.contains("..") { 400 } else { 403 };
        assert_eq!(gateway.refuses(path, &request).status, expected, "{path}");
    }
}

#[test]
fn traefik_applies_the_policy_that_its_own_file_names() {
    applies_the_policy_that_its_own_file_names(Proxy::Traefik);
}

#[test]
fn traefik_over_http2_applies_the_policy_that_its_own_file_names() {
    applies_the_policy_that_its_own_file_names(Proxy::TraefikHttp2);
}

#[test]
fn nginx_applies_the_policy_that_its_own_file_names() {
    applies_the_policy_that_its_own_file_names(Proxy::Nginx);
}

#[test]
fn envoy_applies_the_policy_that_its_own_file_names() {
    applies_the_policy_that_its_own_file_names(Proxy::Envoy);
}

/// What an application could read as `/admin`, or as something outside of `/api`, in one way or another.
const ODD_PATHS: [&str; 33] = [
    "/admin",
    "/admin/a",
    "/ADMIN",
    "/Admin/a",
    "/admin.json",
    "/admin.",
    "/admin;x",
    "/admin%3bx",
    "/admin%20",
    "/admin%00",
    "//admin",
    "/%61dmin",
    "/x/..;/admin",
    "/admin%2f..%2fx",
    "/admin/../api/x",
    "/admin/%2e%2e/api/x",
    "/admin/a/../../api/x",
    "/admin%2f..%2fapi",
    "/api/../admin",
    "/api/%2e%2e/admin",
    "/api/.%2E/admin",
    "/api/..;/admin",
    "/api;/../admin",
    "/api/..%2fadmin",
    "/api/..%5cadmin",
    "/api/..\\admin",
    "/api\\..\\admin",
    "/api/x%252f..%252f..%252fadmin",
    "/api/%2e%2e%2fadmin",
    "/api%2f..%2fadmin",
    "/apiadmin",
    "http://h/admin/../admin",
    "http://h?/api/x",
];

fn applies_the_strictest_policy_to_whatever_is_not_listed(proxy: Proxy) {
    let (gateway, _folder) = with_admin(proxy, |shipped| proxy.with_routes(shipped));
    let (admin, user) = (token(key("ES256"), json!({"scope": "admin"})), token(key("ES256"), json!({})));
    for path in
        ["/api", "/api/", "/API/x", "/api/a/b.html", "/api/users/anna@example.com", "/api/x+y,z=(1)!$'*:~"]
    {
        gateway.admits(path, &Request::get(path).bearer(&user));
        assert_eq!(gateway.refuses(path, &Request::get(path)).status, 401, "{path}");
    }
    gateway.admits("the strictest policy", &Request::get("/admin/a").bearer(&admin));
    for path in ODD_PATHS {
        let before = gateway.backend.seen().len();
        let status = gateway.decision(&Request::get(path).bearer(&user)).status;
        for seen in gateway.backend.seen().get(before..).unwrap() {
            // The proxy has put the path in order and passes on what it decided on: plainly below /api.
            let target = seen.line.split(' ').nth(1).unwrap().to_ascii_lowercase();
            let plain = ["..", "%", ";", "\\", "admin"].iter().all(|odd| !target.contains(odd));
            assert!(status == 200 && plain && target.starts_with("/api"), "{path} arrived as {}", seen.line);
        }
    }
}

#[test]
fn traefik_applies_the_strictest_policy_to_whatever_is_not_listed() {
    applies_the_strictest_policy_to_whatever_is_not_listed(Proxy::Traefik);
}

#[test]
fn nginx_applies_the_strictest_policy_to_whatever_is_not_listed() {
    applies_the_strictest_policy_to_whatever_is_not_listed(Proxy::Nginx);
}

#[test]
fn envoy_applies_the_strictest_policy_to_whatever_is_not_listed() {
    applies_the_strictest_policy_to_whatever_is_not_listed(Proxy::Envoy);
}

#[test]
fn a_key_that_is_not_known_is_asked_for_long_before_the_interval_is_over() {
    let (old, new) = (key("ES256"), key("EdDSA"));
    let settings = [("TOKEN_SERVER__JWKS__SYNC_INTERVAL", "3600")];
    let gateway = Gateway::start(Proxy::Nginx, jwks([old]), &settings);
    let (old_token, new_token) = (token(old, json!({})), token(new, json!({"sub": "bob"})));
    let fetches = gateway.keys.fetches();
    gateway.keys.set(Answer::Body(jwks([old, new])));
    eventually("the new key is known", || {
        gateway.admits("the old key meanwhile", &Request::get("/").bearer(&old_token));
        (gateway.decision(&Request::get("/").bearer(&new_token)).status == 200).then_some(())
    });
    assert_eq!(gateway.keys.fetches(), fetches + 1, "however many tokens asked");
}

#[test]
fn traefik_decides_each_request() {
    decides_each_request(Proxy::Traefik);
}

#[test]
fn traefik_over_http2_decides_each_request() {
    decides_each_request(Proxy::TraefikHttp2);
}

#[test]
fn nginx_decides_each_request() {
    decides_each_request(Proxy::Nginx);
}

#[test]
fn envoy_decides_each_request() {
    decides_each_request(Proxy::Envoy);
}

#[test]
fn traefik_follows_a_rotation_and_stays_closed_without_a_token_server() {
    rotates_and_stays_closed(Proxy::Traefik);
}

#[test]
fn traefik_over_http2_follows_a_rotation_and_stays_closed_without_a_token_server() {
    rotates_and_stays_closed(Proxy::TraefikHttp2);
}

#[test]
fn nginx_follows_a_rotation_and_stays_closed_without_a_token_server() {
    rotates_and_stays_closed(Proxy::Nginx);
}

#[test]
fn envoy_follows_a_rotation_and_stays_closed_without_a_token_server() {
    rotates_and_stays_closed(Proxy::Envoy);
}

/// Connections of this machine to a port, and those that were there a minute ago (`TIME_WAIT`).
fn connections_to(address: &Address) -> usize {
    let Address::Tcp(address) = address else { panic!("a TCP address") };
    let remote = format!(":{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    table
        .lines()
        .filter(|line| line.split_whitespace().nth(2).is_some_and(|to| to.ends_with(&remote)))
        .count()
}

#[test]
fn traefik_over_http2_asks_everything_over_one_connection() {
    let gateway = Gateway::start(Proxy::TraefikHttp2, jwks([key("ES256")]), &[]);
    let good = Request::get("/").bearer(&token(key("ES256"), json!({})));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| assert_eq!(gateway.decision(&good).status, 200)));
        }
    });
    assert_eq!(connections_to(&gateway.token_server.address), 1);
}

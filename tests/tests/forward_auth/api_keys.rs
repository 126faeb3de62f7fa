//! API keys through each proxy with its shipped file: in `X-Api-Key` and in `Authorization`, and what a client makes of the headers.

use integration_tests::process::repository;

use super::*;
use crate::api_keys::{Keys, forgeries};

const PLACES: (&str, &str) = ("TOKEN_SERVER__VERIFY__PLACES", "authorization,header:x-api-key");

fn in_its_header(api_key: &str) -> Request {
    Request::get("/").header("X-Api-Key", api_key)
}

fn as_a_bearer_token(api_key: &str) -> Request {
    Request::get("/").bearer(api_key)
}

fn judges_api_keys(proxy: Proxy) {
    let keys = Keys::new();
    let good = keys.add(&["ci", "--sub", "shop", "--claim", "email=shop@a.example"]);
    let other = keys.add(&["other", "--sub", "shop"]);
    let file = keys.path();
    let settings = [("TOKEN_SERVER__API_KEYS__FILE", file.as_str()), PLACES];
    let gateway = Gateway::start(proxy, jwks([key("ES256")]), &settings);

    for place in [in_its_header, as_a_bearer_token] {
        let spoofed = place(&good).header("X-User-Id", "root").header("x-user-email", "root@a.example");
        let mut told = user(&gateway.admits("a good key", &spoofed));
        told.sort();
        assert_eq!(told, [pair("x-user-email", "shop@a.example"), pair("x-user-id", "shop")]);
        let spoofed = place(&other).header("X-User-Email", "root@a.example");
        assert_eq!(user(&gateway.admits("a key without the claim", &spoofed)), [pair("x-user-id", "shop")]);
        for (what, forged) in forgeries(&good) {
            let spoofed = place(&forged).header("X-User-Id", "shop");
            assert_eq!(gateway.refuses(what, &spoofed).status, 401, "{what}");
        }
    }
    let jwt = token(key("ES256"), json!({}));
    for (what, request) in [
        ("twice", in_its_header(&good).header("X-Api-Key", &good)),
        ("two keys", in_its_header(&good).header("X-Api-Key", &other)),
        ("another key beside it", in_its_header(&good).bearer(&other)),
        ("a JWT beside it", in_its_header(&good).bearer(&jwt)),
        ("a forgery beside it", in_its_header("hj_none-of-these-keys-at-all").bearer(&good)),
        ("in the query", Request::get(&format!("/?x-api-key={good}"))),
        ("in a cookie", Request::get("/").header("Cookie", format!("x-api-key={good}"))),
    ] {
        assert_eq!(gateway.refuses(what, &request).status, 401, "{what}");
    }
    for name in ["X_Api_Key", "X.Api.Key", "X-Api_Key", "X-Api-Key-", "Api-Key", "X-Forwarded-X-Api-Key"] {
        let status = gateway.refuses(name, &Request::get("/").header(name, &good)).status;
        assert!([400, 401].contains(&status), "{name}: {status}");
    }

    gateway.token_server.revoke("shop", &json!({"jti": keys.id("ci")}));
    for place in [in_its_header, as_a_bearer_token] {
        assert_eq!(gateway.refuses("its own rule", &place(&good)).status, 401);
        gateway.admits("the other key of its subject", &place(&other));
    }
    gateway.token_server.revoke("shop", &json!({"sub": "shop"}));
    assert_eq!(gateway.refuses("its subject's rule", &in_its_header(&other)).status, 401);
    gateway.token_server.restore("shop");
    gateway.admits("given back", &in_its_header(&good));
}

#[test]
fn traefik_judges_api_keys() {
    judges_api_keys(Proxy::Traefik);
}

#[test]
fn traefik_over_http2_judges_api_keys() {
    judges_api_keys(Proxy::TraefikHttp2);
}

#[test]
fn nginx_judges_api_keys() {
    judges_api_keys(Proxy::Nginx);
}

#[test]
fn envoy_judges_api_keys() {
    judges_api_keys(Proxy::Envoy);
}

/// What keeps the key from the application, and where it goes in the shipped files: before these words.
fn hidden(proxy: Proxy) -> (&'static str, &'static str) {
    match proxy {
        Proxy::Traefik | Proxy::TraefikHttp2 => {
            ("    drop-api-key: { headers: { customRequestHeaders: { X-Api-Key: \"\" } } }\n", "    jwt:\n")
        }
        Proxy::Nginx => {
            ("            proxy_set_header X-Api-Key \"\";\n", "            proxy_set_header X-User-Id ")
        }
        Proxy::Envoy => ("                    - x-api-key\n", "                    - x-original-url\n"),
    }
}

/// The shipped file with a policy for each route, as docs/FORWARD_AUTH.md changes it so that the application does not see the key.
fn with_routes_and_hidden_keys(proxy: Proxy, shipped: String) -> String {
    let (line, before) = hidden(proxy);
    let guide = fs::read_to_string(repository().join("docs/FORWARD_AUTH.md")).unwrap();
    assert!(guide.contains(line.trim()), "docs/FORWARD_AUTH.md does not tell {line}");
    // Traefik asks by the middlewares `jwt` and `jwt-admin`, and goes through them in the order of the list.
    ["jwt", "jwt-admin"]
        .iter()
        .fold(proxy.with_routes(shipped).replacen(before, &format!("{line}{before}"), 1), |text, asks| {
            text.replace(&format!(", {asks}]"), &format!(", {asks}, drop-api-key]"))
        })
}

fn judges_api_keys_by_the_policy_of_the_route(proxy: Proxy) {
    let keys = Keys::new();
    let admin = keys.add(&["admin", "--scope", "admin"]);
    let reader = keys.add(&["reader", "--scope", "read"]);
    let folder = tempfile::tempdir().unwrap();
    let (tables, file) = (folder.path().join("settings.toml"), keys.path());
    fs::write(&tables, "[[policies]]\nname = \"admin\"\nall_scopes = [\"admin\"]\n").unwrap();
    let settings =
        [("TOKEN_SERVER_CONFIG", tables.to_str().unwrap()), ("TOKEN_SERVER__API_KEYS__FILE", &file), PLACES];
    let change = |shipped| with_routes_and_hidden_keys(proxy, shipped);
    let gateway = Gateway::start_changed(proxy, jwks([key("ES256")]), &settings, change);
    let get = |path: &str, api_key: &str| Request::get(path).header("X-Api-Key", api_key);
    for (path, api_key, id) in
        [("/api/x", &reader, "reader"), ("/api/x", &admin, "admin"), ("/admin", &admin, "admin")]
    {
        let seen = gateway.admits(path, &get(path, api_key));
        assert_eq!((seen.header("x-user-id"), seen.header("x-api-key")), (Some(id), None), "{path}");
    }
    assert_eq!(gateway.refuses("without the scope", &get("/admin", &reader)).status, 403);
    assert_eq!(gateway.refuses("no key", &get("/api/x", "hj_none-of-these-keys-at-all")).status, 401);
}

#[test]
fn traefik_judges_api_keys_by_the_policy_of_the_route() {
    judges_api_keys_by_the_policy_of_the_route(Proxy::Traefik);
}

#[test]
fn nginx_judges_api_keys_by_the_policy_of_the_route() {
    judges_api_keys_by_the_policy_of_the_route(Proxy::Nginx);
}

#[test]
fn envoy_judges_api_keys_by_the_policy_of_the_route() {
    judges_api_keys_by_the_policy_of_the_route(Proxy::Envoy);
}

//! Tokens that are bound to a key (RFC 9449) through each proxy: what a client proves is held against the request that it sent,
//! whatever the proxy asks, and whatever the client says of its request.

use integration_tests::http::Response;
use integration_tests::process::Signal;
use integration_tests::proof::Holder;
use serde_json::Value;

use super::*;

/// What clients call the API.
const API: &str = "https://api.example.com";
/// What they call it where the test's own requests say so.
const EDGE: &str = "http://edge.test";

/// A new proof for this token, with changes.
fn proof(client: &Holder, token: &str, method: &str, uri: &str, changes: Value) -> String {
    let mut claims = client.claims(token, method, uri);
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    client.prove(&claims)
}

/// A request with this token and a new proof for this URI.
fn get(client: &Holder, target: &str, token: &str, uri: &str) -> Request {
    proved(&format!("GET {target} HTTP/1.1"), token, &[&proof(client, token, "GET", uri, json!({}))])
}

fn proved(line: &str, token: &str, proofs: &[&str]) -> Request {
    let request = Request::line(line).header("Authorization", format!("DPoP {token}"));
    proofs.iter().fold(request, |request, proof| request.header("DPoP", proof))
}

/// Refused for this reason, which the challenge of the scheme that was used tells.
fn refused(gateway: &Gateway, what: &str, request: &Request, scheme: &str, detail: &str) -> Response {
    let response = gateway.refuses(what, request);
    let challenge = response.header("www-authenticate").unwrap_or_default();
    let is_told = challenge.contains(&format!("error_description=\"{detail}\""));
    assert!(response.status == 401 && is_told && challenge.starts_with(scheme), "{what}: {response}");
    response
}

fn holds_each_proof_against_the_request_of_the_client(proxy: Proxy) {
    let origins = [("TOKEN_SERVER__VERIFY__DPOP_ORIGINS", API)];
    let gateway = Gateway::start(proxy, jwks([key("ES256")]), &origins);
    let (client, thief) = (Holder::new(), Holder::new());
    let bound = client.token(json!({}));
    let uri = format!("{API}/a");
    for target in ["/a?b=c", "/a"] {
        let seen = gateway.admits(target, &get(&client, target, &bound, &uri));
        assert_eq!(seen.header("x-user-id"), Some("alice"));
    }
    let tilde = get(&client, "/%7Ealice", &bound, &format!("{API}/~alice"));
    gateway.admits("another spelling of the path", &tilde);
    let posted = proof(&client, &bound, "POST", &uri, json!({}));
    gateway.admits("another method", &proved("POST /a HTTP/1.1", &bound, &[&posted]));

    // The token is known to the server now: nothing of that helps.
    let asked = gateway.token_server.address.to_string();
    for (what, method, proof) in [
        ("the method of the question", "POST", proof(&client, &bound, "GET", &uri, json!({}))),
        ("another method", "GET", proof(&client, &bound, "POST", &uri, json!({}))),
        ("another spelling of the method", "GET", proof(&client, &bound, "get", &uri, json!({}))),
        ("the question", "GET", proof(&client, &bound, "GET", &format!("http://{asked}/verify"), json!({}))),
        ("the question's path", "GET", proof(&client, &bound, "GET", &format!("{API}/verify"), json!({}))),
        (
            "the question's own",
            "GET",
            proof(&client, &bound, "GET", &format!("{API}/verify/default/a"), json!({})),
        ),
        ("another path", "GET", proof(&client, &bound, "GET", &format!("{API}/b"), json!({}))),
        ("the host of the request", "GET", proof(&client, &bound, "GET", &format!("{EDGE}/a"), json!({}))),
        ("another token", "GET", proof(&client, "a.b.c", "GET", &uri, json!({}))),
        ("no proof", "GET", "a.b.c".to_owned()),
    ] {
        let line = format!("{method} /a HTTP/1.1");
        refused(&gateway, what, &proved(&line, &bound, &[&proof]), "DPoP ", "proof");
    }
    let fresh = || proof(&client, &bound, "GET", &uri, json!({}));
    let (mine, stolen) = (fresh(), proof(&thief, &bound, "GET", &uri, json!({})));
    let two = proved("GET /a HTTP/1.1", &bound, &[&mine, &mine]);
    refused(&gateway, "two proofs", &two, "DPoP ", "duplicate_header");
    refused(&gateway, "another key", &proved("GET /a HTTP/1.1", &bound, &[&stolen]), "DPoP ", "binding");
    refused(&gateway, "no proof", &proved("GET /a HTTP/1.1", &bound, &[]), "DPoP ", "binding");
    let bearer = Request::get("/a").bearer(&bound).header("DPoP", &mine);
    refused(&gateway, "another scheme", &bearer, "Bearer ", "binding");
    let old = proof(&client, &bound, "GET", &uri, json!({"iat": now() - 120}));
    refused(&gateway, "an old one", &proved("GET /a HTTP/1.1", &bound, &[&old]), "DPoP ", "proof_time");
    let unbound = token(key("ES256"), json!({}));
    refused(&gateway, "bound to nothing", &get(&client, "/a", &unbound, &uri), "DPoP ", "binding");
    gateway.admits(
        "a bearer's proof is not looked at",
        &Request::get("/a").bearer(&unbound).header("DPoP", "x"),
    );

    let once = proved("GET /a HTTP/1.1", &bound, &[&mine]);
    gateway.admits("none of these used it up", &once);
    refused(&gateway, "used before", &once, "DPoP ", "proof_replayed");
    let before = gateway.backend.seen().len();
    let copies = proved("GET /a HTTP/1.1", &bound, &[&fresh()]);
    let answers: Vec<u16> = thread::scope(|scope| {
        let asked: Vec<_> = (0..32).map(|_| scope.spawn(|| gateway.decision(&copies).status)).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(gateway.backend.seen().len(), before + 1);

    gateway.token_server.revoke("alice", &json!({"iat": {"lte": now() + 60}}));
    refused(&gateway, "revoked", &get(&client, "/a", &bound, &uri), "DPoP ", "revoked");
}

/// nginx's example tells no host: it is the client's to choose, as it is behind the others.
fn telling_the_whole_url(shipped: String) -> String {
    shipped.replace("X-Original-URL $request_uri;", "X-Original-URL $scheme://$http_host$request_uri;")
}

fn believes_the_proxy_and_not_the_client(proxy: Proxy) {
    let gateway = Gateway::start_changed(proxy, jwks([key("ES256")]), &[], telling_the_whole_url);
    let client = Holder::new();
    let bound = client.token(json!({}));
    gateway.admits("scheme and host of the request", &get(&client, "/a", &bound, &format!("{EDGE}/a")));
    const FORGED: [(&str, &str); 9] = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "forged.test"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Uri", "/forged"),
        ("X-Forwarded-Method", "PUT"),
        ("X-Original-URL", "https://forged.test/forged"),
        ("X-Original-Method", "PUT"),
        ("X-Envoy-Original-Path", "/forged"),
        ("Forwarded", "proto=https;host=forged.test"),
    ];
    let forging =
        |request: Request| FORGED.iter().fold(request, |request, (name, value)| request.header(name, value));
    for (method, uri) in [
        ("GET", "http://forged.test/a"),
        ("GET", "https://forged.test/a"),
        ("GET", "https://edge.test/a"),
        ("GET", "http://edge.test/forged"),
        ("PUT", "http://edge.test/a"),
        ("PUT", "https://forged.test/forged"),
    ] {
        let proof = proof(&client, &bound, method, uri, json!({}));
        let request = forging(proved("GET /a HTTP/1.1", &bound, &[&proof]));
        refused(&gateway, uri, &request, "DPoP ", "proof");
    }
    gateway.admits("its own", &forging(get(&client, "/a", &bound, &format!("{EDGE}/a"))));
}

fn tells_clients_the_next_nonce(proxy: Proxy, shipped: fn(Proxy, String) -> String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (file, secret) = (path("settings.toml"), path("nonce"));
    let admin = "all_scopes = [\"admin\"]\n";
    let policies =
        format!("[[policies]]\nname = \"default\"\n{admin}[[policies]]\nname = \"admin\"\n{admin}");
    fs::write(&file, policies).unwrap();
    fs::write(&secret, "n".repeat(32)).unwrap();
    let settings = [
        ("TOKEN_SERVER_CONFIG", file.as_str()),
        ("TOKEN_SERVER__VERIFY__DPOP_ORIGINS", API),
        ("TOKEN_SERVER__VERIFY__DPOP_NONCE", "required"),
        ("TOKEN_SERVER__VERIFY__DPOP_NONCE_SECRET_FILE", secret.as_str()),
    ];
    let gateway = Gateway::start_changed(proxy, jwks([key("ES256")]), &settings, |text| shipped(proxy, text));
    let (client, uri) = (Holder::new(), format!("{API}/x"));
    let bound = client.token(json!({"scope": "admin"}));
    let without = refused(&gateway, "no nonce", &get(&client, "/x", &bound, &uri), "DPoP ", "nonce");
    let challenge = without.header("www-authenticate").unwrap();
    assert!(
        challenge.contains("error=\"use_dpop_nonce\"") && challenge.contains("algs=\"RS256 "),
        "{challenge}"
    );
    let nonce = without.header("dpop-nonce").unwrap_or_else(|| panic!("no nonce: {without}"));
    let with = |nonce: &str| {
        let proof = proof(&client, &bound, "GET", &uri, json!({"nonce": nonce}));
        proved("GET /x HTTP/1.1", &bound, &[&proof])
    };
    let passed = gateway.decision(&with(nonce));
    assert_eq!(passed.status, 200, "{passed}");
    // Traefik hands nothing of our answer on to a client that passes: the next refusal tells the next one.
    let told = (proxy.name() != "traefik").then_some(());
    assert_eq!(passed.header("dpop-nonce").map(drop), told, "{passed}");
    refused(&gateway, "a nonce of another's", &with(&nonce.to_lowercase()), "DPoP ", "nonce");
    let forbidden = gateway.refuses("no scope", &get(&client, "/x", &client.token(json!({})), &uri));
    assert_eq!((forbidden.status, forbidden.header("dpop-nonce").is_some()), (403, true), "{forbidden}");
    assert!(gateway.refuses("no token", &Request::get("/x")).header("dpop-nonce").is_some());
    fs::write(&secret, "m".repeat(32)).unwrap();
    eventually("nonces of the former secret count no longer", || {
        (gateway.decision(&with(nonce)).status == 401).then_some(())
    });
}

fn as_shipped(_: Proxy, shipped: String) -> String {
    shipped
}

#[test]
fn nginx_does_not_guess_where_its_client_is() {
    let gateway = Gateway::start(Proxy::Nginx, jwks([key("ES256")]), &[]);
    let client = Holder::new();
    let bound = client.token(json!({}));
    for uri in
        [format!("{EDGE}/a"), "http://token_server/a".to_owned(), format!("http://{}/a", gateway.address())]
    {
        let request = get(&client, "/a", &bound, &uri);
        assert_eq!(gateway.undecided("the example tells no host", &request).status, 503, "{uri}");
    }
}

#[test]
fn a_reload_makes_no_used_proof_good_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    let write = |origins: &str, more: &str| {
        fs::write(&file, format!("TOKEN_SERVER__VERIFY__DPOP_ORIGINS = [{origins}]\n{more}")).unwrap();
    };
    let (ours, other) = (format!("\"{API}\""), "\"https://other.example.com\"");
    write(&ours, "");
    let settings = [("TOKEN_SERVER_CONFIG", file.to_str().unwrap())];
    let gateway = Gateway::start(Proxy::Nginx, jwks([key("ES256")]), &settings);
    let reload = |outcome: &str| {
        let counted = || gateway.token_server.metrics().contains(outcome);
        gateway.token_server.process.signal(Signal::HUP);
        eventually("the configuration was read again", || counted().then_some(()));
    };
    let (client, uri) = (Holder::new(), format!("{API}/a"));
    let bound = client.token(json!({}));
    let [once, fresh] = [0; 2].map(|_| get(&client, "/a", &bound, &uri));
    gateway.admits("the first use", &once);
    write(other, "");
    reload("token_server_reloads_total{outcome=\"applied\"} 1");
    refused(&gateway, "another origin", &fresh, "DPoP ", "proof");
    write(&ours, "");
    reload("token_server_reloads_total{outcome=\"applied\"} 2");
    refused(&gateway, "used before the reload", &once, "DPoP ", "proof_replayed");
    gateway.admits("not used yet", &fresh);
    write(&ours, "TOKEN_SERVER__VERIFY__DPOP_REPLAY = \"off\"\n");
    reload("token_server_reloads_total{outcome=\"refused\"} 1");
    refused(&gateway, "the memory stays", &once, "DPoP ", "proof_replayed");
}

#[test]
fn a_full_memory_of_proofs_lets_nothing_in() {
    let settings =
        [("TOKEN_SERVER__VERIFY__DPOP_ORIGINS", API), ("TOKEN_SERVER__VERIFY__DPOP_REPLAY_SIZE", "1")];
    let gateway = Gateway::start(Proxy::Nginx, jwks([key("ES256")]), &settings);
    let (client, uri) = (Holder::new(), format!("{API}/a"));
    let bound = client.token(json!({}));
    gateway.admits("the first", &get(&client, "/a", &bound, &uri));
    let full = gateway.undecided("the second", &get(&client, "/a", &bound, &uri));
    assert_eq!((full.status, full.header("retry-after")), (503, Some("1")));
    assert!(gateway.token_server.metrics().contains("token_server_verify_proofs_unremembered_total 1"));
}

#[test]
fn traefik_holds_each_proof_against_the_request_of_the_client() {
    holds_each_proof_against_the_request_of_the_client(Proxy::Traefik);
}

#[test]
fn traefik_over_http2_holds_each_proof_against_the_request_of_the_client() {
    holds_each_proof_against_the_request_of_the_client(Proxy::TraefikHttp2);
}

#[test]
fn nginx_holds_each_proof_against_the_request_of_the_client() {
    holds_each_proof_against_the_request_of_the_client(Proxy::Nginx);
}

#[test]
fn envoy_holds_each_proof_against_the_request_of_the_client() {
    holds_each_proof_against_the_request_of_the_client(Proxy::Envoy);
}

#[test]
fn traefik_is_believed_and_not_its_client() {
    believes_the_proxy_and_not_the_client(Proxy::Traefik);
}

#[test]
fn nginx_is_believed_and_not_its_client() {
    believes_the_proxy_and_not_the_client(Proxy::Nginx);
}

#[test]
fn envoy_is_believed_and_not_its_client() {
    believes_the_proxy_and_not_the_client(Proxy::Envoy);
}

#[test]
fn traefik_tells_clients_the_next_nonce() {
    tells_clients_the_next_nonce(Proxy::Traefik, as_shipped);
}

#[test]
fn nginx_tells_clients_the_next_nonce() {
    tells_clients_the_next_nonce(Proxy::Nginx, as_shipped);
}

#[test]
fn envoy_tells_clients_the_next_nonce() {
    tells_clients_the_next_nonce(Proxy::Envoy, as_shipped);
}

#[test]
fn traefik_with_a_policy_for_each_route_tells_clients_the_next_nonce() {
    tells_clients_the_next_nonce(Proxy::Traefik, Proxy::with_routes);
}

#[test]
fn nginx_with_a_policy_for_each_route_tells_clients_the_next_nonce() {
    tells_clients_the_next_nonce(Proxy::Nginx, Proxy::with_routes);
}

#[test]
fn envoy_with_a_policy_for_each_route_tells_clients_the_next_nonce() {
    tells_clients_the_next_nonce(Proxy::Envoy, Proxy::with_routes);
}

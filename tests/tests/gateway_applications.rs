//! Applications of several kinds behind the shipped files of Traefik, nginx and Envoy: without a token none is reached, with one
//! none holds a forged user for the real one, and no path of one policy is taken for a path of another.

use std::fs;

use integration_tests::applications::{Applications, Mirror, Mirrored, Reading, Worker, index_php};
use integration_tests::backend::Backend;
use integration_tests::gateway::Gateway;
use integration_tests::http::Client;
use integration_tests::keys::{jwks, key};
use integration_tests::process::repository;
use integration_tests::proxy::Proxy;
use integration_tests::socket::Address;
use integration_tests::wait::DEADLINE;
use serde_json::json;

use crate::applications::readings::{assert_all_read, assert_open, assert_user, users};
use crate::applications::requests::{FORGED, bearer, forged_users, get, requests};

/// A proxy before this application, asking about a policy for each route or about one for all.
fn gateway(proxy: Proxy, application: &Address, change: impl Fn(String) -> String) -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies.toml");
    fs::write(&policies, "[[policies]]\nname = \"admin\"\nall_scopes = [\"admin\"]\n").unwrap();
    let unused = Backend::start(&Address::free_port().unwrap()).unwrap();
    let settings = [("TOKEN_SERVER_CONFIG", policies.to_str().unwrap())];
    Gateway::start_before(proxy, jwks([key("ES256")]), &settings, change, unused, application)
}

/// Sends bytes until they are decided, answered or refused; what the client hears.
fn send(gateway: &Gateway, bytes: &str) -> Option<integration_tests::http::Response> {
    let mut heard = None;
    // A busy machine may decide later than a request waits.
    integration_tests::wait::poll(DEADLINE, || {
        let mut client = Client::new(gateway.address().connect(DEADLINE).unwrap());
        heard = client.write(bytes.as_bytes()).and_then(|()| client.response()).ok();
        heard.as_ref().is_none_or(|response| response.status < 500).then_some(())
    });
    heard
}

fn through(gateway: &Gateway, mirror: &Mirror, requests: &[String]) -> Vec<Mirrored> {
    requests.iter().for_each(|request| drop(send(gateway, request)));
    mirror.take()
}

fn admits_no_request_without_a_token_and_no_forged_user(proxy: Proxy) {
    let applications = Applications::start();
    let mirror = applications.mirror();
    let gateway = gateway(proxy, mirror.address(), |shipped| shipped);
    let plain: Vec<_> = requests("/api", &format!("X-User-Id: {FORGED}\r\n"));
    assert!(through(&gateway, &mirror, &plain).is_empty(), "without a token");
    let bearer = bearer(json!({}));
    let passed = through(&gateway, &mirror, &forged_users("/api", &bearer));
    assert!(!passed.is_empty());
    assert_user("forged", &passed, "alice");
    let passed = through(&gateway, &mirror, &[get("/api", &bearer)]);
    assert_all_read("a token", &passed);
    assert_user("a token", &passed, "alice");
}

fn leads_no_application_from_one_policy_to_another(proxy: Proxy) {
    let applications = Applications::start();
    let mirror = applications.mirror();
    let gateway = gateway(proxy, mirror.address(), |shipped| proxy.with_routes(shipped));
    let passed = through(&gateway, &mirror, &requests("/api", &bearer(json!({}))));
    assert!(passed.len() >= 5, "{passed:#?}");
    assert_open("with a token that is no admin's", &passed, &["/api"], "/api");
    let admin = through(&gateway, &mirror, &[get("/admin", &bearer(json!({"scope": "admin"})))]);
    assert_all_read("an admin's token", &admin);
}

/// A worker behind the shipped file for it.
fn guards(worker: &Worker, change: impl Fn(String) -> String) {
    let shipped = fs::read_to_string(repository().join("examples/nginx/fastcgi.conf")).unwrap();
    let gateway = gateway(Proxy::Nginx, &worker.address, |_| change(shipped.clone()));
    let read = |request: &str| {
        let response = send(&gateway, request)?;
        (response.status == 200).then(|| serde_json::from_slice::<Reading>(&response.body).unwrap())
    };
    for request in requests("/api", &format!("X-User-Id: {FORGED}\r\n")) {
        assert_eq!(read(&request), None, "{request}");
    }
    let bearer = bearer(json!({}));
    let reading = read(&get("/api/x?y=z", &bearer)).unwrap();
    assert!(reading.paths.contains(&"/api/x".to_owned()), "{reading:?}");
    assert_eq!(users(&reading), ["alice"]);
    let mut passed = 0;
    for reading in forged_users("/api", &bearer).iter().filter_map(|request| read(request)) {
        assert_eq!(users(&reading), ["alice"], "{reading:?}");
        assert!(!format!("{reading:?}").contains(FORGED), "{reading:?}");
        passed += 1;
    }
    assert!(passed > 10, "{passed}");
    for name in
        ["X-Original-URL", "X-Original-URI", "X-Original-Method", "X-Rewrite-URL", "X-Envoy-Original-Path"]
    {
        let reading = read(&get("/api", &format!("{name}: {FORGED}\r\n{bearer}"))).unwrap();
        assert!(!format!("{reading:?}").contains(FORGED), "{name}: {reading:?}");
    }
}

#[test]
fn php_behind_nginx_over_fastcgi_is_guarded() {
    let index = index_php().display().to_string();
    guards(&Worker::php(), |shipped| shipped.replace("/srv/app/index.php", &index));
}

#[test]
fn python_behind_nginx_over_uwsgi_is_guarded() {
    guards(&Worker::uwsgi(), |shipped| shipped.replace("fastcgi_p", "uwsgi_p"));
}

#[test]
fn traefik_admits_no_request_without_a_token_and_no_forged_user() {
    admits_no_request_without_a_token_and_no_forged_user(Proxy::Traefik);
}

#[test]
fn nginx_admits_no_request_without_a_token_and_no_forged_user() {
    admits_no_request_without_a_token_and_no_forged_user(Proxy::Nginx);
}

#[test]
fn envoy_admits_no_request_without_a_token_and_no_forged_user() {
    admits_no_request_without_a_token_and_no_forged_user(Proxy::Envoy);
}

#[test]
fn traefik_leads_no_application_from_one_policy_to_another() {
    leads_no_application_from_one_policy_to_another(Proxy::Traefik);
}

#[test]
fn nginx_leads_no_application_from_one_policy_to_another() {
    leads_no_application_from_one_policy_to_another(Proxy::Nginx);
}

#[test]
fn envoy_leads_no_application_from_one_policy_to_another() {
    leads_no_application_from_one_policy_to_another(Proxy::Envoy);
}

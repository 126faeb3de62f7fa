//! Keys from servers that ask for credentials, and through a forward proxy.

mod api_server;

use std::fs;
use std::path::Path;
use std::process::Command;

use api_server::ApiServer;
use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::keys::{SigningKey, jwks};
use integration_tests::port::free_port;
use integration_tests::process::Process;
use integration_tests::setup::Setup;
use integration_tests::token::token;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::eventually;
use serde_json::json;
use tempfile::TempDir;

fn asks(key: &SigningKey) -> Request {
    Request::get("/").bearer(&token(key, json!({})))
}

fn of_issuer(key: &SigningKey, issuer: &str) -> Request {
    Request::get("/").bearer(&token(key, json!({"iss": issuer})))
}

fn becomes(edge: &Edge, what: &str, request: &Request, status: u16) {
    eventually(what, || (edge.send(request).status == status).then_some(()));
}

fn logged(edge: &Edge, text: &str) {
    eventually(text, || edge.agents[0].process.log().contains(text).then_some(()));
}

/// As the kubelet does it: the new file takes the old one's name.
fn project(folder: &Path, token: &str) -> String {
    let (file, new) = (folder.join("token"), folder.join("token.new"));
    fs::write(&new, token).unwrap();
    fs::rename(&new, &file).unwrap();
    file.display().to_string()
}

fn generations() -> [SigningKey; 3] {
    ["2026-01", "2026-02", "2026-03"].map(|kid| SigningKey::generate("ES256", kid))
}

#[test]
fn the_keys_of_a_kubernetes_api_server_are_fetched_with_the_token_that_is_in_the_file_now() {
    let folder = TempDir::new().unwrap();
    let [first, second, third] = generations();
    let server = ApiServer::start(folder.path(), Some("token-one"), jwks([&first]));
    let token_file = project(folder.path(), "token-one\n");
    let edge = Setup::denying()
        .no_key_file()
        .agent_env("JWT_JWKS_URL", &server.keys_url("localhost"))
        .agent_env("JWT_CA_FILE", &server.ca_file.display().to_string())
        .agent_env("JWT_FETCH_TOKEN_FILE", &token_file)
        .agent_env("JWT_SYNC_INTERVAL", "1")
        .start();
    becomes(&edge, "the keys are there", &asks(&first), 200);
    edge.refuses("a key that is not there yet", 401, &asks(&second));

    project(folder.path(), "token-two");
    server.accept("token-two");
    server.rotate(jwks([&second]));
    becomes(&edge, "the keys that the new token shows", &asks(&second), 200);
    becomes(&edge, "the old key is forgotten", &asks(&first), 401);

    server.accept("token-three");
    server.rotate(jwks([&third]));
    logged(&edge, "401 Unauthorized; it does not accept what JWT_FETCH_TOKEN_FILE says");
    edge.admits("the last good keys stay", &asks(&second));
    project(folder.path(), "token-three");
    becomes(&edge, "the keys that the third token shows", &asks(&third), 200);
    let log = edge.agents[0].process.log();
    assert!(!["token-one", "token-two", "token-three"].iter().any(|token| log.contains(token)), "{log}");
}

#[test]
fn a_jwks_uri_on_another_origin_is_shown_the_token_only_where_that_origin_is_listed() {
    let folder = TempDir::new().unwrap();
    let [first, ..] = generations();
    let server = ApiServer::start(folder.path(), Some("token-one"), jwks([&first]));
    let token_file = project(folder.path(), "token-one");
    let (issuer, other) = (server.origin("localhost"), server.origin("127.0.0.1"));
    let setup = || {
        Setup::denying()
            .no_key_file()
            .agent_env("JWT_OIDC_ISSUERS", &issuer)
            .agent_env("JWT_CA_FILE", &server.ca_file.display().to_string())
            .agent_env("JWT_FETCH_TOKEN_FILE", &token_file)
            .agent_env("JWT_SYNC_INTERVAL", "1")
    };
    let edge = setup().start();
    logged(&edge, &format!("Credentials are not sent to {other}"));
    logged(&edge, "add it to JWT_FETCH_ORIGINS");
    edge.refuses("no keys", 503, &of_issuer(&first, &issuer));
    assert_eq!(server.answers().0, 0, "the keys were not shown");
    let edge = setup().agent_env("JWT_FETCH_ORIGINS", &other).start();
    becomes(&edge, "the keys are there", &of_issuer(&first, &issuer), 200);
}

/// Debian's tinyproxy, which wants a password and logs what it is asked for.
struct Tinyproxy {
    process: Process,
    port: u16,
}

impl Tinyproxy {
    fn start(folder: &Path) -> Self {
        let port = free_port().unwrap();
        let config = folder.join("tinyproxy.conf");
        let text = format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 60\nLogLevel Info\nMaxClients 20\nBasicAuth jwt hunter2\n"
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(&config);
        let process = Process::start("tinyproxy", command).expect("Debian's tinyproxy-bin is installed");
        eventually("tinyproxy listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { process, port }
    }

    fn asked_for(&self, what: &str) -> bool {
        self.process.lines().iter().any(|line| line.contains("Request") && line.contains(what))
    }
}

#[test]
fn keys_go_through_the_forward_proxy_of_the_environment_and_nothing_else_does() {
    let folder = TempDir::new().unwrap();
    let [first, ..] = generations();
    // An address of this machine that is not loopback to look at.
    let server = ApiServer::start(folder.path(), None, jwks([&first]));
    let url = server.keys_url("0.0.0.0");
    let place = url.trim_start_matches("https://").split('/').next().unwrap().to_owned();
    let token_server = TokenServer::start(folder.path(), "standard");
    let asked = token_server.url().replace("127.0.0.1", "0.0.0.0");
    let setup = |proxy: &str| {
        Setup::denying()
            .no_key_file()
            .agent_env("JWT_JWKS_URL", &url)
            .agent_env("JWT_CA_FILE", &server.ca_file.display().to_string())
            .agent_env("JWT_TOKEN_SERVER_BACKEND", &asked)
            .agent_env("JWT_SYNC_INTERVAL", "1")
            .agent_env("HTTPS_PROXY", proxy)
            .agent_env("HTTP_PROXY", proxy)
    };
    let proxy = Tinyproxy::start(folder.path());
    let with_password = format!("http://jwt:hunter2@127.0.0.1:{}", proxy.port);
    let edge = setup(&with_password).start();
    becomes(&edge, "the keys are there", &asks(&first), 200);
    assert!(proxy.asked_for(&format!("CONNECT {place}")), "{}", proxy.process.log());
    let others: Vec<_> = proxy
        .process
        .lines()
        .into_iter()
        .filter(|line| line.contains("Request") && !line.contains(&place))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(!edge.agents[0].process.log().contains("hunter2"), "{}", edge.agents[0].process.log());
    drop(edge);

    // Without its password: a message that says so, and no key.
    let edge = setup(&format!("http://127.0.0.1:{}", proxy.port)).start();
    logged(&edge, &format!("(through the proxy http://127.0.0.1:{} of HTTPS_PROXY)", proxy.port));
    logged(&edge, "write user:password@ before the proxy's host");
    edge.refuses("no keys", 503, &asks(&first));
    drop(edge);

    // A proxy that is not there, and hosts that are reached without it.
    let dead = format!("http://127.0.0.1:{}", free_port().unwrap());
    let edge = setup(&dead).start();
    logged(&edge, &format!("(through the proxy {dead} of HTTPS_PROXY)"));
    drop(edge);
    let edge = setup(&dead).agent_env("NO_PROXY", "example.com,0.0.0.0/8").start();
    becomes(&edge, "the keys are there", &asks(&first), 200);
    drop(edge);
    let edge = setup(&dead).agent_env("JWT_FETCH_PROXY", "none").start();
    becomes(&edge, "the keys are there", &asks(&first), 200);
    drop(edge);

    // This machine is not reached through it, unless the operator says so.
    let edge = setup(&dead).agent_env("JWT_JWKS_URL", &server.keys_url("localhost")).start();
    becomes(&edge, "the keys are there", &asks(&first), 200);
    drop(edge);
    let connect = format!("CONNECT {}", server.origin("localhost").trim_start_matches("https://"));
    assert!(!proxy.asked_for(&connect));
    let edge = setup(&dead)
        .agent_env("JWT_JWKS_URL", &server.keys_url("localhost"))
        .agent_env("JWT_FETCH_PROXY", &with_password)
        .start();
    becomes(&edge, "the keys are there", &asks(&first), 200);
    assert!(proxy.asked_for(&connect), "{}", proxy.process.log());
}

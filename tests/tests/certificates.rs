//! A token-server that answers only clients with a certificate of its authority.

use std::fs;
use std::path::Path;

use integration_tests::authority::{Authority, Identity};
use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::keys::{jwks, key};
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::token::token;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::eventually;
use serde_json::json;
use tempfile::TempDir;

/// A token-server that asks for certificates of `ours`, and its own certificate.
fn server(folder: &Path, ours: &Authority) -> TokenServer {
    let Identity { cert, key } = ours.issue(folder, "localhost");
    let text = |path: &Path| path.display().to_string();
    let (cert, key, ca) = (text(&cert), text(&key), text(&ours.file));
    let settings = [
        ("TOKEN_SERVER__TLS__CERT", cert.as_str()),
        ("TOKEN_SERVER__TLS__KEY", &key),
        ("TOKEN_SERVER__TLS__CLIENT_CA", &ca),
    ];
    TokenServer::start_with(folder, "standard", &settings)
}

/// An edge whose agent asks that server, and shows `identity`.
fn edge(folder: &Path, server: &TokenServer, ours: &Authority, identity: Option<&Identity>) -> Edge {
    let Address::Tcp(address) = server.address else { panic!("a TCP address") };
    let keys = folder.join("keys.json");
    fs::write(&keys, jwks([key("ES256")])).unwrap();
    let mut setup = Setup::denying()
        .no_key_file()
        .agent_env("JWT_JWKS_FILE", &keys.display().to_string())
        .agent_env("JWT_TOKEN_SERVER_BACKEND", &format!("https://localhost:{}", address.port()))
        .agent_env("JWT_TOKEN_SERVER_CA_FILE", &ours.file.display().to_string());
    if let Some(Identity { cert, key }) = identity {
        setup = setup
            .agent_env("JWT_TOKEN_SERVER_CERT_FILE", &cert.display().to_string())
            .agent_env("JWT_TOKEN_SERVER_KEY_FILE", &key.display().to_string());
    }
    setup.start()
}

fn good() -> Request {
    Request::get("/").bearer(&token(key("ES256"), json!({})))
}

#[test]
fn an_agent_shows_its_certificate_and_is_answered() {
    let folder = TempDir::new().unwrap();
    let ours = Authority::new(folder.path().join("ours.pem"));
    let server = server(folder.path(), &ours);
    let agent = ours.issue(folder.path(), "agent");
    let edge = edge(folder.path(), &server, &ours, Some(&agent));
    eventually("a good token passes", || (edge.send(&good()).status == 200).then_some(()));
    server.revoke("alice", &json!({"sub": "alice"}));
    eventually("a revoked one does not", || (edge.send(&good()).status == 401).then_some(()));
}

#[test]
fn an_agent_without_a_certificate_of_the_right_authority_is_answered_nothing() {
    let folder = TempDir::new().unwrap();
    let ours = Authority::new(folder.path().join("ours.pem"));
    let theirs = Authority::new(folder.path().join("theirs.pem"));
    let server = server(folder.path(), &ours);
    let foreign = theirs.issue(folder.path(), "agent");
    for (what, identity) in [("no certificate", None), ("another authority's", Some(&foreign))] {
        let edge = edge(folder.path(), &server, &ours, identity);
        for _ in 0..5 {
            edge.refuses(what, 503, &good());
        }
        assert!(!edge.agents[0].is_ready(), "{what}");
    }
}

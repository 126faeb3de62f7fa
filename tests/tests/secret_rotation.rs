//! Every secret that agents and token-servers share is replaced while clients ask, in every order: no request fails, and
//! the old secret is worth nothing in the end.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use integration_tests::agent::ask;
use integration_tests::authority::{Authority, Identity};
use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::keys::{jwks, key};
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::steady::during;
use integration_tests::token::token;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::eventually;
use integration_tests::wire::Wire;
use serde_json::json;
use tempfile::TempDir;

const CLIENTS: usize = 4;

/// An edge whose agent asks that server about each request anew, since it keeps no answer.
fn edge(folder: &Path, wire: &Wire, scheme: &str, environment: &[(&str, &Path)]) -> Edge {
    let keys = folder.join("keys.json");
    fs::write(&keys, jwks([key("ES256")])).unwrap();
    let mut setup = Setup::denying()
        .no_key_file()
        .agent_env("JWT_JWKS_FILE", &keys.display().to_string())
        .agent_env("JWT_CACHE_TTL", "0")
        .agent_env("JWT_TOKEN_SERVER_BACKEND", &format!("{scheme}://localhost:{}", wire.port));
    for (name, path) in environment {
        setup = setup.agent_env(name, &path.display().to_string());
    }
    setup.start()
}

fn good() -> Request {
    Request::get("/").bearer(&token(key("ES256"), json!({})))
}

fn wire(server: &TokenServer) -> Wire {
    let Address::Tcp(address) = server.address else { panic!("a TCP address") };
    Wire::to(address)
}

/// As an atomic writer does it.
fn replace(file: &Path, content: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, content).unwrap();
    fs::rename(&beside, file).unwrap();
}

fn only_good(answers: &BTreeMap<u16, usize>) {
    assert_eq!(answers.keys().collect::<Vec<_>>(), [&200], "{answers:?}");
}

#[test]
fn a_bearer_token_is_replaced_in_any_order_and_no_request_fails() {
    let folder = TempDir::new().unwrap();
    let (tokens, own) = (folder.path().join("tokens"), folder.path().join("own"));
    fs::write(&tokens, "first").unwrap();
    fs::write(&own, "first").unwrap();
    let setting = tokens.display().to_string();
    let settings = [("TOKEN_SERVER__AGENT__TOKENS_FILE", setting.as_str())];
    let server = TokenServer::start_with(folder.path(), "standard", &settings);
    let wire = wire(&server);
    let edge = edge(folder.path(), &wire, "http", &[("JWT_TOKEN_SERVER_TOKEN_FILE", &own)]);
    let request = good();
    eventually("the first token is good", || (edge.send(&request).status == 200).then_some(()));
    let accepts = |token: &str| {
        let feed = Request::get("/v1/events?profile=standard").bearer(token);
        ask(&server.address, &feed).status == 200
    };
    let only = |token: &str, old: &str| {
        eventually("the server takes the new token and the old one no longer", || {
            (accepts(token) && !accepts(old)).then_some(())
        });
    };
    let answers = during(
        CLIENTS,
        || edge.send(&request).status,
        |asked| {
            // The server first: both beside each other, then the agent.
            replace(&tokens, "first\nsecond");
            eventually("both are good", || (accepts("first") && accepts("second")).then_some(()));
            replace(&own, "second");
            asked.go_on("the agent has the second");
            replace(&tokens, "second");
            only("second", "first");
            asked.go_on("the second alone is good");
            // The agent first, and the two never stand beside each other.
            replace(&own, "third");
            asked.go_on("the server does not know the third");
            replace(&tokens, "third");
            only("third", "second");
            asked.go_on("the third alone is good");
            // A file that is emptied and written in place, as by a shell.
            fs::write(&own, "").unwrap();
            asked.go_on("the agent's file is empty");
            replace(&tokens, "third\nfourth");
            eventually("the fourth is good", || accepts("fourth").then_some(()));
            fs::write(&own, "fourth\n").unwrap();
            replace(&tokens, "fourth");
            only("fourth", "third");
        },
    );
    only_good(&answers);
    assert!(edge.agents[0].is_ready());
}

#[test]
fn certificates_of_both_sides_and_their_authorities_are_replaced_and_no_request_fails() {
    let folder = TempDir::new().unwrap();
    let place = folder.path();
    let [first, second] = ["first", "second"].map(|name| Authority::new(place.join(name)));
    let (clients, servers) = (place.join("clients"), place.join("servers"));
    let trust = |file: &Path, authorities: &[&Authority]| {
        replace(file, &authorities.iter().map(|authority| authority.pem()).collect::<String>());
    };
    trust(&clients, &[&first]);
    trust(&servers, &[&first]);
    let of_server = first.issue(place, "localhost");
    let text = |path: &Path| path.display().to_string();
    let (cert, key, ca) = (text(&of_server.cert), text(&of_server.key), text(&clients));
    let settings = [
        ("TOKEN_SERVER__TLS__CERT", cert.as_str()),
        ("TOKEN_SERVER__TLS__KEY", &key),
        ("TOKEN_SERVER__TLS__CLIENT_CA", &ca),
    ];
    let server = TokenServer::start_with(place, "standard", &settings);
    let wire = wire(&server);
    let with = |identity: &Identity| {
        let environment = [
            ("JWT_TOKEN_SERVER_CA_FILE", servers.as_path()),
            ("JWT_TOKEN_SERVER_CERT_FILE", &identity.cert),
            ("JWT_TOKEN_SERVER_KEY_FILE", &identity.key),
        ];
        edge(place, &wire, "https", &environment)
    };
    let identity = first.issue(place, "agent");
    let old = place.join("old");
    fs::create_dir(&old).unwrap();
    let old = first.issue(&old, "agent");
    let edge = with(&identity);
    let request = good();
    eventually("the first certificate is good", || (edge.send(&request).status == 200).then_some(()));
    let answers = during(
        CLIENTS,
        || edge.send(&request).status,
        |asked| {
            first.issue(place, "agent");
            asked.go_on("another certificate of the same authority");
            // The agent first: its certificate is of an authority that the server does not know.
            second.issue(place, "agent");
            asked.go_on("the agent's certificate is unknown");
            trust(&clients, &[&first, &second]);
            asked.go_on("the server knows both authorities");
            trust(&clients, &[&second]);
            asked.go_on("the server knows the second alone");
            // The server's own: the agent must know the authority before.
            trust(&servers, &[&first, &second]);
            agent_reads(&edge, "JWT_TOKEN_SERVER_CA_FILE", 1);
            second.issue(place, "localhost");
            asked.go_on("the server's certificate is of the second authority");
            trust(&servers, &[&second]);
            agent_reads(&edge, "JWT_TOKEN_SERVER_CA_FILE", 2);
            asked.go_on("the agent knows the second alone");
            fs::write(&identity.key, "").unwrap();
            asked.go_on("the agent's key is gone");
            second.issue(place, "agent");
            asked.go_on("and back");
        },
    );
    only_good(&answers);
    assert!(edge.agents[0].is_ready());
    // Whether certificates are good is found out when a connection is made.
    wire.cut();
    eventually("it connects anew with what is good now", || {
        (edge.send(&request).status == 200).then_some(())
    });
    asserts_the_new_ones_are_used(&with, &identity, &old);
}

/// Waits until the agent has used so many new versions of a file.
fn agent_reads(edge: &Edge, setting: &str, versions: u64) {
    let name = format!("secret_file_changes_total{{setting=\"{setting}\",outcome=\"applied\"}}");
    eventually("the agent reads its file again", || (edge.agents[0].metric(&name) >= versions).then_some(()));
}

/// What begins now is accepted with the new certificate of each side alone.
fn asserts_the_new_ones_are_used(with: &impl Fn(&Identity) -> Edge, new: &Identity, old: &Identity) {
    let request = good();
    let fresh = with(new);
    eventually("a new connection is answered", || (fresh.send(&request).status == 200).then_some(()));
    let stale = with(old);
    for _ in 0..5 {
        stale.refuses("the first authority counts no longer", 503, &request);
    }
    assert!(!stale.agents[0].is_ready());
}

//! Tokens that are bound to the certificate of their client (RFC 8705), through HAProxy's own TLS: curl and openssl show
//! certificates that no authority of HAProxy's has signed.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine};
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::Request;
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::tls_client::{self, Answer, TlsClient};
use integration_tests::tls_listener;
use integration_tests::token::{now, token};
use integration_tests::wait::eventually;
use serde_json::json;
use tempfile::TempDir;

const CERTIFICATE: &str =
    "    args  cert=ssl_c_der,sha2(256)\n    event on-frontend-http-request if { ssl_c_used }\n";
const HEADER: &str = "    args  cert=req.fhdr(client-cert) cert_count=req.fhdr_cnt(client-cert)\n    event on-frontend-http-request\n";

/// The shipped file with TLS, and with a header that tells what happened.
fn with_tls(text: &str, folder: &Path) -> String {
    let told = "    http-after-response set-header x-told %[ssl_fc_is_resumed]/%[ssl_fc_protocol]/%[fc_http_major]/%[var(txn.tkn.binding)]\n";
    let bind = "    bind \"${EDGE_BIND}\"\n";
    let text = tls_listener::add(text, folder);
    assert_eq!(text.matches(bind).count(), 1);
    text.replace(bind, &format!("{bind}{told}"))
}

fn folder(edge: &Edge) -> &Path {
    let Address::Unix(path) = edge.address() else { panic!("a socket") };
    path.parent().unwrap()
}

fn curl(edge: &Edge, client: Option<&TlsClient>, token: &str, more: &[&str]) -> Answer {
    tls_client::curl(folder(edge), client, &[("Authorization", &format!("Bearer {token}"))], more)
}

/// A request over a session that is kept in a file: a new one, or the one that the file holds, without a certificate then.
fn openssl(edge: &Edge, client: Option<&TlsClient>, token: &str, version: &str, session: &[&str]) -> Answer {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-quiet", "-ign_eof", "-servername", "localhost", version, "-unix"]);
    openssl.arg(folder(edge).join("tls.sock")).args(session);
    if let Some(client) = client {
        openssl.arg("-cert").arg(&client.cert).arg("-key").arg(&client.key);
    }
    openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = openssl.spawn().unwrap();
    let request = format!(
        "GET /api HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Answer::read(text.find("HTTP/1.1 ").and_then(|start| text.get(start..)).unwrap_or(&text))
}

fn assert_refused(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 401, "{what}: {}", answer.head);
    let challenge = answer.header("www-authenticate");
    for part in ["Bearer ", "error=\"invalid_token\"", "binding"] {
        assert!(challenge.contains(part), "{what}: {}", answer.head);
    }
}

fn assert_admitted(what: &str, answer: &Answer, told: &str) {
    assert_eq!(answer.status, 200, "{what}: {}", answer.head);
    assert_eq!(answer.header("x-told"), told, "{what}: {}", answer.head);
}

#[test]
fn a_bound_token_is_good_with_its_own_certificate_and_with_no_other_however_often_it_was_proved() {
    let clients = TempDir::with_prefix("clients-").unwrap();
    let [anna, bob] = ["anna", "bob"].map(|name| TlsClient::new(clients.path(), name));
    for shipped in [Shipped::Denying, Shipped::Backend, Shipped::Dpop] {
        let edge = Setup::new(shipped).edit(with_tls).start();
        let (bound, unbound) = (anna.token(json!({})), token(key("ES256"), json!({})));
        for round in 0..2 {
            for (version, told) in [("--http1.1", "0/TLSv1.3/1/mtls"), ("--http2", "0/TLSv1.3/2/mtls")] {
                let what = format!("{shipped:?}, round {round}, {version}");
                assert_refused(&what, &curl(&edge, None, &bound, &[version]));
                assert_admitted(&what, &curl(&edge, Some(&anna), &bound, &[version]), told);
                assert_refused(&what, &curl(&edge, Some(&bob), &bound, &[version]));
                assert_refused(&what, &curl(&edge, None, &bound, &[version]));
            }
        }
        let plain = Request::get("/api").bearer(&bound);
        edge.refuses("a listener without TLS", 401, &plain);
        edge.refuses("a header that a client writes", 401, &plain.header("Client-Cert", header_of(&anna)));
        let told = "0/TLSv1.3/1/none";
        assert_admitted("unbound", &curl(&edge, Some(&bob), &unbound, &["--http1.1"]), told);
        assert_admitted("unbound", &curl(&edge, None, &unbound, &["--http1.1"]), told);
    }
}

#[test]
fn a_resumed_session_shows_the_certificate_that_it_began_with() {
    let clients = TempDir::with_prefix("clients-").unwrap();
    let [anna, bob] = ["anna", "bob"].map(|name| TlsClient::new(clients.path(), name));
    for shipped in [Shipped::Denying, Shipped::Dpop] {
        let edge = Setup::new(shipped).edit(with_tls).start();
        let bound = anna.token(json!({}));
        for (version, told) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
            for (name, client, is_good) in
                [("anna", Some(&anna), true), ("bob", Some(&bob), false), ("none", None, false)]
            {
                let file = clients.path().join(format!("{shipped:?}{name}{version}")).display().to_string();
                let first = openssl(&edge, client, &bound, version, &["-sess_out", &file]);
                let again = openssl(&edge, None, &bound, version, &["-sess_in", &file]);
                for (answer, resumed) in [(&first, "0"), (&again, "1")] {
                    let what = format!("{shipped:?}, {version}, {name}, resumed: {resumed}");
                    let binding = if is_good { "mtls" } else { "" };
                    assert_eq!(answer.header("x-told"), format!("{resumed}/{told}/1/{binding}"), "{what}");
                    if is_good {
                        assert_eq!(answer.status, 200, "{what}: {}", answer.head);
                    } else {
                        assert_refused(&what, answer);
                    }
                }
            }
        }
    }
}

/// What openssl says of a request that it tries to send before the handshake ends, in a session that it has had before.
fn early(edge: &Edge, session: &str, request: &Path) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-servername", "localhost", "-tls1_3", "-sess_in", session, "-unix"]);
    openssl.arg(folder(edge).join("tls.sock")).arg("-early_data").arg(request);
    let output = openssl.stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = told.lines().find(|line| line.starts_with("Early data was"));
    line.unwrap_or_else(|| panic!("{told}")).to_owned()
}

#[test]
fn the_file_for_bound_tokens_takes_no_early_data() {
    let clients = TempDir::with_prefix("clients-").unwrap();
    let anna = TlsClient::new(clients.path(), "anna");
    let request = clients.path().join("request");
    fs::write(&request, "GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let setup = || Setup::new(Shipped::Dpop);
    // That early data would be seen here is shown by a listener that does take it.
    for (setup, expected) in [
        (setup(), "Early data was not sent"),
        (setup().change(" alpn h2,http/1.1 ", " allow-0rtt "), "Early data was accepted"),
    ] {
        let edge = setup.edit(with_tls).start();
        let session = clients.path().join("session").display().to_string();
        openssl(&edge, Some(&anna), &anna.token(json!({})), "-tls1_3", &["-sess_out", &session]);
        assert_eq!(early(&edge, &session, &request), expected);
    }
}

/// As another server writes it (RFC 9440 section 2.2).
fn header_of(client: &TlsClient) -> String {
    format!(":{}:", BASE64_STANDARD.encode(&client.der))
}

#[test]
fn behind_another_end_of_tls_its_header_counts_by_a_setting_alone_and_once() {
    let clients = TempDir::with_prefix("clients-").unwrap();
    let [anna, bob] = ["anna", "bob"].map(|name| TlsClient::new(clients.path(), name));
    let bound = Request::get("/api").bearer(&anna.token(json!({})));
    let with = |header: &str| bound.clone().header("Client-Cert", header);
    let behind =
        Setup::denying().edit_spoe(CERTIFICATE, HEADER).agent_env("JWT_CLIENT_CERT", "rfc9440").start();
    for _ in 0..2 {
        behind.admits("her own", &with(&header_of(&anna)));
        behind.refuses("another's", 401, &with(&header_of(&bob)));
        behind.refuses("none", 401, &bound);
    }
    behind.refuses("two", 401, &with(&header_of(&bob)).header("Client-Cert", header_of(&anna)));
    behind.refuses("no header of that form", 503, &with("CN=anna"));
    behind.refuses("a list", 503, &with(&format!("{}, {}", header_of(&anna), header_of(&anna))));
    behind.admits("an unbound token", &Request::get("/api").bearer(&token(key("ES256"), json!({}))));
    // HAProxy sends the header and the agent was not told that it may believe it, or the other way round.
    let untold = Setup::denying().edit_spoe(CERTIFICATE, HEADER).start();
    untold.refuses("without the setting", 503, &with(&header_of(&anna)));
    let unsent = Setup::denying().agent_env("JWT_CLIENT_CERT", "rfc9440").start();
    unsent.refuses("without the argument", 401, &with(&header_of(&anna)));
}

#[test]
fn haproxy_s_own_map_never_holds_a_verdict_on_a_bound_token() {
    let clients = TempDir::with_prefix("clients-").unwrap();
    let anna = TlsClient::new(clients.path(), "anna");
    let edge = Setup::new(Shipped::EdgeDenying).kept_by_agents().edit(with_tls).start();
    let bound = anna.token(json!({}));
    let left_out = || edge.count("jwt_agent_edge_left_out_total{reason=\"bound\"}");
    eventually("it comes often enough to be offered", || {
        assert_eq!(curl(&edge, Some(&anna), &bound, &[]).status, 200);
        (left_out() > 1).then_some(())
    });
    assert_eq!(edge.kept.entries(), [""; 0], "HAProxy cannot ask for the proof");
    for _ in 0..5 {
        assert_refused("by the agent", &curl(&edge, None, &bound, &[]));
        edge.refuses("without TLS", 401, &Request::get("/api").bearer(&bound));
    }
}

#[test]
fn a_policy_takes_no_token_that_is_not_bound_as_it_asks_and_sighup_takes_a_change_over() {
    let folder = TempDir::with_prefix("clients-").unwrap();
    let anna = TlsClient::new(folder.path(), "anna");
    let file = folder.path().join("agent.toml");
    let asks =
        |binding: &str| fs::write(&file, format!("[[policies]]\nname = \"default\"\n{binding}")).unwrap();
    asks("binding = \"mtls\"\n");
    let edge = Setup::denying().edit(with_tls).agent_env("JWT_CONFIG", &file.display().to_string()).start();
    let (bound, unbound) = (anna.token(json!({})), token(key("ES256"), json!({})));
    let by_key = token(key("ES256"), json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}));
    let unknown = token(key("ES256"), json!({"cnf": {"kid": "anna"}}));
    let expired = anna.token(json!({"exp": now() - 5}));
    assert_eq!(curl(&edge, Some(&anna), &bound, &[]).status, 200);
    for (what, token) in [("unbound", &unbound), ("to a key", &by_key), ("to a name", &unknown)] {
        assert_refused(what, &curl(&edge, Some(&anna), token, &[]));
    }
    let over = curl(&edge, Some(&anna), &expired, &[]);
    assert!(over.status == 401 && over.header("www-authenticate").contains("expired"), "{}", over.head);
    asks("");
    edge.agents[0].process.signal(integration_tests::process::Signal::HUP);
    eventually("the policy asks for no more than its issuer", || {
        (curl(&edge, None, &unbound, &[]).status == 200).then_some(())
    });
    assert_refused("unproved all the same", &curl(&edge, None, &bound, &[]));
    assert_refused("to a key, which is not proved", &curl(&edge, Some(&anna), &by_key, &[]));
}

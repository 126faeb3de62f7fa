//! What was answered with 201 survives anything; what cannot be read is told and left alone.

use std::fs;
use std::path::Path;

use crate::harness::{Server, command, connect_socket, get, head, output, post};

const LATER: u64 = 4_000_000_000;

fn with_socket(folder: &Path) -> (Server, std::path::PathBuf) {
    let socket = folder.join("admin.sock");
    let server = Server::start(folder, &[("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str())]);
    (server, socket)
}

#[test]
fn a_rule_answered_with_201_survives_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    let (server, socket) = with_socket(folder.path());
    let payload = format!(r#"{{"sub":"anna","rt":"x","exp":{LATER}}}"#);
    assert_eq!(server.check(&payload), "ok");
    let written = post(connect_socket(&socket), "/v1/rules/anna", &[], r#"{"rule":{"rt":"x"}}"#);
    server.kill();
    assert_eq!(written.status, 201);

    let (server, socket) = with_socket(folder.path());
    assert_eq!(server.check(&payload), "revoked");
    let listed = get(connect_socket(&socket), "/v1/rules/anna", &[]).json();
    assert_eq!(listed["rules"][0]["rule"]["rt"], "x");
    assert_eq!(listed["revision"], 1);
}

#[test]
fn no_acknowledged_rule_is_lost_when_a_busy_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (server, socket) = with_socket(folder.path());
    let (tell, told) = std::sync::mpsc::channel();
    let writer = std::thread::spawn(move || {
        let mut acknowledged = 0;
        loop {
            let rule = format!(r#"{{"rule":{{"rt":"{acknowledged}"}}}}"#);
            let Ok(mut stream) = std::os::unix::net::UnixStream::connect(&socket) else {
                return acknowledged;
            };
            let head = head("POST", "/v1/rules/anna", &[], rule.len());
            let mut answer = String::new();
            let sent = std::io::Write::write_all(&mut stream, (head + &rule).as_bytes());
            if sent.is_err() || std::io::Read::read_to_string(&mut stream, &mut answer).is_err() {
                return acknowledged;
            }
            if !answer.starts_with("HTTP/1.1 201") {
                return acknowledged;
            }
            acknowledged += 1;
            // The test may have seen enough.
            tell.send(acknowledged).ok();
        }
    });
    while told.recv().expect("the writer writes") < 50 {}
    server.kill();
    let acknowledged = writer.join().expect("the writer ends");
    assert!(acknowledged >= 50);

    let (server, _socket) = with_socket(folder.path());
    for number in 0..acknowledged {
        let payload = format!(r#"{{"sub":"anna","rt":"{number}","exp":{LATER}}}"#);
        assert_eq!(server.check(&payload), "revoked", "rule {number} of {acknowledged}");
    }
}

#[test]
fn a_corrupt_store_is_told_in_one_line_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rules.redb");
    fs::write(&store, "precious, but no store").unwrap();
    let settings = [
        ("TOKEN_SERVER__LISTEN", "127.0.0.1:0".as_ref()),
        ("TOKEN_SERVER__ADMIN__LISTEN", "127.0.0.1:0".as_ref()),
        ("TOKEN_SERVER__STORE__PATH", store.as_os_str()),
        ("RUST_LOG", "off".as_ref()),
    ];
    let output = output(&settings, &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(store.to_str().unwrap()) && text.contains("backup"), "{text}");
    assert_eq!(fs::read_to_string(&store).unwrap(), "precious, but no store");
}

#[test]
fn a_store_in_use_is_not_opened_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, _socket) = with_socket(folder.path());
    let store = folder.path().join("rules.redb");
    let output = command(&[
        ("TOKEN_SERVER__LISTEN", "127.0.0.1:0".as_ref()),
        ("TOKEN_SERVER__ADMIN__LISTEN", "127.0.0.1:0".as_ref()),
        ("TOKEN_SERVER__STORE__PATH", store.as_os_str()),
        ("RUST_LOG", "off".as_ref()),
    ])
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("in use by another process"), "{text}");
}

#[test]
fn rules_that_have_ended_are_gone_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = token_server::store::EmbeddedStore::open(&folder.path().join("rules.redb")).unwrap();
    store.put("anna", r#"{"rt":"x"}"#, rules::ExpireAt::At(1_000_000_000)).unwrap();
    store.put("anna", r#"{"rt":"y"}"#, rules::ExpireAt::Never).unwrap();
    drop(store);
    let (server, socket) = with_socket(folder.path());
    assert_eq!(server.check(&format!(r#"{{"sub":"anna","rt":"x","exp":{LATER}}}"#)), "ok");
    server.wait_for_log(|line| line["message"] == "rules that have ended were removed" && line["rules"] == 1);
    let listed = get(connect_socket(&socket), "/v1/rules/anna", &[]).json();
    assert_eq!(listed["rules"].as_array().unwrap().len(), 1);
}

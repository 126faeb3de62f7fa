//! What was answered with 201 survives anything; what cannot be read is told and left alone.

use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use integration_tests::token::now;
use integration_tests::trail::Told;
use token_server::caller::{Caller, Kind};
use token_server::store::{Batch, Change, EmbeddedStore, Mode, Provided, Standing};

use crate::changing::Changing;
use crate::harness::{Server, command, connect_socket, get, head, output, post};

const LATER: u64 = 4_000_000_000;

/// The user and the group `nobody`, on every Linux.
const NOBODY: u32 = 65_534;

fn with_socket(folder: &Path) -> (Server, std::path::PathBuf) {
    let socket = folder.join("admin.sock");
    let server = Server::start(folder, &[("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str())]);
    (server, socket)
}

/// Writes a rule of anna while no server has the store.
fn write_rule(store: &EmbeddedStore, rule: &str, expire_at: i64) {
    let standing = Standing { mode: Mode::Enforce, expire_at, note: None, by: None, written_at: Some(1) };
    let change = Change {
        group: "anna".to_owned(),
        json: rule.to_owned(),
        to: Some(standing),
        by: None,
        note: None,
        undoes: None,
        provided: Provided::Always,
    };
    let who = Caller { name: "tester".to_owned(), kind: Kind::Store };
    store.change(&Batch { who, at: 1_000, changes: vec![change] }).unwrap();
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
fn the_audit_trail_and_the_rules_agree_whenever_the_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let (server, socket) = with_socket(folder.path());
        let changing = Changing::start(&[socket], round);
        changing.wait(40 + 17 * round);
        server.kill();
        changing.end();

        let (server, socket) = with_socket(folder.path());
        let told = Told::read(|path| get(connect_socket(&socket), path, &[]).json());
        assert!(told.entries.len() > 20, "{}", told.entries.len());
        assert_eq!(told.disagreements(now(), |_| true), Vec::<String>::new());
        server.kill();
    }
}

#[test]
fn old_entries_of_the_audit_trail_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&folder.path().join("rules.redb")).unwrap();
    for number in 0..7 {
        write_rule(&store, &format!(r#"{{"rt":"old {number}"}}"#), 0);
    }
    drop(store);
    let (server, socket) = with_socket(folder.path());
    let count = |socket: &Path| {
        let page = get(connect_socket(socket), "/v1/audit", &[]).json();
        page["entries"].as_array().unwrap().len()
    };
    server.wait_for_log(|line| {
        line["message"] == "old entries of the audit trail were removed" && line["entries"] == 7
    });
    assert_eq!(count(&socket), 0);
    for number in 0..5 {
        let rule = format!(r#"{{"rule":{{"rt":"new {number}"}}}}"#);
        assert_eq!(post(connect_socket(&socket), "/v1/rules/anna", &[], &rule).status, 201);
    }
    server.kill();
    let socket = folder.path().join("admin.sock");
    let settings =
        [("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str()), ("TOKEN_SERVER__AUDIT__MAX", "3".as_ref())];
    let server = Server::start(folder.path(), &settings);
    server.wait_for_log(|line| {
        line["message"] == "old entries of the audit trail were removed" && line["entries"] == 2
    });
    assert_eq!(count(&socket), 3);
    let rules = get(connect_socket(&socket), "/v1/rules/anna", &[]).json();
    assert_eq!(rules["rules"].as_array().unwrap().len(), 12, "rules stay");
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

/// Runs the program until it ends, as a user whom modes of files bind.
fn output_as_nobody(store: &Path) -> Output {
    // That user may have no way to the folder that the program is in, and needs none to what is open.
    let program = File::open(env!("CARGO_BIN_EXE_token-server")).unwrap();
    let mut command = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()));
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
        .env_clear()
        .env("TOKEN_SERVER__LISTEN", "127.0.0.1:0")
        .env("TOKEN_SERVER__ADMIN__LISTEN", "127.0.0.1:0")
        .env("TOKEN_SERVER__STORE__PATH", store)
        .env("RUST_LOG", "off");
    command.output().expect("the program starts")
}

#[test]
fn a_store_that_may_only_be_read_is_told_in_one_line_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let allow = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let (store, missing) = (folder.path().join("rules.redb"), folder.path().join("missing.redb"));
    let written = EmbeddedStore::open(&store).unwrap();
    write_rule(&written, r#"{"rt":"x"}"#, 0);
    drop(written);
    let before = fs::read(&store).unwrap();
    allow(&store, 0o444);
    allow(folder.path(), 0o555);

    for path in [&store, &missing] {
        let output = output_as_nobody(path);
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert!(text.contains("Permission denied") && text.contains("this user may write"), "{text}");
    }

    allow(folder.path(), 0o700);
    assert!(!missing.exists());
    assert!(fs::read(&store).unwrap() == before, "unchanged");
    allow(&store, 0o600);
    let (server, _socket) = with_socket(folder.path());
    assert_eq!(server.check(&format!(r#"{{"sub":"anna","rt":"x","exp":{LATER}}}"#)), "revoked");
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
    let store = EmbeddedStore::open(&folder.path().join("rules.redb")).unwrap();
    write_rule(&store, r#"{"rt":"x"}"#, 1_000_000_000);
    write_rule(&store, r#"{"rt":"y"}"#, 0);
    drop(store);
    let (server, socket) = with_socket(folder.path());
    assert_eq!(server.check(&format!(r#"{{"sub":"anna","rt":"x","exp":{LATER}}}"#)), "ok");
    server.wait_for_log(|line| line["message"] == "rules that have ended were removed" && line["rules"] == 1);
    let listed = get(connect_socket(&socket), "/v1/rules/anna", &[]).json();
    assert_eq!(listed["rules"].as_array().unwrap().len(), 1);
}

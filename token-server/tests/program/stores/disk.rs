//! The embedded store on a disk that takes no more.

use std::ffi::OsStr;
use std::process::Command;

use crate::harness::{Server, connect_socket, get, output};

use super::{eventually, payload, write};

#[test]
fn a_full_disk_refuses_rules_and_keeps_those_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let (store, socket) = (folder.path().join("rules.redb"), folder.path().join("admin.sock"));
    let settings: [(&str, &OsStr); 2] = [
        ("TOKEN_SERVER__STORE__PATH", store.as_os_str()),
        ("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str()),
    ];
    // Files may grow to 2 MiB; what is beyond fails like a full disk, since the signal is ignored.
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_token-server")])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(settings);
    let server = Server::start_as(limited);
    let padding = "x".repeat(7_000);
    let mut acknowledged = 0;
    let refused = loop {
        let written =
            write(&socket, "anna", &format!(r#"{{"rt":"{acknowledged}","padding":{{"ne":"{padding}"}}}}"#));
        if written.status != 201 {
            break written;
        }
        acknowledged += 1;
        assert!(acknowledged < 10_000, "the disk never fills");
    };
    assert_eq!(refused.status, 503, "{}", refused.body);
    let holds = |server: &Server| {
        (0..acknowledged).all(|number| server.check(&payload("anna", &number.to_string())) == "revoked")
    };
    eventually("acknowledged rules hold", || holds(&server));
    server.kill();
    let server = Server::start(folder.path(), &[]);
    eventually("they are there after a start", || holds(&server));
}

#[test]
fn a_store_file_that_goes_while_in_use_takes_no_rules_and_is_missed_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (store, socket) = (folder.path().join("rules.redb"), folder.path().join("admin.sock"));
    let settings = [("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str())];
    let server = Server::start(folder.path(), &settings);
    assert_eq!(write(&socket, "anna", r#"{"rt":"x"}"#).status, 201);
    let ready = || get(connect_socket(&socket), "/ready", &[]);
    eventually("it is ready", || ready().status == 200);
    std::fs::remove_file(&store).unwrap();
    let written = write(&socket, "anna", r#"{"rt":"y"}"#);
    assert_eq!(written.status, 503, "{}", written.body);
    eventually("it is not ready", || ready().status == 503);
    assert!(ready().body.contains("deleted or replaced"), "{}", ready().body);
    server.wait_for_log(|line| line["level"] == "ERROR" && line["fault"].is_string());
    let metrics = get(connect_socket(&socket), "/metrics", &[]).body;
    assert!(metrics.contains(r#"token_server_store_fault{cause="file_gone"} 1"#), "{metrics}");
    assert_eq!(server.check(&payload("anna", "x")), "revoked", "what is known holds");
    server.kill();

    let environment = [
        ("TOKEN_SERVER__LISTEN", OsStr::new("127.0.0.1:0")),
        ("TOKEN_SERVER__ADMIN__LISTEN", OsStr::new("127.0.0.1:0")),
        ("TOKEN_SERVER__STORE__PATH", store.as_os_str()),
        ("RUST_LOG", OsStr::new("off")),
    ];
    for _ in 0..2 {
        let started = output(&environment, &[]);
        let told = String::from_utf8(started.stderr).unwrap();
        assert_eq!((started.status.code(), told.lines().count()), (Some(1), 1), "{told}");
        assert!(told.contains("TOKEN_SERVER__STORE__NEW") && told.contains("backup"), "{told}");
        assert!(!store.exists());
    }
    let anew = [settings[0], ("TOKEN_SERVER__STORE__NEW", OsStr::new("true"))];
    let server = Server::start(folder.path(), &anew);
    assert_eq!(server.check(&payload("anna", "x")), "ok", "as the operator said");
    server.kill();
    Server::start(folder.path(), &settings).kill();
}

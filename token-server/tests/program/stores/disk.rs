//! The embedded store on a disk that takes no more.

use std::ffi::OsStr;
use std::process::Command;

use crate::harness::Server;

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

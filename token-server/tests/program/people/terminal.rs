//! What a terminal is shown and asked before something is done.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{LATER, server};

/// Runs a command at a terminal, at which this is typed.
fn at_a_terminal(folder: &tempfile::TempDir, arguments: &str, typed: &str) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_token-server");
    let socket = folder.path().join("admin.sock");
    let line = format!("{program} {arguments} --server unix:{}", socket.display());
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--echo", "never", "--command", &line, "/dev/null"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script runs");
    child.stdin.take().expect("a pipe").write_all(typed.as_bytes()).expect("it is typed");
    let output = child.wait_with_output().expect("it ends");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn on_a_terminal_what_hits_many_or_loosens_is_shown_and_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (server, operator) = server(&folder, &[]);
    assert_eq!(server.check(&format!(r#"{{"sub":"anna","rt":"x","exp":{LATER}}}"#)), "ok");
    let add = r#"rules add --everybody '{"rt":"x"}'"#;
    let (code, screen) = at_a_terminal(&folder, add, "n\n");
    assert_eq!(code, Some(2), "{screen}");
    assert!(screen.contains("it hits 1 of 1 subjects") && screen.contains("Go on? [y/N]"), "{screen}");
    assert!(screen.contains("nothing was changed"), "{screen}");
    assert_eq!(operator.json(&["rules", "list", "--everybody"], "").len(), 0);
    let (code, screen) = at_a_terminal(&folder, add, "y\n");
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(operator.json(&["rules", "list", "--everybody"], "").len(), 1);

    for since in ["2026-01-01", "2026-01-02"] {
        operator.json(&["revoke", "anna", "--since", since], "");
    }
    let (code, screen) = at_a_terminal(&folder, "restore anna", "n\n");
    assert_eq!(code, Some(2), "{screen}");
    assert!(screen.contains("anna is revoked by 2 rules"), "{screen}");
    let (code, screen) = at_a_terminal(&folder, "restore anna", "yes\n");
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("Restored: anna."), "{screen}");
    assert_eq!(operator.run(&["restore", "anna"], "").code, Some(2));
}

//! `token-server ui`: the page over the admin socket, by an address that works once.

use std::path::Path;
use std::process::Command;

use integration_tests::agent::program;
use integration_tests::process::{Process, Signal};
use integration_tests::socket::Address;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::json;
use tempfile::TempDir;

use crate::browser::Browser;
use crate::desk::status_of;

/// The command, and the address that it printed.
fn opened(folder: &Path) -> (Process, String) {
    let mut command = Command::new(program("token-server"));
    let socket = folder.join("token-server.sock");
    command.env_clear().args(["ui", "--server", &format!("unix:{}", socket.display())]);
    let ui = Process::start("token-server ui", command).unwrap();
    let url = eventually("the address is printed", || {
        ui.lines().into_iter().find(|line| line.starts_with("http://127.0.0.1:"))
    });
    (ui, url)
}

#[test]
fn the_printed_address_opens_the_page_once_and_ctrl_c_ends_it() {
    let folder = TempDir::with_prefix("ui-").unwrap();
    let server = TokenServer::start_with(folder.path(), "standard", &[("TOKEN_SERVER__ADMIN__UI", "true")]);
    let (mut ui, url) = opened(folder.path());
    let (origin, secret) = url.split_once("/ui/#once=").unwrap();
    let browser = Browser::start();
    let tab = browser.tab();
    tab.open(&url);
    tab.shows("uid ");
    assert_eq!(tab.eval("location.href"), json!(format!("{origin}/ui/")), "the secret is out of sight");
    assert_eq!(tab.eval("history.length <= 3"), json!(true));
    tab.view("Revoke");
    tab.type_into("User", "anna");
    tab.click("Preview");
    tab.click("Revoke anna");
    tab.shows("Revoked: anna");
    let trail = server.rule_writer().get("/v1/audit?limit=1").unwrap();
    assert_eq!(trail["entries"][0]["who"]["kind"], "peer", "{trail}");
    tab.view("Overview");
    tab.shows("It answers, and wants traffic.");
    tab.is_clean(origin, &[]);

    // The same address again, in another tab, and by a tool of another user of this machine.
    let second = browser.tab();
    second.open(&url);
    second.shows("this address was used before");
    second.is_clean(origin, &[403]);
    let address = Address::Tcp(origin.trim_start_matches("http://").parse().unwrap());
    let ask = |line: &str, headers: &str, body: &str| {
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n"
        );
        status_of(&address, format!("{head}{headers}\r\n{body}").as_bytes())
    };
    let body = json!({ "secret": secret }).to_string();
    assert_eq!(ask("POST /session", "", &body), 403);
    assert_eq!(ask("GET /v1/rules", "", ""), 401);
    assert_eq!(ask("GET /v1/rules", &format!("Authorization: Bearer {secret}\r\n"), ""), 401);
    assert_eq!(ask("GET /ui/", "", ""), 200);
    let foreign =
        "POST /session HTTP/1.1\r\nHost: rebound.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(status_of(&address, foreign.as_bytes()), 421);

    // The first tab goes on, and has nothing after a reload.
    tab.view("Who is revoked");
    tab.shows("anna");
    tab.open(&format!("{origin}/ui/"));
    tab.shows("Who are you?");

    ui.signal(Signal::INT);
    let ended = ui.wait(DEADLINE).expect("Ctrl-C ends it");
    assert!(ended.success(), "{ended}: {}", ui.log());
}

#[test]
fn without_the_page_or_the_socket_the_command_says_what_to_do() {
    let folder = TempDir::with_prefix("ui-").unwrap();
    let _server = TokenServer::start(folder.path(), "standard");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(program("token-server"));
        let output = command.env_clear().arg("ui").args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let socket = format!("unix:{}", folder.path().join("token-server.sock").display());
    let nowhere = format!("unix:{}", folder.path().join("nowhere.sock").display());
    for (arguments, code, told) in [
        (&["--server", &*socket][..], 1, "set TOKEN_SERVER__ADMIN__UI=true"),
        (&["--server", &*nowhere], 1, "cannot be asked"),
        (&[], 64, "TOKEN_SERVER__ADMIN__SOCKET"),
        (&["--server", "http://127.0.0.1:4001"], 64, "has to be unix:/path here"),
        (&["--server", &*socket, "--store", "x"], 64, "--store"),
    ] {
        let (ended, said) = run(arguments);
        assert_eq!(ended, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
}

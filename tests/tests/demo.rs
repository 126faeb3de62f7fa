//! `make run`: every command that it prints does what it says, its faults are one clear line, and nothing stays behind.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use integration_tests::haproxy;
use integration_tests::http::Request;
use integration_tests::keys::{jwks, key};
use integration_tests::process::{Process, Signal};
use integration_tests::socket::Address;
use integration_tests::token::token;
use integration_tests::wait::{DEADLINE, eventually, poll};
use serde_json::json;

/// A running demo.
struct Demo {
    process: Process,
    address: Address,
}

fn command(port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.arg("--port").arg(port.to_string()).env("HAPROXY", haproxy::program());
    command
}

fn free_port() -> u16 {
    integration_tests::port::free_port().unwrap()
}

impl Demo {
    /// Starts it and waits until it has printed everything, of which `last` is the end.
    fn start(arguments: &[&str], last: &str) -> Self {
        let port = free_port();
        let mut command = command(port);
        command.args(arguments);
        let mut demo = Self {
            process: Process::start("demo", command).unwrap(),
            address: Address::Tcp(([127, 0, 0, 1], port).into()),
        };
        let ended = eventually(last, || match demo.process.exited() {
            Some(status) => Some(Some(status)),
            None => demo.steps().iter().any(|step| step.what.contains(last)).then_some(None),
        });
        assert_eq!(ended, None, "the demo ended: {}", demo.process.log());
        demo
    }

    /// The printed commands: a comment, then a line for a shell.
    fn steps(&self) -> Vec<Step> {
        let lines = self.process.lines();
        let pairs = lines.windows(2).filter(|pair| pair[0].starts_with("# ") && pair[1].starts_with("curl "));
        pairs.map(|pair| Step { what: pair[0].clone(), command: pair[1].clone() }).collect()
    }

    /// The folder of sockets, which every process of the demo knows.
    fn folder(&self) -> PathBuf {
        let log = self.process.log();
        let start = log.find("/haproxy-jwt-demo-").expect("the demo names its folder");
        let name: String =
            log[start + 1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        std::env::temp_dir().join(name)
    }

    /// Asks it to stop, and asserts that it does and leaves nothing.
    fn stop(mut self, signal: Signal) {
        let folder = self.folder();
        assert!(processes_that_know(&folder.to_string_lossy()).len() >= 4);
        self.process.signal(signal);
        let status = self.process.wait(DEADLINE).expect("the demo ends");
        assert!(status.success(), "{status}: {}", self.process.log());
        self.assert_nothing_left(&folder);
    }

    fn assert_nothing_left(&self, folder: &std::path::Path) {
        assert_eq!(processes_that_know(&folder.to_string_lossy()), [0_u32; 0], "{}", self.process.log());
        assert!(!folder.exists());
        assert!(self.address.listen().is_ok());
    }
}

impl Drop for Demo {
    /// A demo that is killed could not end its parts.
    fn drop(&mut self) {
        self.process.signal(Signal::TERM);
        self.process.wait(DEADLINE);
    }
}

struct Step {
    what: String,
    command: String,
}

impl Step {
    fn expected(&self) -> &str {
        self.what.rsplit(' ').next().unwrap()
    }
}

/// The ids of processes with this text in their environment.
fn processes_that_know(text: &str) -> Vec<u32> {
    let ids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        // A process of another user, or one that just ended, has nothing to tell.
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(text)
    })
    .collect()
}

fn shell(line: &str) -> Output {
    Command::new("sh").arg("-c").arg(line).output().unwrap()
}

#[test]
fn every_printed_command_gets_the_status_that_is_printed() {
    let demo = Demo::start(&[], "mallory's token again");
    let steps = demo.steps();
    for expected in ["RS256", "ES256", "HS256", "expired", "wrong signature", "revoke", "un-revoke", "public"]
    {
        assert!(steps.iter().any(|step| step.what.contains(expected)), "no command for {expected}");
    }
    for step in &steps {
        // A rule is acknowledged when it is durable; agents hear of it a moment later.
        let status = || {
            let command =
                format!("{} --silent --output /dev/null --write-out '%{{http_code}}'", step.command);
            String::from_utf8_lossy(&shell(&command).stdout).into_owned()
        };
        let got = poll(DEADLINE, || (status() == step.expected()).then_some(()));
        assert!(got.is_some(), "{}: {}\n{}", step.what, status(), demo.process.log());
    }
    let valid = steps.iter().find(|step| step.what.contains("ES256")).unwrap();
    let shown = String::from_utf8(shell(&format!("{} --silent", valid.command)).stdout).unwrap();
    for expected in ["\"x-tkn-valid\": \"1\"", "\"x-tkn-reason\": \"ok\"", "\"x-tkn-body\"", "reader"] {
        assert!(shown.contains(expected), "{shown}");
    }
    let log = demo.process.log();
    for name in ["haproxy", "agent1", "agent2", "token-server"] {
        assert!(
            log.lines().any(|line| line.starts_with(&format!("{name:<12} | "))),
            "no lines of {name}: {log}"
        );
    }
    assert!(!log.contains('\u{1b}'), "colour where there is no terminal: {log}");
    demo.stop(Signal::INT);
}

#[test]
fn it_stops_on_sigterm_as_on_ctrl_c() {
    Demo::start(&[], "mallory's token again").stop(Signal::TERM);
}

#[test]
fn the_end_of_any_process_ends_the_demo_with_its_name() {
    for (name, known_by) in
        [("agent2", "agent2.sock"), ("token-server", "rules.redb"), ("haproxy", "haproxy.sock")]
    {
        let mut demo = Demo::start(&[], "mallory's token again");
        let folder = demo.folder();
        let owner = processes_that_know(&folder.join(known_by).to_string_lossy());
        // HAProxy knows the agents' sockets too: what is looked for is known to one process that HAProxy is not.
        let others = processes_that_know(&folder.join("haproxy.sock").to_string_lossy());
        let id = owner.iter().find(|id| name == "haproxy" || !others.contains(id)).expect("the process runs");
        assert!(shell(&format!("kill -9 {id}")).status.success());
        let status = demo.process.wait(DEADLINE).expect("the demo ends");
        assert_eq!(status.code(), Some(1));
        let complaint = format!("demo: {name} ended by itself");
        eventually("the complaint", || demo.process.log().contains(&complaint).then_some(()));
        demo.assert_nothing_left(&folder);
    }
}

#[test]
fn the_agents_can_have_keys_of_ones_own() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), jwks([key("ES384")])).unwrap();
    let demo = Demo::start(&["--keys", file.path().to_str().unwrap()], "a token of yours");
    let step = demo.steps().into_iter().find(|step| step.what.contains("a token of yours")).unwrap();
    let own = token(key("ES384"), json!({"iss": "https://demo.test", "aud": "demo"}));
    let status = |token: &str| {
        let line = format!(
            "TOKEN={token}; {} --silent --output /dev/null --write-out '%{{http_code}}'",
            step.command
        );
        String::from_utf8(shell(&line).stdout).unwrap()
    };
    // With the timeouts as they are shipped, a busy machine may answer 503 once.
    eventually("a token of ours passes", || (status(&own) == "200").then_some(()));
    assert_ne!(status(&token(key("ES256"), json!({"iss": "https://demo.test", "aud": "demo"}))), "200");
    demo.stop(Signal::INT);
}

/// One line on standard error, nothing else, and an exit code that is not 0.
fn assert_one_line(output: &Output, expected: &[&str]) {
    let line = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    for expected in expected {
        assert!(line.contains(expected), "no {expected:?} in {line}");
    }
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let listener = Address::Tcp(([127, 0, 0, 1], 0).into()).listen().unwrap();
    let Address::Tcp(address) = listener.address().unwrap() else { panic!("not a port") };
    let output = command(address.port()).output().unwrap();
    assert_one_line(&output, &[&format!("port {}", address.port()), "in use", "make run PORT="]);
}

#[test]
fn a_missing_haproxy_is_one_clear_line() {
    let output = command(free_port()).env("HAPROXY", "/nowhere/haproxy").output().unwrap();
    assert_one_line(&output, &["/nowhere/haproxy", "apt-get install haproxy"]);
}

#[test]
fn a_broken_key_file_is_one_clear_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for content in ["", "{", "{\"keys\":[]}", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
    {
        fs::write(file.path(), content).unwrap();
        let path = file.path().to_str().unwrap();
        assert_one_line(&command(free_port()).args(["--keys", path]).output().unwrap(), &[path]);
    }
    assert_one_line(
        &command(free_port()).args(["--keys", "/nowhere/keys"]).output().unwrap(),
        &["/nowhere/keys"],
    );
}

#[test]
fn a_port_that_haproxy_serves_is_not_shared_in_silence() {
    let demo = Demo::start(&[], "mallory's token again");
    let Address::Tcp(address) = &demo.address else { panic!("not a port") };
    assert_one_line(&command(address.port()).output().unwrap(), &["in use"]);
    assert_eq!(integration_tests::agent::ask(&demo.address, &Request::get("/")).status, 401);
    demo.stop(Signal::INT);
}

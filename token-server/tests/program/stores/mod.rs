//! The program on stores that it does not own: real Redis in its three forms, real Consul, and what becomes of them.

mod clocks;
mod cluster;
mod consul;
mod disk;
mod faults;
mod feed;
mod losses;
mod notes;
mod operators;
mod pages;
mod scores;
mod sentinel;
mod standalone;
mod trail;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::harness::{AGENT, AGENT_TOKEN, Answer, Server, command, connect, connect_socket, get, post};
use serde_json::Value;

const LATER: u64 = 4_000_000_000;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time between two looks at something that is awaited.
const LOOK: Duration = Duration::from_millis(20);

/// A time to live that no test lives to see: what is seen was told.
const FOREVER: &str = "3600";

/// A server whose rules are in Redis, and its admin socket.
struct RedisBacked {
    server: Server,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl RedisBacked {
    fn start(settings: &[(&str, &str)]) -> Self {
        let started = Self::launch(settings);
        eventually("the server is ready", || started.admin("/ready").status == 200);
        started
    }

    /// The same of a server that has no reason to become ready.
    fn launch(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("admin.sock");
        let tokens = folder.path().join("agents");
        std::fs::write(&tokens, AGENT_TOKEN).unwrap();
        let mut all: Vec<(&str, &OsStr)> = vec![
            ("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str()),
            ("TOKEN_SERVER__AGENT__TOKENS_FILE", tokens.as_os_str()),
        ];
        all.extend(settings.iter().map(|(name, value)| (*name, OsStr::new(*value))));
        let server = Server::start_as(command(&all));
        Self { server, socket, _folder: folder }
    }

    /// The value of a metric, by its name and labels as they are shown.
    fn metric(&self, name: &str) -> i64 {
        let shown = self.admin("/metrics").body;
        let value = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{name} is not in\n{shown}")).parse().unwrap()
    }

    fn admin(&self, path: &str) -> Answer {
        get(connect_socket(&self.socket), path, &[])
    }

    fn write(&self, group: &str, rule: &str) -> Answer {
        write(&self.socket, group, rule)
    }

    fn write_for_everybody(&self, rule: &str) -> Answer {
        write_for_everybody(&self.socket, rule)
    }

    /// What is said of a token of this subject with this refresh token.
    fn check(&self, subject: &str, rt: &str) -> String {
        self.server.check(&payload(subject, rt))
    }

    /// The same, of a server that may not be able to say.
    fn detail(&self, subject: &str, rt: &str) -> String {
        let answer = self.server.ask(&payload(subject, rt));
        match answer.status {
            200 => answer.json()["results"][0]["detail"].as_str().unwrap().to_owned(),
            status => status.to_string(),
        }
    }

    fn events(&self, since: &str) -> Value {
        let answer = get(connect(self.server.main), &format!("/v1/events?since={since}"), &[AGENT]);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    fn is_complete(&self) -> bool {
        self.events("nothing:0")["complete_as_of"].is_u64()
    }

    fn wait_until_complete(&self) {
        eventually("the feed is complete", || self.is_complete());
    }
}

fn write_for_everybody(socket: &Path, rule: &str) -> Answer {
    let body = format!(r#"{{"rule":{rule},"confirm":true}}"#);
    post(connect_socket(socket), "/v1/everybody/rules", &[], &body)
}

fn write(socket: &Path, group: &str, rule: &str) -> Answer {
    post(connect_socket(socket), &format!("/v1/rules/{group}"), &[], &format!(r#"{{"rule":{rule}}}"#))
}

fn payload(subject: &str, rt: &str) -> String {
    format!(r#"{{"sub":"{subject}","rt":"{rt}","exp":{LATER}}}"#)
}

fn eventually(what: &str, is_it: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_it() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(LOOK);
    }
}

/// Holds all the time, as far as anybody can see.
fn throughout(time: Duration, what: &str, is_it: impl Fn() -> bool) {
    let start = Instant::now();
    while start.elapsed() < time {
        assert!(is_it(), "not so after {:?}: {what}", start.elapsed());
        std::thread::sleep(LOOK);
    }
}

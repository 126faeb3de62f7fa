//! The agent configured in haproxy.cfg, by `setenv` in `global`: started by HAProxy in a `program` section, as old
//! configurations do, or by itself with `--haproxy-cfg`, which is the way on where there is no such section.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use integration_tests::agent::{Agent, command, program};
use integration_tests::backend::Backend;
use integration_tests::haproxy::{self, Haproxy, Shipped};
use integration_tests::http::{Client, Request};
use integration_tests::keys::{jwks, key};
use integration_tests::process::{Process, Signal, repository};
use integration_tests::socket::Address;
use integration_tests::token::token;
use integration_tests::wait::{DEADLINE, eventually, poll};
use rustix::process::{Pid, kill_process_group};
use serde_json::json;
use tempfile::TempDir;

struct Folder {
    folder: TempDir,
    backend: Backend,
}

impl Folder {
    fn new() -> Self {
        let folder = TempDir::with_prefix("program-").unwrap();
        fs::write(folder.path().join("keys.json"), jwks([key("ES256")])).unwrap();
        let backend = Backend::start(&Address::Unix(folder.path().join("app.sock"))).unwrap();
        Self { folder, backend }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn socket(&self, name: &str) -> Address {
        Address::Unix(self.path(name))
    }

    /// The operator's own file beside the shipped one.
    fn own(&self, program: &str) -> PathBuf {
        let file = self.path("own.cfg");
        let text = format!(
            "global\n    setenv JWT_JWKS_FILE \"{}\"\n    setenv JWT_AUDIENCES shop\n    setenv JWT_TIMEOUT_MS 8000\n    \
             setenv JWT_AGENT_LISTEN \"{}\"\n    setenv JWT_ADMIN_LISTEN 127.0.0.1:0\n{program}",
            self.path("keys.json").display(),
            self.socket("agent.sock"),
        );
        fs::write(&file, text).unwrap();
        file
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let agent = self.socket("agent.sock").to_string();
        vec![
            ("EDGE_BIND", self.socket("edge.sock").to_string()),
            ("APP_SERVER", self.backend.address().to_string()),
            ("AGENT_1", agent.clone()),
            ("AGENT_2", agent),
            ("AGENT_TIMEOUT", "10s".to_owned()),
            ("SPOE_CONF", repository().join("haproxy/spoe-jwt.conf").display().to_string()),
            ("STATS_SOCKET", self.path("stats.sock").display().to_string()),
        ]
    }

    /// The status of a request with a token for this audience, if HAProxy answers.
    fn ask(&self, audience: &str) -> Option<u16> {
        let request = Request::get("/").bearer(&token(key("ES256"), json!({"aud": audience})));
        let mut client = Client::new(self.socket("edge.sock").connect(DEADLINE).ok()?);
        client.write(&request.to_bytes()).ok()?;
        client.response().ok().map(|response| response.status)
    }

    fn decides_by_the_settings(&self) {
        eventually("a token for the shop passes", || (self.ask("shop") == Some(200)).then_some(()));
        assert_eq!(self.ask("bank"), Some(401));
    }
}

/// HAProxy's master, the first of a process group; whatever is left of that ends with it.
struct Master(Process);

impl Master {
    /// The processes that it has started.
    fn children(&self) -> Vec<i32> {
        let id = self.0.id();
        let text = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }

    /// Whether SIGTERM is caught, proc(5). Until then it would end the master alone, though the worker may answer already.
    fn catches_sigterm(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(str::trim);
        let caught = caught.and_then(|mask| u64::from_str_radix(mask, 16).ok());
        caught.is_some_and(|mask| mask & (1 << (Signal::TERM.as_raw() - 1)) != 0)
    }

    /// Asks it to end, and waits until it has.
    fn end(&mut self) {
        eventually("haproxy's master catches signals", || self.catches_sigterm().then_some(()));
        self.0.signal(Signal::TERM);
        assert!(self.0.wait(DEADLINE).is_some(), "haproxy goes on:\n{}", self.0.log());
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _gone_already = kill_process_group(group, Signal::KILL);
        }
        if std::thread::panicking() {
            eprintln!("== log of haproxy\n{}", self.0.log());
        }
    }
}

#[test]
fn a_program_section_starts_the_agent_with_the_settings_of_global() {
    if haproxy::version() >= (3, 3) {
        eprintln!("left out: {} has no program section any more", haproxy::program());
        return;
    }
    let folder = Folder::new();
    let agent = program("jwt-agent");
    // From 3.1 on it wants to be asked for by this line.
    let asked = if haproxy::version() >= (3, 1) { "    expose-deprecated-directives\n" } else { "" };
    let own = folder.own(&format!("{asked}program jwt-agent\n    command {}\n", agent.display()));
    let mut command = Command::new(haproxy::program());
    command.args(["-W", "-db"]).envs(folder.environment()).process_group(0);
    command.arg("-f").arg(Shipped::Denying.path()).arg("-f").arg(&own);
    let mut master = Master(Process::start("haproxy", command).unwrap());
    folder.decides_by_the_settings();
    let agents: Vec<_> = master.children().into_iter().filter(|id| is_running(*id, &agent)).collect();
    assert_eq!(agents.len(), 1, "{}", master.0.log());
    master.end();
    let gone = poll(DEADLINE, || (!is_running(agents[0], &agent)).then_some(()));
    assert!(gone.is_some(), "the agent outlives HAProxy");
}

fn is_running(id: i32, program: &Path) -> bool {
    fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|running| running == program)
}

#[test]
fn the_same_lines_configure_an_agent_that_haproxy_does_not_start() {
    let folder = Folder::new();
    let own = folder.own("");
    let mut command = command();
    command.arg("--haproxy-cfg").arg(&own);
    let agent = Agent::start_as("agent", command, folder.socket("agent.sock"), &[]);
    agent.wait_ready();
    let files = [Shipped::Denying.path(), own.clone()];
    let stats = folder.path("stats.sock");
    let _haproxy = Haproxy::start(&files, &folder.environment(), &folder.socket("edge.sock"), &stats);
    folder.decides_by_the_settings();

    // An edited line takes effect without a restart.
    let text = fs::read_to_string(&own).unwrap();
    fs::write(&own, text.replace("JWT_AUDIENCES shop", "JWT_AUDIENCES bank")).unwrap();
    agent.process.signal(Signal::HUP);
    eventually("a token for the bank passes", || (folder.ask("bank") == Some(200)).then_some(()));
    assert_eq!(folder.ask("shop"), Some(401));
}

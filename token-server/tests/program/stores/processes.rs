//! Real servers on free ports of the loopback, in folders of their own; killed when dropped, also by a panic.

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use integration_tests::port::free_port_with_bus;
use redis::{Client, Commands as _, Connection, ConnectionLike as _};

use super::eventually;
use crate::harness::send_signal;

/// A process and the folder that it works in.
pub struct Process {
    child: Child,
    folder: tempfile::TempDir,
    log: PathBuf,
}

impl Process {
    /// `log` names the file in the folder that is shown when the test fails.
    fn start(mut command: Command, folder: tempfile::TempDir) -> Self {
        let log = folder.path().join("log");
        let output = File::create(&log).expect("a log");
        let child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(output.try_clone().expect("a log"))
            .stdout(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{:?} does not start: {error}", command.get_program()));
        Self { child, folder, log }
    }

    /// It no longer answers, and its connections stay.
    pub fn hang(&self) {
        send_signal(&self.child, "-STOP");
    }

    pub fn go_on(&self) {
        send_signal(&self.child, "-CONT");
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, as the test wanted.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().rev().take(30).collect();
            eprintln!("{}:", self.folder.path().display());
            lines.into_iter().rev().for_each(|line| eprintln!("  {line}"));
        }
    }
}

/// A port of our own; a redis-server may become a node of a cluster.
pub fn free_port() -> u16 {
    free_port_with_bus().expect("a port")
}

/// `redis-server`.
pub struct Redis {
    process: Process,
    arguments: Vec<String>,
    pub port: u16,
    /// `redis://user:password@` or the like.
    url: String,
}

impl Redis {
    pub fn start(arguments: &[&str]) -> Self {
        let port = free_port();
        let number = port.to_string();
        let arguments = [&["--port", &number], arguments].concat();
        Self::start_at(port, &format!("redis://127.0.0.1:{port}"), &arguments)
    }

    /// A server that asks for a password of its default user, whom the test logs in as.
    pub fn start_at(port: u16, url: &str, arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let process = launch(&arguments);
        let redis = Self { process, arguments, port, url: url.to_owned() };
        redis.wait();
        redis
    }

    fn wait(&self) {
        eventually("redis-server answers", || {
            self.try_connect().is_some_and(|mut connection| connection.check_connection())
        });
    }

    fn try_connect(&self) -> Option<Connection> {
        Client::open(self.url.as_str()).expect("an address").get_connection().ok()
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn connect(&self) -> Connection {
        self.try_connect().expect("redis-server accepts")
    }

    /// As ms-users writes a rule: a member of the group's sorted set, and nothing else.
    pub fn write(&self, group: &str, rule: &str, expire_at: i64) {
        let _: i64 =
            self.connect().zadd(format!("{{ms-users}}jwt-rules:{group}"), rule, expire_at).expect("written");
    }

    pub fn command(&self, words: &[&str]) {
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        command.exec(&mut self.connect()).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    }

    pub fn hang(&self) {
        self.process.hang();
    }

    pub fn go_on(&self) {
        self.process.go_on();
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// The same server again, empty.
    pub fn start_again(&mut self) {
        self.process = launch(&self.arguments);
        self.wait();
    }

    pub fn is_master(&self) -> bool {
        let role: Result<Vec<redis::Value>, _> = redis::cmd("ROLE").query(&mut self.connect());
        matches!(role.as_deref(), Ok([redis::Value::BulkString(role), ..]) if role == b"master")
    }
}

fn launch(arguments: &[String]) -> Process {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--protected-mode", "no"])
        .args(arguments);
    Process::start(command, folder)
}

/// A sentinel, alone enough to decide, that watches one master as `rules`.
pub struct Sentinel {
    _process: Process,
    pub port: u16,
}

impl Sentinel {
    pub fn watch(master: &Redis, quorum: usize) -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().expect("a folder");
        let configuration = folder.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\nprotected-mode no\nsentinel monitor rules 127.0.0.1 {} {quorum}\n\
             sentinel down-after-milliseconds rules 500\nsentinel failover-timeout rules 2000\n",
            master.port
        );
        std::fs::write(&configuration, text).expect("a configuration");
        let mut command = Command::new("redis-server");
        command.arg(&configuration).arg("--sentinel");
        let sentinel = Self { _process: Process::start(command, folder), port };
        eventually("the sentinel listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        sentinel
    }

    /// The number of replicas that it knows and finds well.
    pub fn replicas(&self) -> usize {
        let mut connection = Client::open(format!("redis://127.0.0.1:{}", self.port))
            .and_then(|client| client.get_connection())
            .expect("the sentinel accepts");
        let found: Vec<redis::Value> =
            redis::cmd("SENTINEL").arg("replicas").arg("rules").query(&mut connection).expect("an answer");
        found.len()
    }
}

/// Consul's development server.
pub struct Consul {
    process: Process,
    port: u16,
}

impl Consul {
    pub fn start() -> Self {
        let port = free_port();
        let (serf_lan, serf_wan, server) = (free_port(), free_port(), free_port());
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(consul_program());
        command
            .args(["agent", "-dev", "-bind", "127.0.0.1", "-client", "127.0.0.1", "-log-level", "warn"])
            .args(["-http-port", &port.to_string(), "-dns-port", "-1"])
            .args(["-grpc-port", "-1", "-serf-lan-port", &serf_lan.to_string()])
            .args(["-serf-wan-port", &serf_wan.to_string(), "-server-port", &server.to_string()]);
        let consul = Self { process: Process::start(command, folder), port };
        eventually("Consul has a leader", || consul.try_put("started", "1"));
        consul
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// As ms-users tells that it wrote a rule of this group.
    pub fn tell(&self, group: &str, milliseconds: &str) {
        assert!(self.try_put(&format!("microfleet/ms-users/revocation-rules/{group}"), milliseconds));
    }

    fn try_put(&self, key: &str, value: &str) -> bool {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let answer = crate::harness::put(stream, &format!("/v1/kv/{key}"), value);
        answer.status == 200 && answer.body.trim() == "true"
    }

    pub fn hang(&self) {
        self.process.hang();
    }

    pub fn go_on(&self) {
        self.process.go_on();
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// `CONSUL`, or where `tests/consul.sh` unpacks it: beside the build.
fn consul_program() -> PathBuf {
    if let Some(program) = std::env::var_os("CONSUL") {
        return program.into();
    }
    let program = Path::new(env!("CARGO_BIN_EXE_token-server"))
        .ancestors()
        .nth(2)
        .expect("the target folder")
        .join("consul/consul");
    assert!(program.exists(), "{} is missing: run tests/consul.sh", program.display());
    program
}

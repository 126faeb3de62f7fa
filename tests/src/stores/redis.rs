//! `redis-server`.

use std::process::Command;

use redis::{Client, Commands as _, Connection, ConnectionLike as _};
use tempfile::TempDir;

use super::Daemon;
use crate::port::free_port_with_bus;
use crate::process::Process;
use crate::wait::eventually;

/// A running Redis, without rules.
#[derive(Debug)]
pub struct Redis {
    daemon: Daemon,
    arguments: Vec<String>,
    pub port: u16,
    /// `redis://user:password@` or the like.
    url: String,
}

impl Redis {
    /// Starts it with further arguments and waits until it answers. It forgets everything when it ends, unless the
    /// arguments say otherwise.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub fn start(arguments: &[&str]) -> Self {
        // It may become a node of a cluster.
        let port = free_port_with_bus().unwrap();
        let number = port.to_string();
        let arguments = [&["--port", &number], arguments].concat();
        Self::start_at(port, &format!("redis://127.0.0.1:{port}"), &arguments)
    }

    /// The same on a port that the arguments name, reached at `url` by the test.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub fn start_at(port: u16, url: &str, arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let daemon = Daemon::start("redis-server", command(&arguments), TempDir::new().unwrap());
        let redis = Self { daemon, arguments, port, url: url.to_owned() };
        redis.wait();
        redis
    }

    fn wait(&self) {
        eventually("redis-server answers", || self.try_connect()?.check_connection().then_some(()));
    }

    fn try_connect(&self) -> Option<Connection> {
        Client::open(self.url.as_str()).ok()?.get_connection().ok()
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// # Panics
    ///
    /// It does not accept.
    pub fn connect(&self) -> Connection {
        self.try_connect().unwrap()
    }

    /// As ms-users writes a rule: a member of the group's sorted set, and nothing else.
    ///
    /// # Panics
    ///
    /// It is not written.
    pub fn write(&self, group: &str, rule: &str, expire_at: i64) {
        let _added: i64 =
            self.connect().zadd(format!("{{ms-users}}jwt-rules:{group}"), rule, expire_at).unwrap();
    }

    /// # Panics
    ///
    /// It refuses the command.
    pub fn command(&self, words: &[&str]) {
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        command.exec(&mut self.connect()).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    }

    /// The number of rules that it has for a group; a replica may be asked as well.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub fn rules(&self, group: &str) -> i64 {
        let mut connection = self.connect();
        // A replica in a cluster would point to its master; elsewhere the command is refused, and needless.
        let _refused = redis::cmd("READONLY").exec(&mut connection);
        connection.zcard(format!("{{ms-users}}jwt-rules:{group}")).unwrap()
    }

    /// Whether it takes what ms-users writes: a new master of a cluster may wait for the others.
    pub fn is_writable(&self) -> bool {
        let key = "{ms-users}jwt-rules:unknown";
        self.try_connect().is_some_and(|mut connection| connection.zrem::<_, _, i64>(key, "").is_ok())
    }

    /// How many keys it has.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub fn keys(&self) -> i64 {
        redis::cmd("DBSIZE").query(&mut self.connect()).unwrap()
    }

    /// How often a command was called, in small letters, since the statistics were reset.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub fn calls(&self, command: &str) -> u64 {
        let statistics: String = redis::cmd("INFO").arg("commandstats").query(&mut self.connect()).unwrap();
        let line = format!("cmdstat_{command}:calls=");
        let calls =
            statistics.lines().find_map(|found| found.strip_prefix(&line)?.split(',').next()?.parse().ok());
        calls.unwrap_or(0)
    }

    pub fn process(&self) -> &Process {
        &self.daemon.process
    }

    /// It no longer answers, and its connections stay.
    pub fn freeze(&self) {
        self.daemon.process.freeze();
    }

    pub fn thaw(&self) {
        self.daemon.process.thaw();
    }

    pub fn kill(&mut self) {
        self.daemon.process.kill();
    }

    /// The same server again, with what it was told to keep.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub fn start_again(&mut self) {
        self.daemon.start_again(command(&self.arguments));
        self.wait();
    }

    pub fn is_master(&self) -> bool {
        let Some(mut connection) = self.try_connect() else { return false };
        let role: Result<Vec<redis::Value>, _> = redis::cmd("ROLE").query(&mut connection);
        matches!(role.as_deref(), Ok([redis::Value::BulkString(role), ..]) if role == b"master")
    }

    /// The name that it has as a node of a cluster.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub fn cluster_id(&self) -> String {
        redis::cmd("CLUSTER").arg("MYID").query(&mut self.connect()).unwrap()
    }

    /// Whether it finds its cluster able to work.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub fn is_in_whole_cluster(&self) -> bool {
        let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut self.connect()).unwrap();
        info.contains("cluster_state:ok")
    }
}

fn command(arguments: &[String]) -> Command {
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--protected-mode", "no"])
        .args(arguments);
    command
}

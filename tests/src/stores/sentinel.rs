//! Redis Sentinel.

use std::fs;
use std::process::Command;

use redis::Client;
use tempfile::TempDir;

use super::{Daemon, Redis};
use crate::port::free_port;
use crate::socket::Address;
use crate::wait::{DEADLINE, eventually};

/// A sentinel that watches one master as `rules`.
#[derive(Debug)]
pub struct Sentinel {
    _daemon: Daemon,
    pub port: u16,
}

impl Sentinel {
    /// Starts one that needs `quorum` sentinels to agree on the master's death.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub fn watch(master: &Redis, quorum: usize) -> Self {
        let port = free_port().unwrap();
        let folder = TempDir::new().unwrap();
        let configuration = folder.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\nprotected-mode no\nsentinel monitor rules 127.0.0.1 {} {quorum}\n\
             sentinel down-after-milliseconds rules 500\nsentinel failover-timeout rules 2000\n",
            master.port
        );
        fs::write(&configuration, text).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(&configuration).arg("--sentinel");
        let sentinel = Self { _daemon: Daemon::start("redis-sentinel", command, folder), port };
        let address = Address::Tcp(([127, 0, 0, 1], port).into());
        eventually("the sentinel listens", || address.connect(DEADLINE).ok());
        sentinel
    }

    /// The number of replicas that it knows and finds well.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub fn replicas(&self) -> usize {
        let mut connection = Client::open(format!("redis://127.0.0.1:{}", self.port))
            .and_then(|client| client.get_connection())
            .unwrap();
        let found: Vec<redis::Value> =
            redis::cmd("SENTINEL").arg("replicas").arg("rules").query(&mut connection).unwrap();
        found.len()
    }
}

/// A master, its replica, and three sentinels of which two must agree.
#[derive(Debug)]
pub struct SentinelGroup {
    pub master: Redis,
    pub replica: Redis,
    sentinels: [Sentinel; 3],
}

impl SentinelGroup {
    /// Starts all of it, with these further arguments for both servers, and waits until the sentinels know the replica.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub fn start(arguments: &[&str]) -> Self {
        let arguments = [arguments, &["--repl-diskless-sync-delay", "0"]].concat();
        let master = Redis::start(&arguments);
        let replica = Redis::start(&arguments);
        replica.command(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
        let sentinels = [(); 3].map(|()| Sentinel::watch(&master, 2));
        let group = Self { master, replica, sentinels };
        eventually("the sentinels know the replica", || {
            group.sentinels.iter().all(|sentinel| sentinel.replicas() == 1).then_some(())
        });
        group
    }

    /// The sentinels, as a token-server's setting names them.
    pub fn urls(&self) -> String {
        self.sentinels.each_ref().map(|sentinel| format!("redis://127.0.0.1:{}", sentinel.port)).join(",")
    }
}

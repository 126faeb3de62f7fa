//! Real stores: Redis alone, under sentinels, as a cluster, and Consul; each on ports and in a folder of its own.

mod cluster;
mod consul;
mod redis;
mod sentinel;

use std::process::Command;
use std::thread;

use tempfile::TempDir;

pub use cluster::Cluster;
pub use consul::Consul;
pub use redis::Redis;
pub use sentinel::{Sentinel, SentinelGroup};

use crate::process::Process;

/// How much of a store's log a failed test shows.
const SHOWN_LINES: usize = 30;

/// A store's process and the folder that it works in; what it printed is shown when the test fails.
#[derive(Debug)]
struct Daemon {
    process: Process,
    folder: TempDir,
}

impl Daemon {
    /// # Panics
    ///
    /// The program is not there.
    fn start(name: &str, mut command: Command, folder: TempDir) -> Self {
        command.current_dir(folder.path());
        let process =
            Process::start(name, command).unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { process, folder }
    }

    /// Another process in the same folder.
    fn start_again(&mut self, mut command: Command) {
        self.process.kill();
        command.current_dir(self.folder.path());
        self.process = Process::start(self.process.name(), command).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if thread::panicking() {
            let lines = self.process.lines();
            eprintln!("== log of {}", self.process.name());
            lines[lines.len().saturating_sub(SHOWN_LINES)..].iter().for_each(|line| eprintln!("{line}"));
        }
    }
}

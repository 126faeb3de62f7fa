//! What lies between agents and token-servers in some networks: a proxy, which may lose one kind of request alone.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::haproxy::{StatsSocket, program};
use crate::process::Process;
use crate::socket::Address;
use crate::wait::{DEADLINE, eventually};

/// A HAProxy with a port for each token-server.
#[derive(Debug)]
pub struct Relay {
    process: Process,
    stats: StatsSocket,
    ports: Vec<Address>,
    _folder: TempDir,
}

impl Relay {
    /// # Panics
    ///
    /// It does not come up; with its log.
    pub fn start(servers: &[String]) -> Self {
        let folder = TempDir::with_prefix("relay-").unwrap();
        let stats = folder.path().join("stats.sock");
        let ports: Vec<_> = servers.iter().map(|_| Address::free_port().unwrap()).collect();
        let mut text = format!(
            "global\n stats socket {} level admin\ndefaults\n mode http\n timeout connect 1s\n timeout client 30s\n \
             timeout server 30s\n",
            stats.display()
        );
        for (number, (port, server)) in ports.iter().zip(servers).enumerate() {
            // A feed that is cut says nothing: its connection stays open and unanswered.
            writeln!(
                text,
                "frontend f{number}\n bind {port}\n acl feed path_beg /v1/events\n \
                 http-request silent-drop if feed {{ nbsrv(feed{number}) eq 0 }}\n \
                 use_backend feed{number} if feed\n default_backend checks{number}\n\
                 backend feed{number}\n server it {server}\nbackend checks{number}\n server it {server}"
            )
            .unwrap();
        }
        let file = folder.path().join("relay.cfg");
        fs::write(&file, text).unwrap();
        let mut command = Command::new(program());
        command.args(["-db", "-f"]).arg(file);
        let process = Process::start("relay", command).unwrap();
        for port in &ports {
            eventually("the relay listens", || port.connect(DEADLINE).ok());
        }
        Self { process, stats: StatsSocket::new(&stats), ports, _folder: folder }
    }

    /// What agents call the token-servers.
    pub fn urls(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("http://{port}")).collect()
    }

    /// # Panics
    ///
    /// It does not obey; with its log.
    pub fn cut_feeds(&self) {
        self.all_feeds("disable");
    }

    /// # Panics
    ///
    /// It does not obey; with its log.
    pub fn mend_feeds(&self) {
        self.all_feeds("enable");
    }

    fn all_feeds(&self, action: &str) {
        for number in 0..self.ports.len() {
            let said = self.stats.ask(&format!("{action} server feed{number}/it"));
            assert_eq!(said.trim(), "", "{}", self.process.log());
        }
    }
}

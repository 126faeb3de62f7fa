//! Consul.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::Daemon;
use crate::http::{Client, Request};
use crate::port::free_port;
use crate::socket::Address;
use crate::wait::eventually;

/// How long a key may take to write; more than a second only if it hangs.
const PATIENCE: Duration = Duration::from_secs(3);

/// Consul's development server, which keeps nothing on disk.
#[derive(Debug)]
pub struct Consul {
    daemon: Daemon,
    ports: Ports,
}

#[derive(Debug)]
struct Ports {
    http: u16,
    serf_lan: u16,
    serf_wan: u16,
    server: u16,
}

impl Consul {
    /// Starts it and waits until it takes keys. ms-users has told it of a rule before.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub fn start() -> Self {
        let consul = Self::start_untold();
        consul.tell("a-user", "1");
        consul
    }

    /// The same of one that has never heard of a rule.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub fn start_untold() -> Self {
        let port = || free_port().unwrap();
        let ports = Ports { http: port(), serf_lan: port(), serf_wan: port(), server: port() };
        let daemon = Daemon::start("consul", command(&ports), TempDir::new().unwrap());
        let consul = Self { daemon, ports };
        consul.wait();
        consul
    }

    fn wait(&self) {
        eventually("Consul has a leader", || self.try_put("started", "1").then_some(()));
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.http)
    }

    /// As ms-users tells that it wrote a rule of this group.
    ///
    /// # Panics
    ///
    /// It does not take it.
    pub fn tell(&self, group: &str, milliseconds: &str) {
        assert!(self.try_tell(group, milliseconds));
    }

    /// The same of a Consul that may be down; tells whether it took it.
    pub fn try_tell(&self, group: &str, milliseconds: &str) -> bool {
        self.try_put(&format!("microfleet/ms-users/revocation-rules/{group}"), milliseconds)
    }

    fn try_put(&self, key: &str, value: &str) -> bool {
        let address = Address::Tcp(([127, 0, 0, 1], self.ports.http).into());
        let Ok(connection) = address.connect(PATIENCE) else { return false };
        let request = Request::line(&format!("PUT /v1/kv/{key} HTTP/1.1"))
            .header("Content-Length", value.len().to_string());
        let mut client = Client::new(connection);
        let answer =
            client.write(&[&request.to_bytes(), value.as_bytes()].concat()).and_then(|()| client.response());
        answer.is_ok_and(|answer| answer.status == 200 && answer.body.trim_ascii() == b"true")
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

    /// The same server again, which knows nothing but that there was a rule.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub fn start_again(&mut self) {
        self.daemon.start_again(command(&self.ports));
        self.wait();
        self.tell("a-user", "1");
    }
}

fn command(ports: &Ports) -> Command {
    let mut command = Command::new(program());
    command
        .args(["agent", "-dev", "-bind", "127.0.0.1", "-client", "127.0.0.1", "-log-level", "warn"])
        .args(["-http-port", &ports.http.to_string(), "-dns-port", "-1", "-grpc-port", "-1"])
        .args(["-serf-lan-port", &ports.serf_lan.to_string()])
        .args(["-serf-wan-port", &ports.serf_wan.to_string()])
        .args(["-server-port", &ports.server.to_string()]);
    command
}

/// `CONSUL`, or where `tests/consul.sh` unpacks it: in the target folder.
fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("CONSUL") {
        return program.into();
    }
    let this = std::env::current_exe().unwrap();
    let unpacked =
        this.ancestors().map(|folder| folder.join("consul/consul")).find(|path: &PathBuf| path.is_file());
    unpacked
        .unwrap_or_else(|| panic!("Consul is missing beside {}: run tests/consul.sh", Path::display(&this)))
}

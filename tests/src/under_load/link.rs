//! A network of its own for one process, joined to this machine by a cable that can be cut in one direction.

use std::process::Command;

use crate::port::free_port;
use crate::process::started_by;

/// Which packets are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What the process sends.
    Out,
    /// What is sent to it.
    In,
}

impl Direction {
    fn chain(self) -> &'static str {
        match self {
            Self::Out => "OUTPUT",
            Self::In => "INPUT",
        }
    }
}

/// The network; gone when dropped.
#[derive(Debug)]
pub struct Link {
    name: String,
    /// Tells one run's addresses from another's.
    subnet: u8,
}

impl Link {
    /// # Panics
    ///
    /// This process may not: it takes root, `ip` and `iptables`.
    pub fn start() -> Self {
        // A claimed port is a number that no other run has at the same time.
        let number = free_port().unwrap();
        let link = Self { name: format!("jwt{number}"), subnet: number.to_be_bytes()[1] };
        let (name, outer, inner) = (&link.name, link.outer_device(), link.inner_device());
        run("ip", &["netns", "add", name]);
        run("ip", &["link", "add", &outer, "type", "veth", "peer", "name", &inner, "netns", name]);
        run("ip", &["address", "add", &format!("{}/30", link.here()), "dev", &outer]);
        run("ip", &["link", "set", &outer, "up"]);
        link.inside("ip", &["address", "add", &format!("10.213.{}.2/30", link.subnet), "dev", &inner]);
        link.inside("ip", &["link", "set", &inner, "up"]);
        link.inside("ip", &["link", "set", "lo", "up"]);
        link
    }

    /// This machine's address, as the process sees it.
    pub fn here(&self) -> String {
        format!("10.213.{}.1", self.subnet)
    }

    /// The command, run in this network.
    pub fn command(&self, program: &Command) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name));
        started_by(command, program)
    }

    /// # Panics
    ///
    /// `iptables` refuses.
    pub fn cut(&self, direction: Direction) {
        self.inside("iptables", &["-A", direction.chain(), "-p", "tcp", "-j", "DROP"]);
    }

    /// # Panics
    ///
    /// It was not cut.
    pub fn mend(&self, direction: Direction) {
        self.inside("iptables", &["-D", direction.chain(), "-p", "tcp", "-j", "DROP"]);
    }

    fn outer_device(&self) -> String {
        format!("{}o", self.name)
    }

    fn inner_device(&self) -> String {
        format!("{}i", self.name)
    }

    fn inside(&self, program: &str, arguments: &[&str]) {
        run("ip", &[&["netns", "exec", &self.name, program], arguments].concat());
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // With the network its end of the cable goes, and with that the other one.
        let _gone = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {said} (this takes root)", arguments.join(" "));
}

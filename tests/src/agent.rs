//! `jwt-agent` as a process.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::http::{Client, Request, Response};
use crate::process::{Process, workspace_program};
use crate::scan;
use crate::socket::Address;
use crate::wait::{DEADLINE, eventually, poll};

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    pub process: Process,
    pub listen: Address,
    pub admin: Address,
    name: String,
    environment: Vec<(String, String)>,
}

/// The agent's program with nothing of this process's environment but what a program needs to run.
///
/// # Panics
///
/// It is not built.
pub fn command() -> Command {
    let mut command = Command::new(program("jwt-agent"));
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// The path of one of our programs.
///
/// # Panics
///
/// It is not built.
pub fn program(name: &str) -> PathBuf {
    workspace_program(name).unwrap_or_else(|why| panic!("{why}"))
}

impl Agent {
    /// Starts an agent and waits until it listens; it need not be ready.
    ///
    /// # Panics
    ///
    /// It does not come up; with its log.
    pub fn start(name: &str, listen: Address, environment: &[(String, String)]) -> Self {
        Self::start_as(name, command(), listen, environment)
    }

    /// The same, of a command that runs the agent somehow.
    ///
    /// # Panics
    ///
    /// It does not come up; with its log.
    pub fn start_as(name: &str, command: Command, listen: Address, environment: &[(String, String)]) -> Self {
        let (process, admin) = start(name, command, &listen, environment);
        Self { process, listen, admin, name: name.to_owned(), environment: environment.to_vec() }
    }

    /// Starts it again after its end, where it was and as it was; its admin port is another.
    ///
    /// # Panics
    ///
    /// It does not come up; with its log.
    pub fn restart(&mut self) {
        (self.process, self.admin) = start(&self.name, command(), &self.listen, &self.environment);
    }

    /// Asks the admin port.
    ///
    /// # Panics
    ///
    /// Nothing answers there.
    pub fn admin(&self, path: &str) -> Response {
        ask(&self.admin, &Request::get(path))
    }

    /// A metric without labels, by its name without the program's; 0 while it is not told.
    ///
    /// # Panics
    ///
    /// Nothing answers there.
    pub fn metric(&self, name: &str) -> u64 {
        let text = String::from_utf8(self.admin("/metrics").body).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(&format!("jwt_agent_{name} ")));
        value.map_or(0, |value| value.parse().unwrap())
    }

    pub fn is_ready(&self) -> bool {
        self.admin("/ready").status == 200
    }

    pub fn wait_ready(&self) {
        eventually("the agent is ready", || self.is_ready().then_some(()));
    }
}

fn start(
    name: &str,
    mut command: Command,
    listen: &Address,
    environment: &[(String, String)],
) -> (Process, Address) {
    scan::trace(&mut command);
    command
        .args(["--log-format", "json"])
        .env("JWT_AGENT_LISTEN", listen.to_string())
        .env("JWT_ADMIN_LISTEN", "127.0.0.1:0")
        .envs(environment.iter().map(|(key, value)| (key, value)));
    let mut process = Process::start(name, command).unwrap();
    let admin = poll(DEADLINE, || match process.exited() {
        Some(_) => Some(None),
        None => listening(&process.lines(), "admin").map(Some),
    });
    let admin = admin.flatten().unwrap_or_else(|| panic!("{name} does not listen:\n{}", process.log()));
    (process, admin)
}

/// One request to an address that answers at once.
///
/// # Panics
///
/// Nothing answers there.
pub fn ask(address: &Address, request: &Request) -> Response {
    let mut client = Client::new(address.connect(DEADLINE).unwrap());
    client.write(&request.to_bytes()).unwrap();
    client.response().unwrap()
}

/// The TCP address that a program logged for one of its listeners.
pub fn listening(lines: &[String], listener: &str) -> Option<Address> {
    lines.iter().find_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        let text = |field: &str| event.get(field).and_then(Value::as_str);
        let is_wanted = text("message") == Some("listening") && text("listener") == Some(listener);
        is_wanted.then(|| text("address")?.parse().ok().map(Address::Tcp)).flatten()
    })
}

//! The demo of `make run`: a token-server with an embedded store, two agents, HAProxy with the shipped files, and a
//! backend that shows what it was sent. It ends with nothing left running.

mod error;
mod invitation;
mod parts;
mod signals;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::Error;

use crate::backend::{Backend, Seen};
use crate::keys::{SigningKey, jwks};
use crate::process::{Process, Signal};
use crate::socket::Address;
use crate::wait::poll;
use invitation::Invitation;
use parts::Places;
use signals::Signals;

/// The time between two looks at signals and at the processes.
const LOOK: Duration = Duration::from_millis(100);

/// How long a process may take to end after it was asked to; then it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// What can be chosen.
#[derive(Debug)]
pub struct Options {
    /// Where HAProxy listens, on 127.0.0.1.
    pub port: u16,
    /// The agents' keys; without a file they are made, and tokens with them.
    pub keys: Option<PathBuf>,
    /// Which HAProxy.
    pub haproxy: String,
}

/// Runs the demo until it is told to stop.
///
/// # Errors
///
/// Something cannot be had or started, or ended by itself.
pub fn run(options: &Options) -> Result<(), Error> {
    let signals = Signals::install()?;
    let folder = tempfile::Builder::new().prefix("haproxy-jwt-demo-").tempdir().map_err(Error::Folder)?;
    let places = Places::choose(folder.path(), options.port)?;
    let haproxy_version = parts::haproxy_version(&options.haproxy)?;
    let keys = match &options.keys {
        Some(file) => {
            parts::check_keys(file)?;
            Vec::new()
        }
        None => {
            ["RS256", "ES256", "HS256"].map(|algorithm| SigningKey::generate(algorithm, algorithm)).into()
        }
    };
    let key_file = options.keys.clone().unwrap_or_else(|| folder.path().join("keys.json"));
    if !keys.is_empty() {
        fs::write(&key_file, jwks(&keys)).map_err(Error::Folder)?;
    }
    let _backend = Backend::start_with(&places.backend, pretty).map_err(Error::Folder)?;

    let mut running = Running { signals, processes: Vec::new() };
    let outcome = start(&mut running, &places, &key_file, options).and_then(|()| {
        let invitation = Invitation { places: &places, keys: &keys, key_file: &key_file, haproxy_version };
        print(&invitation.to_string());
        running.watch()
    });
    running.stop();
    match outcome {
        Err(Error::Stopped) => Ok(()),
        outcome => outcome,
    }
}

fn start(running: &mut Running, places: &Places, key_file: &Path, options: &Options) -> Result<(), Error> {
    running.start(parts::token_server(places)?)?;
    running.wait_for("the token-server", || places.answers_200(&places.token_server_socket, "/ready"))?;
    for agent in &places.agents {
        running.start(parts::agent(agent, places, key_file)?)?;
    }
    for agent in &places.agents {
        running.wait_for(agent.name, || places.answers_200(&agent.admin, "/ready"))?;
    }
    running.start(parts::haproxy(&options.haproxy, places))?;
    running.wait_for("haproxy", || places.answers_200(&places.edge, "/public/"))
}

/// What was started, and what may end it.
struct Running {
    signals: Signals,
    processes: Vec<Process>,
}

impl Running {
    fn start(&mut self, part: parts::Part) -> Result<(), Error> {
        let name = part.name;
        let follow = Box::new(move |line: &str| print(&format!("{name:<12} | {line}\n")));
        let process = Process::start_with(name, part.command, follow)
            .map_err(|source| Error::Start { name: name.to_owned(), source })?;
        self.processes.push(process);
        Ok(())
    }

    /// Waits until `is_ready`, unless a signal or the end of a process comes first.
    fn wait_for(&mut self, what: &str, is_ready: impl Fn() -> bool) -> Result<(), Error> {
        poll(crate::wait::DEADLINE, || match self.look() {
            Err(error) => Some(Err(error)),
            Ok(()) => is_ready().then_some(Ok(())),
        })
        .unwrap_or_else(|| Err(Error::Late { what: what.to_owned() }))
    }

    /// Waits for a signal or the end of a process.
    fn watch(&mut self) -> Result<(), Error> {
        loop {
            self.signals.wait(LOOK);
            self.look()?;
        }
    }

    fn look(&mut self) -> Result<(), Error> {
        if self.signals.came() {
            return Err(Error::Stopped);
        }
        let ended =
            self.processes.iter_mut().find_map(|process| process.exited().map(|status| (process, status)));
        match ended {
            Some((process, status)) => Err(Error::Ended { name: process.name().to_owned(), status }),
            None => Ok(()),
        }
    }

    /// Ends everything: first what asks, then what answers.
    fn stop(&mut self) {
        while let Some(mut process) = self.processes.pop() {
            // To an agent SIGTERM means to wait until HAProxy has turned away, which it just did.
            process.signal(Signal::INT);
            if process.wait(GRACE).is_none() {
                print(&format!("{} does not stop, and is killed\n", process.name()));
            }
        }
    }
}

/// Shows a request with its headers, one a line.
fn pretty(seen: &Seen) -> String {
    let mut headers = serde_json::Map::new();
    for (name, value) in &seen.headers {
        headers.insert(name.clone(), value.clone().into());
    }
    format!("{:#}\n", serde_json::json!({ "request": seen.line, "headers": headers }))
}

/// Writes to standard output in one piece; a reader that closed it does not want to read it.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

impl Places {
    fn answers_200(&self, address: &Address, path: &str) -> bool {
        parts::status(address, path).is_ok_and(|status| status == 200)
    }
}

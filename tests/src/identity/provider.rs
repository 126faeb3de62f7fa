//! An identity provider as a process that keeps its place and its keys through restarts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::installed::installed_by;
use crate::port::free_port;
use crate::process::{Process, repository};
use crate::wait::{DEADLINE, poll};
use tempfile::TempDir;

use super::flow::Visitor;

/// What the story needs to know of one provider.
pub struct Kind {
    pub name: &'static str,
    /// What starts it, at a place that is its own.
    pub command: fn(&Place) -> Command,
    /// The path of its issuer, below `http://127.0.0.1:<port>`.
    pub path: &'static str,
    pub algorithm: &'static str,
    /// What its tokens are for, if they say so.
    pub audience: Option<&'static str>,
    /// Whether it goes on publishing a key that no longer signs.
    pub keeps_old_keys: bool,
    /// A token for that audience, by a flow.
    pub token: fn(&Place) -> String,
    /// Tokens that it makes for something else, and what is said of them.
    pub others: fn(&Place) -> Vec<(&'static str, String)>,
}

/// Where a provider is, and what it has.
pub struct Place {
    /// Where providers are installed.
    pub home: PathBuf,
    /// A folder of this one's own, for its keys.
    pub state: TempDir,
    pub port: u16,
    pub issuer: String,
    pub algorithm: &'static str,
    /// The numbers of the keys that it publishes; it signs with the first.
    pub keys: Vec<u32>,
    /// More of its environment.
    pub more: Vec<(&'static str, String)>,
}

impl Place {
    pub fn visitor(&self) -> Visitor {
        Visitor::of(&self.issuer)
    }

    /// A path below the issuer's.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The numbers of the keys, with commas.
    pub fn key_list(&self) -> String {
        let numbers: Vec<_> = self.keys.iter().map(u32::to_string).collect();
        numbers.join(",")
    }

    /// A program from Debian's packages, or Node.
    pub fn program(&self, name: &str) -> Command {
        self.with_settings(Command::new(self.home.join("debian").join(name)))
    }

    /// A program of Python, with what was installed from PyPI.
    pub fn python(&self, script: &str) -> Command {
        let mut command = Command::new("python3");
        command.arg(scripts().join(script)).env("PYTHONPATH", self.home.join("python"));
        self.with_settings(command)
    }

    fn with_settings(&self, mut command: Command) -> Command {
        command
            .env("PORT", self.port.to_string())
            .env("ISSUER", &self.issuer)
            .env("STATE", self.state.path())
            .env("ALGORITHM", self.algorithm)
            .env("KEYS", self.key_list())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // Plain HTTP, on the loopback interface only.
            .env("AUTHLIB_INSECURE_TRANSPORT", "1")
            .envs(self.more.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A provider that runs, or is away.
pub struct Provider {
    pub kind: &'static Kind,
    pub place: Place,
    process: Option<Process>,
}

impl Provider {
    /// Starts it with its first key.
    pub fn start(kind: &'static Kind) -> Self {
        Self::start_with(kind, Vec::new())
    }

    /// The same with more in its environment.
    pub fn start_with(kind: &'static Kind, more: Vec<(&'static str, String)>) -> Self {
        let port = free_port().unwrap();
        let place = Place {
            home: installed().to_owned(),
            state: TempDir::with_prefix("provider-").unwrap(),
            port,
            issuer: format!("http://127.0.0.1:{port}{}", kind.path),
            algorithm: kind.algorithm,
            keys: vec![1],
            more,
        };
        let mut provider = Self { kind, place, process: None };
        provider.starts();
        provider
    }

    /// Ends it, if it runs, and waits until it is gone.
    pub fn stops(&mut self) {
        self.process = None;
    }

    /// Starts it where it was, and waits until it serves its discovery document.
    pub fn starts(&mut self) {
        let mut process = Process::start(self.kind.name, (self.kind.command)(&self.place)).unwrap();
        let document = self.place.at("/.well-known/openid-configuration");
        let up = poll(DEADLINE, || match process.exited() {
            Some(_) => Some(false),
            None => self
                .is_listening()
                .then(|| self.place.visitor().get(&document).status == 200)
                .filter(|up| *up),
        });
        assert_eq!(up, Some(true), "{} does not come up:\n{}", self.kind.name, process.log());
        self.process = Some(process);
    }

    /// Starts it again with these keys.
    pub fn restarts_with(&mut self, keys: &[u32]) {
        self.stops();
        self.place.keys = keys.to_vec();
        self.starts();
    }

    pub fn token(&self) -> String {
        (self.kind.token)(&self.place)
    }

    fn is_listening(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.place.port)).is_ok()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        if let (true, Some(process)) = (std::thread::panicking(), &self.process) {
            eprintln!("== log of {}\n{}", self.kind.name, process.log());
        }
    }
}

/// Where the programs that start the providers are.
pub fn scripts() -> PathBuf {
    repository().join("tests/interop/providers")
}

/// The folder in which the providers are, installed once.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| installed_by(&scripts()))
}

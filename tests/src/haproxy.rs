//! HAProxy as a process, with the shipped files.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Process, repository};
use crate::socket::Address;
use crate::wait::{DEADLINE, eventually, poll};

/// The configurations that users copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shipped {
    /// Only good tokens pass.
    Denying,
    /// Everything passes, with headers that tell what the token is worth.
    Annotating,
    /// Only good tokens pass, by a policy for each route.
    Routes,
    /// Only good tokens pass to one backend of several.
    Backend,
    /// As [`Denying`](Self::Denying), with verdicts inside HAProxy.
    EdgeDenying,
    /// As [`Annotating`](Self::Annotating), with verdicts inside HAProxy.
    EdgeAnnotating,
    /// As [`Routes`](Self::Routes), with verdicts inside HAProxy.
    EdgeRoutes,
    /// As [`Backend`](Self::Backend), with verdicts inside HAProxy.
    EdgeBackend,
    /// Denying, for scripts of another origin.
    Browsers,
    /// Denying, for a token in a cookie.
    Cookie,
    /// A client without a token is a guest.
    Optional,
    /// Denying, for a token in the query.
    Query,
    /// Denying, with claims as headers of other names.
    ClaimHeaders,
    /// Denying, for a token in a header of another name.
    Header,
    /// Denying, for a token among the subprotocols of a WebSocket.
    WebSocket,
    /// Denying, with limits for subjects and for addresses that guess.
    Limits,
    /// Denying, with a host for each tenant.
    Tenant,
    /// Denying, with a second version of the application for some users.
    Canary,
    /// Denying, with the way of identity providers to a token-server.
    Signals,
    /// Denying, for tokens that are bound to their client; with TLS.
    Dpop,
    /// As [`Denying`](Self::Denying), with streams that end with their token.
    Streams,
    /// As [`Backend`](Self::Backend), with streams that end with their token.
    StreamsBackend,
    /// Denying, before an MCP server. Not in [`ALL`](Self::ALL), since it takes nothing but calls.
    Mcp,
}

impl Shipped {
    pub const ALL: [Self; 22] = [
        Self::Denying,
        Self::Annotating,
        Self::Routes,
        Self::Backend,
        Self::EdgeDenying,
        Self::EdgeAnnotating,
        Self::EdgeRoutes,
        Self::EdgeBackend,
        Self::Browsers,
        Self::Cookie,
        Self::Optional,
        Self::Query,
        Self::ClaimHeaders,
        Self::Header,
        Self::WebSocket,
        Self::Limits,
        Self::Tenant,
        Self::Canary,
        Self::Signals,
        Self::Dpop,
        Self::Streams,
        Self::StreamsBackend,
    ];

    /// Those with verdicts inside HAProxy.
    pub const EDGES: [Self; 4] =
        [Self::EdgeDenying, Self::EdgeAnnotating, Self::EdgeRoutes, Self::EdgeBackend];

    /// Those with streams that end with their token.
    pub const STREAMS: [Self; 2] = [Self::Streams, Self::StreamsBackend];

    /// The file that answers every request in the same way: of one with verdicts inside HAProxy, or with streams that end with
    /// their token, the one without.
    #[must_use]
    pub fn form(self) -> Self {
        match self {
            Self::EdgeDenying | Self::Streams => Self::Denying,
            Self::EdgeAnnotating => Self::Annotating,
            Self::EdgeRoutes => Self::Routes,
            Self::EdgeBackend | Self::StreamsBackend => Self::Backend,
            Self::Denying
            | Self::Annotating
            | Self::Routes
            | Self::Backend
            | Self::Browsers
            | Self::Cookie
            | Self::Optional
            | Self::Query
            | Self::ClaimHeaders
            | Self::Header
            | Self::WebSocket
            | Self::Limits
            | Self::Tenant
            | Self::Canary
            | Self::Signals
            | Self::Dpop
            | Self::Mcp => self,
        }
    }

    pub fn path(self) -> PathBuf {
        repository().join("haproxy").join(match self {
            Self::Denying => "haproxy.cfg",
            Self::Annotating => "haproxy-ms-users.cfg",
            Self::Routes => "haproxy-routes.cfg",
            Self::Backend => "haproxy-backend.cfg",
            Self::EdgeDenying => "haproxy-edge.cfg",
            Self::EdgeAnnotating => "haproxy-edge-ms-users.cfg",
            Self::EdgeRoutes => "haproxy-edge-routes.cfg",
            Self::EdgeBackend => "haproxy-edge-backend.cfg",
            Self::Browsers => "recipes/browsers.cfg",
            Self::Cookie => "recipes/cookie.cfg",
            Self::Optional => "recipes/optional.cfg",
            Self::Query => "recipes/query.cfg",
            Self::ClaimHeaders => "recipes/claim-headers.cfg",
            Self::Header => "recipes/header.cfg",
            Self::WebSocket => "recipes/websocket.cfg",
            Self::Limits => "recipes/limits.cfg",
            Self::Tenant => "recipes/tenant.cfg",
            Self::Canary => "recipes/canary.cfg",
            Self::Signals => "recipes/signals.cfg",
            Self::Dpop => "haproxy-dpop.cfg",
            Self::Streams => "haproxy-streams.cfg",
            Self::StreamsBackend => "haproxy-streams-backend.cfg",
            Self::Mcp => "haproxy-mcp.cfg",
        })
    }
}

/// The program under test: `HAPROXY`, or the one that is installed.
pub fn program() -> String {
    /// Where Debian puts it, which is not in every `PATH`.
    const DEBIAN: &str = "/usr/sbin/haproxy";
    std::env::var("HAPROXY").unwrap_or_else(|_| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let in_path = std::env::split_paths(&path).any(|folder| folder.join("haproxy").is_file());
        let program = if !in_path && Path::new(DEBIAN).is_file() { DEBIAN } else { "haproxy" };
        program.to_owned()
    })
}

/// The release of [`program`], such as `(3, 2)`.
///
/// # Panics
///
/// It does not tell.
pub fn version() -> (u32, u32) {
    version_of(&program())
}

/// The release of any HAProxy.
///
/// # Panics
///
/// It does not tell.
pub fn version_of(program: &str) -> (u32, u32) {
    let output = Command::new(program).arg("-v").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers =
        text.trim_start_matches("HAProxy version ").split(['.', '-']).map_while(|part| part.parse().ok());
    numbers.next().zip(numbers.next()).unwrap_or_else(|| panic!("no version: {text}"))
}

/// A running HAProxy.
#[derive(Debug)]
pub struct Haproxy {
    pub process: Process,
    stats: StatsSocket,
}

/// A socket on which HAProxy takes commands.
#[derive(Debug)]
pub struct StatsSocket(Address);

impl StatsSocket {
    pub fn new(path: &Path) -> Self {
        Self(Address::Unix(path.to_owned()))
    }

    /// What a command answers.
    ///
    /// # Panics
    ///
    /// The socket does not answer.
    pub fn ask(&self, command: &str) -> String {
        self.try_ask(command).unwrap()
    }

    /// The same of a HAProxy that is starting: its file is there before it listens.
    pub fn try_ask(&self, command: &str) -> std::io::Result<String> {
        let mut connection = self.0.connect(DEADLINE)?;
        connection.write_all(format!("{command}\n").as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Haproxy {
    /// Starts it and waits until it listens and has checked its agents once.
    ///
    /// # Panics
    ///
    /// It does not come up; with its log.
    pub fn start(files: &[PathBuf], environment: &[(&str, String)], edge: &Address, stats: &Path) -> Self {
        Self::start_program(&program(), files, environment, edge, stats)
    }

    /// The same with any HAProxy.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn start_program(
        program: &str,
        files: &[PathBuf],
        environment: &[(&str, String)],
        edge: &Address,
        stats: &Path,
    ) -> Self {
        let mut command = Command::new(program);
        command.arg("-db").envs(environment.iter().map(|(key, value)| (key, value)));
        // A warning is a fault, so that the files stay clean on every version. From 3.4 on a start as root is one in itself.
        if version_of(program) < (3, 4) {
            command.arg("-dW");
        }
        for file in files {
            command.arg("-f").arg(file);
        }
        let mut process = Process::start("haproxy", command)
            .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        let up = poll(DEADLINE, || match process.exited() {
            Some(_) => Some(false),
            // HAProxy makes its sockets one after the other.
            None => [edge, &Address::Unix(stats.to_owned())]
                .into_iter()
                .all(|socket| socket.connect(DEADLINE).is_ok())
                .then_some(true),
        });
        assert_eq!(up, Some(true), "haproxy does not come up:\n{}", process.log());
        let haproxy = Self { process, stats: StatsSocket::new(stats) };
        eventually("haproxy has checked its agents", || {
            let states = haproxy.agents();
            (!states.is_empty() && states.values().all(|agent| agent.checked)).then_some(())
        });
        haproxy
    }

    /// What a command on the stats socket answers.
    ///
    /// # Panics
    ///
    /// The socket does not answer.
    pub fn stats(&self, command: &str) -> String {
        self.stats.ask(command)
    }

    /// The servers of the backend `jwt-agents`, by name.
    ///
    /// # Panics
    ///
    /// The socket does not answer.
    pub fn agents(&self) -> BTreeMap<String, ServerState> {
        let table = self.stats("show stat");
        let mut lines = table.lines();
        let columns: Vec<&str> =
            lines.next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
        let column = |row: &[&str], name: &str| {
            let index = columns.iter().position(|column| *column == name);
            index.and_then(|index| row.get(index)).copied().unwrap_or_default().to_owned()
        };
        lines
            .map(|line| line.split(',').collect::<Vec<_>>())
            .filter(|row| row.first() == Some(&"jwt-agents") && column(row, "type") == "2")
            .map(|row| {
                let check = column(&row, "check_status");
                let state = ServerState {
                    up: column(&row, "status").starts_with("UP"),
                    // "INI": not checked yet; "* ...": the first check is running.
                    checked: !check.is_empty() && check != "INI" && !check.starts_with('*'),
                };
                (column(&row, "svname"), state)
            })
            .collect()
    }

    /// Waits until HAProxy has noticed which agents answer their health checks.
    pub fn wait_agents_up(&self, expected: &[(&str, bool)]) {
        eventually("haproxy sees which agents are up", || {
            let states = self.agents();
            expected
                .iter()
                .all(|(name, up)| states.get(*name).is_some_and(|agent| agent.up == *up))
                .then_some(())
        });
    }
}

/// What HAProxy knows about a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerState {
    pub up: bool,
    /// Whether a health check was answered, or missed, at least once.
    pub checked: bool,
}

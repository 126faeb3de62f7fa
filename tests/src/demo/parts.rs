//! The programs of the demo: where each listens and how it is started.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Error;
use crate::haproxy::Shipped;
use crate::http::{Client, Request};
use crate::process::{repository, workspace_program};
use crate::socket::Address;

/// The issuer and the audience of the demo's tokens.
pub(super) const ISSUER: &str = "https://demo.test";
pub(super) const AUDIENCE: &str = "demo";

/// How long a part may take to answer one question.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where everything is.
pub(super) struct Places {
    pub(super) edge: Address,
    pub(super) agents: [AgentPlaces; 2],
    pub(super) backend: Address,
    /// Where agents ask the token-server.
    pub(super) token_server: Address,
    /// Where rules are written: only this user may open it.
    pub(super) token_server_socket: Address,
    folder: PathBuf,
}

pub(super) struct AgentPlaces {
    pub(super) name: &'static str,
    listen: Address,
    pub(super) admin: Address,
}

/// A program to be started.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) command: Command,
}

impl Places {
    /// Unix sockets in `folder`, free ports for the rest, and `port` for HAProxy.
    pub(super) fn choose(folder: &Path, port: u16) -> Result<Self, Error> {
        let edge = Address::Tcp(([127, 0, 0, 1], port).into());
        // Closed again at once: HAProxy shall have the port, and shares it silently with another HAProxy.
        drop(edge.listen().map_err(|source| Error::Port { port, source })?);
        let socket = |name: &str| Address::Unix(folder.join(name));
        let agent = |name: &'static str, file: &str| -> Result<AgentPlaces, Error> {
            Ok(AgentPlaces {
                name,
                listen: socket(file),
                admin: Address::free_port().map_err(Error::Folder)?,
            })
        };
        Ok(Self {
            edge,
            agents: [agent("agent1", "agent1.sock")?, agent("agent2", "agent2.sock")?],
            backend: socket("backend.sock"),
            token_server: Address::free_port().map_err(Error::Folder)?,
            token_server_socket: socket("token-server.sock"),
            folder: folder.to_owned(),
        })
    }

    /// A file of the demo.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A command in a process group of its own, so that Ctrl-C reaches only the demo, which ends its parts in order.
fn part(name: &'static str, program: impl AsRef<std::ffi::OsStr>) -> Part {
    let mut command = Command::new(program);
    command.process_group(0);
    Part { name, command }
}

/// Without the settings that this shell may have for the same programs.
fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("JWT_") || name.starts_with("TOKEN_SERVER_") {
            command.env_remove(name.as_ref());
        }
    }
}

pub(super) fn token_server(places: &Places) -> Result<Part, Error> {
    let mut part = part("token-server", workspace_program("token-server").map_err(Error::NotBuilt)?);
    without_settings(&mut part.command);
    let Address::Unix(socket) = &places.token_server_socket else { return Ok(part) };
    part.command
        .env("TOKEN_SERVER__LISTEN", places.token_server.to_string())
        .env("TOKEN_SERVER__ADMIN__LISTEN", "127.0.0.1:0")
        .env("TOKEN_SERVER__ADMIN__SOCKET", socket)
        .env("TOKEN_SERVER__STORE__PATH", places.file("rules.redb"));
    Ok(part)
}

pub(super) fn agent(agent: &AgentPlaces, places: &Places, key_file: &Path) -> Result<Part, Error> {
    let mut part = part(agent.name, workspace_program("jwt-agent").map_err(Error::NotBuilt)?);
    without_settings(&mut part.command);
    part.command
        .env("JWT_AGENT_LISTEN", agent.listen.to_string())
        .env("JWT_ADMIN_LISTEN", agent.admin.to_string())
        .env("JWT_TOKEN_SERVER_BACKEND", format!("http://{}", places.token_server))
        .env("JWT_JWKS_FILE", key_file)
        .env("JWT_ISSUERS", ISSUER)
        .env("JWT_AUDIENCES", AUDIENCE);
    Ok(part)
}

pub(super) fn haproxy(program: &str, places: &Places) -> Part {
    let mut part = part("haproxy", program);
    let [one, two] = &places.agents;
    part.command
        .arg("-db")
        .arg("-f")
        .arg(Shipped::Denying.path())
        .env("EDGE_BIND", places.edge.to_string())
        .env("APP_SERVER", places.backend.to_string())
        .env("AGENT_1", one.listen.to_string())
        .env("AGENT_2", two.listen.to_string())
        .env("SPOE_CONF", repository().join("haproxy/spoe-jwt.conf"))
        .env("STATS_SOCKET", places.file("haproxy.sock"));
    part
}

/// The release of HAProxy, or that there is none.
pub(super) fn haproxy_version(program: &str) -> Result<String, Error> {
    let output = Command::new(program)
        .arg("-v")
        .output()
        .map_err(|source| Error::NoHaproxy { program: program.to_owned(), source })?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}

/// Has the agent look at a key file before anything is started.
pub(super) fn check_keys(file: &Path) -> Result<(), Error> {
    let mut command = Command::new(workspace_program("jwt-agent").map_err(Error::NotBuilt)?);
    without_settings(&mut command);
    let output = command
        .arg("--check")
        .env("JWT_JWKS_FILE", file)
        .output()
        .map_err(|source| Error::Start { name: "jwt-agent".to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let why = said.lines().last().unwrap_or("jwt-agent --check refuses it").to_owned();
    Err(Error::Keys { file: file.to_owned(), why })
}

/// The status of a GET.
pub(super) fn status(address: &Address, path: &str) -> io::Result<u16> {
    let mut client = Client::new(address.connect(PATIENCE)?);
    client.write(&Request::get(path).to_bytes())?;
    Ok(client.response()?.status)
}

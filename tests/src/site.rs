//! A host with verdicts inside HAProxy: HAProxys with the shipped file, agents that write into their maps, and a token-server.
//!
//! Unlike [`Edge`](crate::edge::Edge) its parts can be replaced one by one: HAProxy is reloaded, agents come and go.

mod proxy;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

use crate::agent::{self, Agent};
use crate::backend::Backend;
use crate::haproxy::program;
use crate::http::{Request, Response};
use crate::keys::{ALGORITHMS, jwks, key};
use crate::socket::Address;
use crate::token_server::TokenServer;
use crate::wait::eventually;

pub use self::proxy::Proxy;

/// What the shipped file's rules read of a verdict, and what else it uses of an answer.
pub const VARIABLES: &str = "body,header,legacy,stateless,valid,reason,detail";
/// Tells who gave the verdict, in each answer.
pub const SOURCE: &str = "x-source";

/// How it is put together.
#[derive(Debug, Clone)]
pub struct Plan {
    /// HAProxys.
    pub proxies: usize,
    /// Their program.
    pub program: String,
    /// Agents, 1 or 2; HAProxy asks one of them, and each gives verdicts.
    pub agents: usize,
    /// Whether agents ask a token-server.
    pub has_token_server: bool,
    /// Lines for the `global` section.
    pub global: String,
    /// More settings of agents.
    pub agent_environment: Vec<(String, String)>,
    /// More settings of the token-server.
    pub server_environment: Vec<(String, String)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            proxies: 1,
            program: program(),
            agents: 1,
            has_token_server: true,
            global: String::new(),
            agent_environment: Vec::new(),
            server_environment: Vec::new(),
        }
    }
}

/// How HAProxy runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One process, which another one replaces.
    Alone,
    /// A master with workers, as systemd runs it.
    Master,
}

/// The host, running. Everything ends with it.
#[derive(Debug)]
pub struct Site {
    pub proxies: Vec<Proxy>,
    pub agents: Vec<Agent>,
    pub token_server: Option<TokenServer>,
    pub backend: Backend,
    agent_environment: Vec<(String, String)>,
    server_environment: Vec<(String, String)>,
    folder: TempDir,
}

impl Site {
    /// Starts it and waits until good tokens pass.
    ///
    /// # Panics
    ///
    /// Something does not come up; with its log.
    pub fn start(plan: &Plan) -> Self {
        let folder = TempDir::with_prefix("site-").unwrap();
        let path = |name: &str| folder.path().join(name);
        let text = |name: &str| path(name).display().to_string();
        fs::write(path("keys"), jwks(ALGORITHMS.map(key))).unwrap();
        for map in ["verdicts.map", "leases.map"] {
            fs::write(path(map), "").unwrap();
        }
        let backend = Backend::start(&Address::Unix(path("app.sock"))).unwrap();
        let server = || start_server(folder.path(), "127.0.0.1:0", &plan.server_environment);
        let token_server = plan.has_token_server.then(server);
        let names = ["JWT_JWKS_FILE", "JWT_VARIABLES", "JWT_TIMEOUT_MS", "JWT_EDGE_MAP", "JWT_EDGE_LEASES"];
        let values = [text("keys"), VARIABLES.into(), "800".into(), text("verdicts.map"), text("leases.map")];
        let mut agent_environment: Vec<_> = names.map(String::from).into_iter().zip(values).collect();
        let sockets: Vec<_> = (0..plan.proxies).map(|number| text(&format!("edge{number}.sock"))).collect();
        agent_environment.push(("JWT_EDGE_SOCKETS".to_owned(), sockets.join(",")));
        if let Some(server) = &token_server {
            agent_environment.push(("JWT_TOKEN_SERVER_BACKEND".to_owned(), server.url()));
        }
        agent_environment.retain(|(name, _)| !plan.agent_environment.iter().any(|(other, _)| other == name));
        agent_environment.extend(plan.agent_environment.iter().cloned());
        let agents: Vec<_> = (0..plan.agents)
            .map(|number| {
                let listen = Address::Unix(path(&format!("agent{number}.sock")));
                Agent::start(&format!("agent{}", number + 1), listen, &agent_environment)
            })
            .collect();
        agents.iter().for_each(Agent::wait_ready);
        let proxies = (0..plan.proxies)
            .map(|number| Proxy::start(folder.path(), number, plan, &agents, backend.address()))
            .collect();
        let server_environment = plan.server_environment.clone();
        Self { proxies, agents, token_server, backend, agent_environment, server_environment, folder }
    }

    /// A folder for files of this run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of keys, which agents read again when it changes.
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// Starts an agent in the place of the one that is gone, or goes now, with more in its environment.
    ///
    /// # Panics
    ///
    /// It does not come up; with its log.
    pub fn restart_agent(&mut self, index: usize, more: &[(String, String)]) {
        self.agents[index].process.kill();
        let mut environment = self.agent_environment.clone();
        environment.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        environment.extend(more.iter().cloned());
        let old = self.agents.remove(index);
        let (name, listen) = (old.process.name().to_owned(), old.listen.clone());
        drop(old);
        self.agents.insert(index, Agent::start_as(&name, agent::command(), listen, &environment));
    }

    /// Starts the token-server again, where it was.
    ///
    /// # Panics
    ///
    /// There is none, or it does not come up; with its log.
    pub fn restart_server(&mut self) {
        let mut old = self.token_server.take().unwrap();
        old.process.kill();
        let address = old.address.to_string();
        drop(old);
        self.token_server = Some(start_server(self.folder.path(), &address, &self.server_environment));
    }

    /// Sends to a HAProxy.
    ///
    /// # Panics
    ///
    /// There is no response.
    pub fn send(&self, proxy: usize, request: &Request) -> Response {
        agent::ask(&self.proxies[proxy].address, request)
    }

    /// Sends a good request to a HAProxy until that answers by itself.
    ///
    /// # Panics
    ///
    /// It never does, or refuses.
    pub fn warm(&self, proxy: usize, what: &str, request: &Request) {
        eventually(&format!("{what}: HAProxy answers by itself"), || {
            let response = self.send(proxy, request);
            assert!([200, 503].contains(&response.status), "{what}: {response}");
            (response.status == 200 && response.header(SOURCE) == Some("edge")).then_some(())
        });
    }

    /// Sends a request to a HAProxy until it is answered so.
    ///
    /// # Panics
    ///
    /// It never is.
    pub fn comes_to(&self, proxy: usize, what: &str, status: u16, request: &Request) {
        eventually(what, || (self.send(proxy, request).status == status).then_some(()));
    }

    /// What everything has logged.
    pub fn logs(&self) -> String {
        let agents = self.agents.iter().map(|agent| &agent.process);
        let processes = agents.chain(self.proxies.iter().map(|proxy| &proxy.process));
        processes.map(|process| format!("== log of {}\n{}\n", process.name(), process.log())).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.logs());
        }
    }
}

fn start_server(folder: &Path, listen: &str, more: &[(String, String)]) -> TokenServer {
    let mut environment = vec![("TOKEN_SERVER__LISTEN", listen)];
    environment.extend(more.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    TokenServer::start_with(folder, "standard", &environment)
}

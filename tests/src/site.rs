//! A host with verdicts inside HAProxy: HAProxys with the shipped file, agents that write into their maps, and a token-server.
//!
//! Unlike [`Edge`](crate::edge::Edge) its parts can be replaced one by one: HAProxy is reloaded, agents come and go.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use crate::agent::{self, Agent};
use crate::backend::Backend;
use crate::haproxy::{StatsSocket, program};
use crate::http::{Request, Response};
use crate::keys::{ALGORITHMS, jwks, key};
use crate::process::{Process, Signal, repository};
use crate::socket::Address;
use crate::token_server::TokenServer;
use crate::wait::{DEADLINE, eventually};

/// What the shipped file's rules read of a verdict, and what else it uses of an answer.
pub const VARIABLES: &str = "body,header,legacy,stateless,valid,reason,detail";
/// Tells who gave the verdict, in each answer.
pub const SOURCE: &str = "x-source";

/// Before these lines of the shipped file stand those that put headers into answers.
const ANSWERS: &str = "    # Refusals have the pages";

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
        let token_server = plan.has_token_server.then(|| start_server(folder.path(), "127.0.0.1:0"));
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
        Self { proxies, agents, token_server, backend, agent_environment, folder }
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
        self.token_server = Some(start_server(self.folder.path(), &address));
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

fn start_server(folder: &Path, listen: &str) -> TokenServer {
    TokenServer::start_with(folder, "standard", &[("TOKEN_SERVER__LISTEN", listen)])
}

/// A HAProxy.
#[derive(Debug)]
pub struct Proxy {
    pub process: Process,
    pub address: Address,
    mode: Mode,
    program: String,
    /// Former processes, which end when their connections do.
    former: Vec<Process>,
    files: Vec<PathBuf>,
    environment: Vec<(String, String)>,
    socket: PathBuf,
    folder: PathBuf,
}

impl Proxy {
    fn start(folder: &Path, number: usize, plan: &Plan, agents: &[Agent], app: &Address) -> Self {
        let path = |name: &str| folder.join(format!("{name}{number}"));
        let shipped = fs::read_to_string(repository().join("haproxy/haproxy-edge.cfg")).unwrap();
        assert_eq!(shipped.matches(ANSWERS).count(), 1);
        let source = format!("    http-after-response set-header {SOURCE} %[var(txn.tkn.source)]\n{ANSWERS}");
        fs::write(path("haproxy.cfg"), shipped.replace(ANSWERS, &source)).unwrap();
        fs::write(path("global.cfg"), format!("global\n{}\n", plan.global)).unwrap();
        let address = Address::free_port().unwrap();
        let socket = folder.join(format!("edge{number}.sock"));
        let last = agents.len() - 1;
        let environment: Vec<_> = [
            ("EDGE_BIND", address.to_string()),
            ("APP_SERVER", app.to_string()),
            ("AGENT_1", agents[0].listen.to_string()),
            ("AGENT_2", agents[last].listen.to_string()),
            ("SPOE_CONF", repository().join("haproxy/spoe-jwt.conf").display().to_string()),
            ("STATS_SOCKET", path("stats.sock").display().to_string()),
            ("JWT_EDGE_MAP", folder.join("verdicts.map").display().to_string()),
            ("JWT_EDGE_LEASES", folder.join("leases.map").display().to_string()),
            ("JWT_EDGE_SOCKETS", socket.display().to_string()),
            ("AGENT_TIMEOUT", "1s".to_owned()),
            ("AGENT_AGAIN_TIMEOUT", "500ms".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let files = vec![path("haproxy.cfg"), path("global.cfg")];
        let process = run(&plan.program, Mode::Alone, &files, &environment, &[], None);
        let (folder, program) = (folder.to_owned(), plan.program.clone());
        let proxy = Self {
            process,
            address,
            mode: Mode::Alone,
            program,
            former: Vec::new(),
            files,
            environment,
            socket,
            folder,
        };
        proxy.wait();
        proxy
    }

    fn wait(&self) {
        let listens = || self.address.connect(DEADLINE).ok().filter(|_| self.socket.exists());
        eventually("HAProxy listens", listens);
    }

    /// Stops it and starts it anew, with more in its environment.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub fn restart(&mut self, mode: Mode, more: &[(String, String)]) {
        self.former.clear();
        self.process.signal(Signal::TERM);
        self.process.wait(DEADLINE);
        self.process = run(&self.program, mode, &self.files, &self.environment, more, None);
        self.mode = mode;
        self.wait();
    }

    /// Has another process take over: SIGUSR2 to a master, `-sf` otherwise. Returns when that answers on the stats socket.
    ///
    /// # Panics
    ///
    /// It does not.
    pub fn reload(&mut self) {
        let before = self.worker();
        match self.mode {
            Mode::Master => self.process.signal(Signal::USR2),
            Mode::Alone => {
                let old = self.process.id();
                let new = run(&self.program, Mode::Alone, &self.files, &self.environment, &[], Some(old));
                self.former.push(std::mem::replace(&mut self.process, new));
            }
        }
        eventually("another process has the stats socket", || {
            self.try_ask("show info").is_some_and(|_| self.worker() != before).then_some(())
        });
    }

    /// Changes its file, for the next process.
    ///
    /// # Panics
    ///
    /// The file has no such piece.
    pub fn change(&self, from: &str, to: &str) {
        let text = fs::read_to_string(&self.files[0]).unwrap();
        assert!(text.contains(from), "{} has no {from:?}", self.files[0].display());
        fs::write(&self.files[0], text.replace(from, to)).unwrap();
    }

    /// The process that answers on the stats socket.
    pub fn worker(&self) -> Option<String> {
        let info = self.try_ask("show info")?;
        info.lines().find(|line| line.starts_with("Pid: ")).map(str::to_owned)
    }

    /// The socket on which agents write.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    fn try_ask(&self, command: &str) -> Option<String> {
        use std::io::{Read as _, Write as _};
        let mut connection = Address::Unix(self.socket.clone()).connect(DEADLINE).ok()?;
        connection.write_all(format!("{command}\n").as_bytes()).ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        (!answer.is_empty()).then_some(answer)
    }

    /// A command on the socket of level admin, as a stranger may give one that has it.
    ///
    /// # Panics
    ///
    /// The socket does not answer.
    pub fn ask(&self, command: &str) -> String {
        StatsSocket::new(&self.socket).ask(command)
    }

    /// The verdicts that it has: keys and values.
    ///
    /// # Panics
    ///
    /// The socket does not answer.
    pub fn verdicts(&self) -> Vec<(String, String)> {
        self.map("verdicts")
    }

    /// The leases that it has: names and times.
    ///
    /// # Panics
    ///
    /// The socket does not answer.
    pub fn leases(&self) -> Vec<(String, String)> {
        self.map("leases")
    }

    /// The file of a map, by which commands name it.
    pub fn map_file(&self, name: &str) -> String {
        self.folder.join(format!("{name}.map")).display().to_string()
    }

    fn map(&self, name: &str) -> Vec<(String, String)> {
        let answer = self.ask(&format!("show map {}", self.map_file(name)));
        let entry = |line: &str| {
            let mut words = line.splitn(3, ' ').skip(1).map(str::to_owned);
            words.next().zip(words.next())
        };
        answer.lines().filter_map(entry).collect()
    }
}

fn run(
    program: &str,
    mode: Mode,
    files: &[PathBuf],
    environment: &[(String, String)],
    more: &[(String, String)],
    replaced: Option<u32>,
) -> Process {
    let mut command = Command::new(program);
    command.arg(if mode == Mode::Master { "-W" } else { "-db" });
    for file in files {
        command.arg("-f").arg(file);
    }
    command.envs(environment.iter().chain(more).map(|(name, value)| (name, value)));
    if let Some(old) = replaced {
        command.arg("-sf").arg(old.to_string());
    }
    Process::start("haproxy", command).unwrap_or_else(|error| panic!("cannot start {program}: {error}"))
}

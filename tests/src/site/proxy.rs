//! A HAProxy with the shipped file, which is restarted and reloaded, and whose maps are looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Mode, Plan, SOURCE};
use crate::agent::Agent;
use crate::haproxy::StatsSocket;
use crate::process::{Process, Signal, repository};
use crate::socket::Address;
use crate::wait::{DEADLINE, eventually};

/// Before these lines of the shipped file stand those that put headers into answers.
const ANSWERS: &str = "    # Refusals have the pages";

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
    pub(super) fn start(folder: &Path, number: usize, plan: &Plan, agents: &[Agent], app: &Address) -> Self {
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
        let listens = || self.address.connect(DEADLINE).ok().and_then(|_| self.try_ask("show info"));
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

    /// The file of a map.
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

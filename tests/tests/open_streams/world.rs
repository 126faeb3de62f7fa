//! A HAProxy that can be reached in each way, before an application that goes on sending whatever its client does.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration_tests::backend::WEBSOCKET_KEY;
use integration_tests::haproxy::{StatsSocket, program};
use integration_tests::process::{Process, Signal};
use integration_tests::socket::{Address, Connection};
use integration_tests::wait::{DEADLINE, eventually, poll};
use jwt_agent::haproxy::streams::{End, Heard, Runtime};
use jwt_agent::request::Stream;
use tempfile::TempDir;
use tokio::runtime::Builder;

use super::application::Application;

const CONFIGURATION: &str = r#"
global
    stats socket "${FOLDER}/stats" mode 600 level "${LEVEL}"
    nbthread 2
defaults
    mode http
    timeout connect 30s
    timeout client 10m
    timeout server 10m
    # Else each part of an answer waits 200 ms for the next one.
    option http-no-delay
frontend web
    bind "${FOLDER}/web"
    bind "${V4}"
    bind "${V6}"
    bind "${PROXIED}" accept-proxy
    bind "${HTTP_2}" proto h2
    http-request set-src str(192.0.2.7) if { path -m end /set-src }
    http-request set-var-fmt(txn.tkn_stream) "%rt"
    http-request set-var-fmt(txn.tkn_process) "%pid"
    http-request set-header x-stream %[var(txn.tkn_stream)]
    http-request set-header x-process %[var(txn.tkn_process)]
    http-request set-header x-address %[fc_src]
    http-request set-header x-port %[fc_src_port]
    default_backend app
backend app
    server app "${APP}"
"#;

/// What runs HAProxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// One process, which another one replaces.
    Alone,
    /// A master that starts workers and replaces them itself, as `haproxy.service` of Debian has it.
    Master,
}

/// A HAProxy with its application.
pub(super) struct World {
    pub haproxy: Process,
    /// Processes that were replaced.
    pub former: Vec<Process>,
    pub v4: Address,
    pub v6: Address,
    pub proxied: Address,
    pub http_2: Address,
    pub level: &'static str,
    mode: Mode,
    app: Application,
    folder: TempDir,
}

/// A stream that is open, and the client that holds it.
pub(super) struct Open {
    pub connection: Connection,
    pub stream: Stream,
}

impl World {
    pub(super) fn start() -> Self {
        Self::start_with("admin")
    }

    pub(super) fn start_with(level: &'static str) -> Self {
        Self::start_as(Mode::Alone, level)
    }

    /// With a master.
    pub(super) fn of_master() -> Self {
        Self::start_as(Mode::Master, "admin")
    }

    fn start_as(mode: Mode, level: &'static str) -> Self {
        let folder = TempDir::with_prefix("streams-").unwrap();
        fs::write(folder.path().join("haproxy.cfg"), CONFIGURATION).unwrap();
        let app = Application::start();
        let port = || Address::free_port().unwrap();
        let [v4, proxied, http_2] = [port(), port(), port()];
        let Address::Tcp(free) = port() else { unreachable!("a port is one of TCP") };
        let v6 = Address::Tcp(format!("[::1]:{}", free.port()).parse().unwrap());
        let haproxy = run(mode, folder.path(), level, [&v4, &v6, &proxied, &http_2, &app.address], None);
        let world = Self { haproxy, former: Vec::new(), v4, v6, proxied, http_2, level, mode, app, folder };
        world.wait();
        world
    }

    fn run(&self, replaced: Option<u32>) -> Process {
        let Self { v4, v6, proxied, http_2, app, .. } = self;
        run(self.mode, self.folder.path(), self.level, [v4, v6, proxied, http_2, &app.address], replaced)
    }

    /// Waits until a process that is wanted serves.
    fn wait(&self) {
        match self.mode {
            Mode::Alone => self.wait_for(|process| process == self.haproxy.id()),
            Mode::Master => self.wait_for(|_| true),
        }
    }

    fn wait_for(&self, is_wanted: impl Fn(u32) -> bool) {
        let listens = || self.v4.connect(DEADLINE).is_ok();
        eventually("HAProxy listens", || (listens() && self.process().is_some_and(&is_wanted)).then_some(()));
    }

    /// The process that serves, by its own word.
    fn process(&self) -> Option<u32> {
        let info = StatsSocket::new(&self.socket()).try_ask("show info").ok()?;
        info.lines().find_map(|line| line.strip_prefix("Pid: "))?.parse().ok()
    }

    /// Has another process take over.
    pub(super) fn reload(&mut self) {
        match self.mode {
            Mode::Alone => {
                let new = self.run(Some(self.haproxy.id()));
                self.former.push(std::mem::replace(&mut self.haproxy, new));
                self.wait();
            }
            Mode::Master => {
                let before = self.process();
                let has_heard = || self.haproxy.log().contains("Reloading HAProxy").then_some(());
                // A master that has just begun loses a signal, although its worker serves.
                eventually("the master reloads", || {
                    self.haproxy.signal(Signal::USR2);
                    poll(Duration::from_secs(1), has_heard)
                });
                self.wait_for(|process| Some(process) != before);
            }
        }
    }

    /// Whether a process that was replaced is gone.
    pub(super) fn has_ended(&mut self, process: u32) -> bool {
        // What this one has started stays until it is waited for.
        for former in &mut self.former {
            former.exited();
        }
        !Path::new(&format!("/proc/{process}")).exists()
    }

    /// Kills it and starts another one.
    pub(super) fn restart(&mut self) {
        self.haproxy.kill();
        self.haproxy = self.run(None);
        self.wait();
    }

    /// The stats socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("stats")
    }

    /// The unix socket for clients.
    pub(super) fn web(&self) -> Address {
        Address::Unix(self.folder.path().join("web"))
    }

    /// Opens a stream, whose path is its name.
    pub(super) fn open(&self, address: &Address, path: &str) -> Open {
        let mut connection = address.connect(DEADLINE).unwrap();
        if address == &self.proxied {
            connection.write_all(b"PROXY TCP4 192.0.2.8 192.0.2.9 5555 80\r\n").unwrap();
        }
        self.open_over(connection, path, "")
    }

    /// Opens so many.
    pub(super) fn open_many(&self, name: &str, count: usize) -> Vec<Open> {
        (0..count).map(|number| self.open(&self.v4, &format!("/{name}-{number}"))).collect()
    }

    /// The same of a WebSocket.
    pub(super) fn open_web_socket(&self, path: &str) -> Open {
        let more = format!(
            "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Key: {WEBSOCKET_KEY}\r\nSec-WebSocket-Version: 13\r\n"
        );
        self.open_over(self.v4.connect(DEADLINE).unwrap(), path, &more)
    }

    fn open_over(&self, mut connection: Connection, path: &str, more: &str) -> Open {
        connection.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"tick\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        Open { connection, stream: self.stream(path) }
    }

    /// The stream of the last request for a path.
    pub(super) fn stream(&self, path: &str) -> Stream {
        self.app.stream(path).unwrap_or_else(|| panic!("{path} was not seen"))
    }

    /// Whether HAProxy has told the application that the client of a path sends no more.
    pub(super) fn is_half_closed(&self, path: &str) -> bool {
        self.app.is_half_closed(path)
    }

    /// The numbers of all streams that HAProxy has.
    pub(super) fn numbers(&self) -> BTreeSet<u64> {
        let list = StatsSocket::new(&self.socket()).ask("show sess all");
        let number = |line: &str| line.split(' ').find_map(|word| word.strip_prefix("id="))?.parse().ok();
        list.lines().filter(|line| line.starts_with("0x")).filter_map(number).collect()
    }

    pub(super) fn has(&self, stream: &Stream) -> bool {
        self.numbers().contains(&stream.number)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A master ends its workers.
        if self.mode == Mode::Master {
            self.haproxy.signal(Signal::TERM);
            let _killed_otherwise = self.haproxy.wait(DEADLINE);
        }
    }
}

impl Open {
    /// Reads to the end of the connection.
    ///
    /// # Panics
    ///
    /// It does not come.
    pub(super) fn ends(&mut self, what: &str) {
        let mut rest = Vec::new();
        match self.connection.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{what} did not end: {error}"),
        }
    }
}

/// A runtime API with the reactor that it needs.
pub(super) struct Told {
    reactor: tokio::runtime::Runtime,
    runtime: Runtime,
}

impl Told {
    pub(super) fn new<const N: usize>(sockets: [PathBuf; N]) -> Self {
        Self::over(sockets.into())
    }

    pub(super) fn over(sockets: Vec<PathBuf>) -> Self {
        let reactor = Builder::new_current_thread().enable_all().build().unwrap();
        Self { reactor, runtime: Runtime::new(sockets) }
    }

    /// All that comes of what is asked.
    fn hear(&mut self, ask: impl FnOnce(&mut Runtime)) -> Heard {
        self.reactor.block_on(async {
            ask(&mut self.runtime);
            let mut all = Heard::default();
            while self.runtime.is_waiting() {
                let heard = self.runtime.answer().await;
                all.ended.extend(heard.ended);
                all.closed.extend(heard.closed);
                all.open.extend(heard.open);
            }
            all
        })
    }

    /// What became of each, in their order.
    pub(super) fn end(&mut self, streams: &[Stream]) -> Vec<End> {
        let mut ends: HashMap<Stream, End> = HashMap::new();
        while ends.len() < streams.iter().collect::<HashSet<_>>().len() {
            let left: Vec<_> = streams.iter().filter(|stream| !ends.contains_key(*stream)).copied().collect();
            ends.extend(self.hear(|runtime| runtime.end(&left)).ended);
        }
        streams.iter().map(|stream| ends[stream]).collect()
    }

    /// What is heard of this end while it is looked for all that are open.
    pub(super) fn end_meanwhile(&mut self, all: &[Stream], stream: Stream) -> Vec<(Stream, End)> {
        let heard = self.hear(|runtime| {
            runtime.look(all);
            runtime.end(&[stream]);
        });
        heard.ended
    }

    /// Whether each is open, in their order, as far as that can be told.
    pub(super) fn is_open(&mut self, streams: &[Stream]) -> Vec<bool> {
        let mut closed = HashSet::new();
        // A process that has ended is known to have by the first.
        for _ in 0..2 {
            self.keep();
            closed.extend(self.hear(|runtime| runtime.look(streams)).closed);
        }
        streams.iter().map(|stream| !closed.contains(stream)).collect()
    }

    /// Whether a list shows each, in their order.
    pub(super) fn is_shown(&mut self, streams: &[Stream]) -> Vec<bool> {
        let open = self.hear(|runtime| runtime.look(streams)).open;
        streams.iter().map(|stream| open.iter().any(|(shown, _)| shown == stream)).collect()
    }

    pub(super) fn keep(&mut self) {
        self.hear(Runtime::keep);
    }
}

fn run(mode: Mode, folder: &Path, level: &str, addresses: [&Address; 5], replaced: Option<u32>) -> Process {
    let mut command = Command::new(program());
    command.arg(if mode == Mode::Master { "-W" } else { "-db" }).arg("-f").arg(folder.join("haproxy.cfg"));
    command.env("FOLDER", folder).env("LEVEL", level);
    for (name, address) in ["V4", "V6", "PROXIED", "HTTP_2", "APP"].into_iter().zip(addresses) {
        command.env(name, address.to_string());
    }
    if let Some(old) = replaced {
        command.arg("-sf").arg(old.to_string());
    }
    Process::start("haproxy", command).unwrap()
}

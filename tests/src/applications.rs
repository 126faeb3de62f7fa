//! Applications that read a request's target and headers each in its own way: Node, Express, WSGI, ASGI, nginx, PHP.
//!
//! A [`Mirror`] stands in their place behind HAProxy: what HAProxy forwards it hands on, byte for byte, to each of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use serde::Deserialize;
use tempfile::TempDir;

use crate::http::Client;
use crate::installed::installed_by;
use crate::port::free_port;
use crate::process::{Process, repository};
use crate::proxy;
use crate::socket::{Address, Connection, Listener};
use crate::wait::{DEADLINE, poll};

/// What an application makes of a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reading {
    /// The paths that it may decide by.
    pub paths: Vec<String>,
    /// By the names under which it finds them.
    pub headers: Vec<(String, String)>,
}

/// A request that got through, and what each application that accepted it makes of it.
#[derive(Debug, Clone)]
pub struct Mirrored {
    pub head: String,
    pub readings: BTreeMap<&'static str, Reading>,
}

#[derive(Debug, Clone)]
struct Application {
    name: &'static str,
    address: Address,
}

/// The running applications; they end with it.
#[derive(Debug)]
pub struct Applications {
    all: Vec<Application>,
    processes: Vec<Process>,
    _folder: TempDir,
}

/// A server that hands on each request to all applications, and remembers what they said. It lives as long as the process.
#[derive(Debug)]
pub struct Mirror {
    address: Address,
    seen: Arc<Mutex<Vec<Mirrored>>>,
}

impl Applications {
    pub const NAMES: [&str; 7] = ["node", "express", "wsgi", "asgi", "nginx", "php-fastcgi", "php"];

    /// Starts all and waits until each answers.
    ///
    /// # Panics
    ///
    /// One cannot be had, or does not come up; with its log.
    pub fn start() -> Self {
        let installed = installed();
        let folder = TempDir::with_prefix("applications-").unwrap();
        let ports = Self::NAMES.map(|name| (name, free_port().unwrap()));
        let port = |name: &str| ports.iter().find(|(known, _)| *known == name).unwrap().1.to_string();
        let fastcgi = free_port().unwrap().to_string();
        let index = index_php();
        let mut commands = Vec::new();
        for (name, file) in [("node", "node.mjs"), ("express", "express.mjs")] {
            let mut node = Command::new("node");
            // Node warns of one of the ways to parse a target, which is why it is among them.
            node.arg("--no-deprecation").arg(installed.join(file)).arg(port(name));
            commands.push((name, node));
        }
        for (name, file) in [("wsgi", "wsgi.py"), ("asgi", "asgi.py")] {
            let mut python = Command::new("python3");
            python.arg(sources().join(file)).arg(port(name)).env("PYTHONPATH", installed.join("python"));
            commands.push((name, python));
        }
        let places = [
            ("FOLDER", folder.path().display().to_string()),
            ("NGINX_PORT", port("nginx")),
            ("PHP_PORT", port("php-fastcgi")),
            ("FASTCGI_PORT", fastcgi.clone()),
            ("INDEX_PHP", index.display().to_string()),
        ];
        commands.push(("nginx", nginx(folder.path(), &places)));
        let mut fastcgi_server = Command::new("php-cgi");
        // As shipped it ends after 500 requests, for a supervisor to start it again.
        fastcgi_server.arg("-b").arg(format!("127.0.0.1:{fastcgi}")).env("PHP_FCGI_MAX_REQUESTS", "0");
        commands.push(("php-fastcgi", fastcgi_server));
        let mut php = Command::new("php");
        php.arg("-S").arg(format!("127.0.0.1:{}", port("php"))).arg(&index);
        commands.push(("php", php));

        let start = |(name, command)| Process::start(name, command).unwrap_or_else(|e| panic!("{name}: {e}"));
        let processes = commands.into_iter().map(start).collect();
        let address = |port| Address::Tcp(([127, 0, 0, 1], port).into());
        let all = ports.map(|(name, port)| Application { name, address: address(port) }).into();
        let applications = Self { all, processes, _folder: folder };
        applications.all.iter().for_each(|application| applications.wait_ready(application));
        applications
    }

    /// A server that stands for all of them.
    ///
    /// # Panics
    ///
    /// There is no free port.
    pub fn mirror(&self) -> Mirror {
        let listener = Address::free_port().unwrap().listen().unwrap();
        let address = listener.address().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (applications, shared) = (self.all.clone(), Arc::clone(&seen));
        thread::spawn(move || accept(&listener, &applications, &shared));
        Mirror { address, seen }
    }

    fn wait_ready(&self, application: &Application) {
        let asked = b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n";
        let ready = poll(DEADLINE, || {
            let reading = application.ask(asked)?;
            reading.paths.iter().any(|path| path == "/ready").then_some(())
        });
        if ready.is_none() {
            let logs: Vec<_> = self.processes.iter().map(|process| (process.name(), process.log())).collect();
            panic!("{} does not come up: {logs:#?}", application.name);
        }
    }
}

/// An application that speaks a protocol of servers, not HTTP, to the proxy before it.
#[derive(Debug)]
pub struct Worker {
    pub address: Address,
    _process: Process,
}

impl Worker {
    /// PHP, asked over FastCGI.
    ///
    /// # Panics
    ///
    /// It cannot be had, or does not come up.
    pub fn php() -> Self {
        let mut php = Command::new("php-cgi");
        // As PHP-FPM has it: the server before it is the only one that asks.
        php.args(["-d", "cgi.force_redirect=0"]).env("PHP_FCGI_MAX_REQUESTS", "0");
        Self::start("php-cgi", php, "-b")
    }

    /// Python, asked over uWSGI's own protocol.
    ///
    /// # Panics
    ///
    /// It cannot be had, or does not come up.
    pub fn uwsgi() -> Self {
        let mut uwsgi = Command::new("uwsgi-core");
        uwsgi.args(["--plugin", "python3", "--callable", "application", "--wsgi-file"]);
        uwsgi.arg(sources().join("wsgi.py"));
        Self::start("uwsgi", uwsgi, "--uwsgi-socket")
    }

    fn start(name: &str, mut command: Command, option: &str) -> Self {
        installed();
        let address = Address::free_port().unwrap();
        command.arg(option).arg(address.to_string());
        let process = Process::start(name, command).unwrap();
        let up = poll(DEADLINE, || address.connect(DEADLINE).ok().map(|_| ()));
        assert!(up.is_some(), "{name} does not come up: {}", process.log());
        Self { address, _process: process }
    }
}

/// Where the application of [`Worker::php`] stands.
pub fn index_php() -> PathBuf {
    sources().join("index.php")
}

impl Mirror {
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The requests since the last look.
    pub fn take(&self) -> Vec<Mirrored> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Application {
    /// What it makes of these bytes; nothing, if it refuses them.
    fn ask(&self, head: &[u8]) -> Option<Reading> {
        let mut client = Client::new(self.address.connect(DEADLINE).ok()?);
        client.write(head).ok()?;
        let response = client.response().ok()?;
        if response.status != 200 {
            return None;
        }
        if self.name == "nginx" {
            return Some(lines(&String::from_utf8_lossy(&response.body)));
        }
        let reading = serde_json::from_slice(&response.body);
        let told = || format!("{}: {response}", self.name);
        Some(reading.unwrap_or_else(|error| panic!("{error}: {}", told())))
    }
}

/// The lines of `nginx.conf`.
fn lines(text: &str) -> Reading {
    let names = ["x-tkn-valid", "x-tkn-body", "x-tkn-stateless"];
    let mut rest = text.splitn(names.len() + 1, '\n');
    let headers = names.map(|name| (name.to_owned(), rest.next().unwrap_or_default().to_owned()));
    let headers = headers.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    Reading { paths: rest.map(str::to_owned).collect(), headers }
}

fn accept(listener: &Listener, applications: &[Application], seen: &Mutex<Vec<Mirrored>>) {
    while let Ok(connection) = listener.accept() {
        // HAProxy closes connections as it likes; that is no fault of this server.
        let _closed = serve(connection, applications, seen);
    }
}

/// Answers one request on a connection: each of the tests' requests comes alone, and has no body.
fn serve(
    connection: Connection,
    applications: &[Application],
    seen: &Mutex<Vec<Mirrored>>,
) -> io::Result<()> {
    let mut stream = BufReader::new(connection);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head)? == 0 {
            return Ok(());
        }
    }
    let ask = |application: &Application| Some((application.name, application.ask(&head)?));
    let readings = thread::scope(|scope| {
        let asked: Vec<_> = applications.iter().map(|one| scope.spawn(move || ask(one))).collect();
        asked.into_iter().filter_map(|one| one.join().unwrap()).collect()
    });
    seen.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Mirrored { head: String::from_utf8_lossy(&head).into_owned(), readings });
    stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn nginx(folder: &Path, places: &[(&str, String)]) -> Command {
    let mut text = fs::read_to_string(sources().join("nginx.conf")).unwrap();
    for (place, value) in places {
        text = text.replace(&format!(":{place};"), &format!(":{value};"));
        text = text.replace(&format!(" {place}/"), &format!(" {value}/"));
        text = text.replace(&format!(" {place};"), &format!(" {value};"));
    }
    let file = folder.join("nginx.conf");
    fs::write(&file, text).unwrap();
    let mut nginx = proxy::nginx();
    // A worker of its own would outlive a master that is killed.
    let own =
        format!("daemon off; master_process off; pid {}/nginx.pid; error_log stderr;", folder.display());
    nginx.current_dir(folder).args(["-e", "stderr", "-c"]).arg(file).arg("-g").arg(own);
    nginx
}

fn sources() -> PathBuf {
    repository().join("tests/applications")
}

/// The folder of what comes from npm and PyPI; fetched by the first test that asks.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| installed_by(&sources()))
}

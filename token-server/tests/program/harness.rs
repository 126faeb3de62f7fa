//! The real program on free ports, and a plain HTTP client for it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time between two looks at something that is awaited.
const LOOK: Duration = Duration::from_millis(20);

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    /// Lines that no test has looked at yet; behind a lock so that several threads can ask one server.
    log: Mutex<Receiver<String>>,
    /// Lines that were passed over.
    seen: Mutex<Vec<String>>,
    pub main: SocketAddr,
    pub admin: SocketAddr,
}

pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }
}

/// What agents show where a test's server asks for it.
pub const AGENT_TOKEN: &str = "agent-token";

/// The header in which they show it.
pub const AGENT: (&str, &str) = ("authorization", "Bearer agent-token");

/// The program with nothing in its environment but these settings.
pub fn command(settings: &[(&str, &OsStr)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-server"));
    command.env_clear().envs(settings.iter().copied());
    command
}

/// Runs the program until it ends by itself.
pub fn output(settings: &[(&str, &OsStr)], arguments: &[&str]) -> Output {
    command(settings).args(arguments).output().expect("the program starts")
}

/// Runs the program until it ends by itself, with this on its standard input.
pub fn output_of(settings: &[(&str, &OsStr)], arguments: &[&str], input: &str) -> Output {
    let mut child = command(settings)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that does not read its input may be gone already.
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).ok();
    child.wait_with_output().expect("the program ends")
}

impl Server {
    /// Starts the program in a folder, with its store there, and waits until it listens.
    pub fn start(folder: &Path, settings: &[(&str, &OsStr)]) -> Self {
        let store = folder.join("rules.redb");
        let mut all = vec![("TOKEN_SERVER__STORE__PATH", store.as_os_str())];
        all.extend(settings);
        Self::start_as(command(&all))
    }

    /// Starts the program on free ports as the command has it, and waits until it listens.
    pub fn start_as(mut command: Command) -> Self {
        let mut child = command
            .env("TOKEN_SERVER__LISTEN", "127.0.0.1:0")
            .env("TOKEN_SERVER__ADMIN__LISTEN", "127.0.0.1:0")
            .args(["--log-format", "json"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server =
            Self { child, log: Mutex::new(log), seen: Mutex::default(), main: unknown, admin: unknown };
        server.main = server.listening("main");
        server.admin = server.listening("admin");
        server
    }

    fn listening(&self, listener: &str) -> SocketAddr {
        let line = self.wait_for_log(|line| line["message"] == "listening" && line["listener"] == listener);
        line["address"].as_str().and_then(|address| address.parse().ok()).expect("an address")
    }

    /// The first log line from now on that is the one.
    pub fn wait_for_log(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut seen = self.seen.lock().expect("one reader");
        loop {
            let Ok(line) = self.log.lock().expect("one reader").recv_timeout(PATIENCE) else {
                panic!("the log ended or fell silent after\n{}", seen.join("\n"))
            };
            match serde_json::from_str(&line) {
                Ok(value) if is_it(&value) => return value,
                Ok(_) | Err(_) => seen.push(line),
            }
        }
    }

    /// The first log line since the start that is the one: what a start tells may come before it listens, or after.
    pub fn log_line(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        let passed = {
            let seen = self.seen.lock().expect("one reader");
            seen.iter().filter_map(|line| serde_json::from_str(line).ok()).find(&is_it)
        };
        passed.unwrap_or_else(|| self.wait_for_log(is_it))
    }

    /// Whether a log line that was passed over on the way to another one has this text.
    pub fn has_said(&self, text: &str) -> bool {
        self.seen.lock().expect("one reader").iter().any(|line| line.contains(text))
    }

    pub fn signal(&self, signal: &str) {
        send_signal(&self.child, signal);
    }

    /// Waits for the end of the program.
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("the program ends")
    }

    /// `SIGKILL`, and nothing left of it.
    pub fn kill(mut self) {
        self.child.kill().expect("the program runs");
        self.child.wait().expect("the program ends");
    }

    /// What is said of a payload once its rules are known: a check waits 60 ms for them, a busy machine may take longer.
    pub fn check(&self, payload: &str) -> String {
        self.check_as(&format!(r#"{{"profile":"standard","checks":[{{"payload":{payload}}}]}}"#))
    }

    /// The same for a whole question with one check.
    pub fn check_as(&self, body: &str) -> String {
        let start = Instant::now();
        loop {
            let answer = post(connect(self.main), "/v1/check", &[AGENT], body);
            assert_eq!(answer.status, 200, "{}", answer.body);
            let detail = answer.json()["results"][0]["detail"].as_str().expect("a detail").to_owned();
            if detail != "rules" || start.elapsed() > PATIENCE {
                return detail;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Asks about one payload.
    pub fn ask(&self, payload: &str) -> Answer {
        let body = format!(r#"{{"profile":"standard","checks":[{{"payload":{payload}}}]}}"#);
        post(connect(self.main), "/v1/check", &[AGENT], &body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, as the test wanted.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking()
            && let Ok(log) = self.log.lock()
        {
            log.try_iter().for_each(|line| eprintln!("{line}"));
        }
    }
}

pub fn send_signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

pub fn connect_socket(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

pub fn get(stream: impl Read + Write, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(stream, "GET", path, headers, "")
}

pub fn delete(stream: impl Read + Write, path: &str, body: &str) -> Answer {
    request(stream, "DELETE", path, &[], body)
}

pub fn post(stream: impl Read + Write, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    request(stream, "POST", path, headers, body)
}

fn request(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    stream.write_all(head(method, path, headers, body.len()).as_bytes()).expect("the head is taken");
    stream.write_all(body.as_bytes()).expect("the body is taken");
    answer(stream)
}

/// The head of a request on a connection that is closed afterwards.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> String {
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n"
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

pub fn answer(mut stream: impl Read) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, body: body.to_owned() }
}

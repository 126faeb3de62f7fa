//! Operators who change rules all the time, in every way, while something is killed.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::harness::head;

/// How long one answer may take; a server that was killed gives none.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// One operator for each socket.
pub struct Changing {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    operators: Vec<JoinHandle<()>>,
}

impl Changing {
    /// Starts them; each `round` goes another way.
    pub fn start(sockets: &[PathBuf], round: usize) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let operator = |(number, socket): (usize, &PathBuf)| {
            let (stop, done, socket) = (Arc::clone(&stop), Arc::clone(&done), socket.clone());
            std::thread::spawn(move || {
                for step in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    if change(&socket, round * 31 + number * 7 + step) {
                        done.fetch_add(1, Ordering::SeqCst);
                    } else {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            })
        };
        let operators = sockets.iter().enumerate().map(operator).collect();
        Self { stop, done, operators }
    }

    /// Waits until so many changes were answered.
    pub fn wait(&self, changes: usize) {
        let start = std::time::Instant::now();
        while self.done.load(Ordering::SeqCst) < changes {
            assert!(start.elapsed() < Duration::from_secs(120), "no changes are made");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// So many were answered.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// Waits for the last answers.
    pub fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.operators.into_iter().for_each(|operator| operator.join().expect("an operator ends"));
    }
}

/// One change of a few groups' rules; tells whether it was made.
fn change(socket: &Path, step: usize) -> bool {
    let group = ["anna", "ben", "carl"][step % 3];
    let rule = format!(r#"{{"rt":"{}"}}"#, step % 5);
    let end = 4_000_000_000_u64 + step as u64 % 4;
    let path = format!("/v1/rules/{group}");
    let status = match step % 11 {
        0..=3 => {
            send(
                socket,
                "POST",
                &path,
                &format!(r#"{{"rule":{rule},"note":"step {step}","expireAt":{end}}}"#),
            )
            .0
        }
        4 => send(socket, "POST", &path, &format!(r#"{{"rule":{rule},"mode":"shadow"}}"#)).0,
        5 | 6 => send(socket, "DELETE", &path, &format!(r#"{{"rule":{rule},"note":"step {step}"}}"#)).0,
        7 => send(socket, "DELETE", &path, "").0,
        8 => {
            let lines: String = ["anna", "ben", "carl"]
                .map(|group| format!("{{\"group\":\"{group}\",\"rule\":{rule},\"by\":\"import\"}}\n"))
                .concat();
            send(socket, "POST", "/v1/import", &lines).0
        }
        9 => send(socket, "POST", "/v1/everybody/rules", &format!(r#"{{"rule":{rule},"confirm":true}}"#)).0,
        _ => {
            let (_, page) = send(socket, "GET", "/v1/audit?limit=3", "");
            let page: serde_json::Value = serde_json::from_str(&page).unwrap_or_default();
            let id = page["entries"][step % 3]["id"].as_str().unwrap_or("none").to_owned();
            send(socket, "POST", &format!("/v1/audit/{id}/undo"), r#"{"confirm":true}"#).0
        }
    };
    matches!(status, 200 | 201)
}

/// The status, 0 without an answer, and the body.
fn send(socket: &Path, method: &str, path: &str, body: &str) -> (u16, String) {
    let ask = || {
        let mut stream = UnixStream::connect(socket).ok()?;
        stream.set_read_timeout(Some(ANSWER_LIMIT)).ok()?;
        stream.write_all((head(method, path, &[], body.len()) + body).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    };
    ask().unwrap_or_default()
}

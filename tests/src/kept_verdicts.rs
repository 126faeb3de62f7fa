//! Verdicts inside HAProxy, written by a test in an agent's place: an encoder of its own for entries, and leases.
//!
//! An entry is `field|field|...|name|end` (see haproxy/README.md): ends are milliseconds since the epoch, a field is
//! percent-encoded, and `%` alone is a variable that this token does not have.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};

use crate::haproxy::StatsSocket;

/// How far ahead an agent writes the end of a lease, and how often.
const LEASE: u64 = 4_000;
const RENEWED: Duration = Duration::from_millis(500);

/// Milliseconds since the epoch, now.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The key of the verdict on the token of a header, by a policy, with these fields; the empty name is the default policy.
pub fn key(authorization: &str, layout: &str, policy: &str) -> String {
    hex(digest(&SHA256, format!("{authorization}|{layout}|{policy}").as_bytes()).as_ref())
}

/// Bytes as HAProxy's converter `hex` writes them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02X}");
        text
    })
}

/// A field as an entry has it: whatever the command line, a map or `url_dec` might take for something else is encoded.
pub fn field(value: Option<&[u8]>) -> String {
    let Some(value) = value else { return "%".to_owned() };
    value.iter().fold(String::new(), |mut text, byte| {
        if matches!(byte, b'!'..=b'~') && !b"%|+?;\\#<".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _infallible = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// An entry whose lease stands under `name`.
pub fn entry(end: u64, name: &str, fields: &[Option<&[u8]>]) -> String {
    fields.iter().fold(String::new(), |entry, value| entry + &field(*value) + "|") + &format!("{name}|{end}")
}

/// The two maps of a HAProxy, and the socket on which they are written.
#[derive(Debug)]
pub struct KeptVerdicts {
    socket: PathBuf,
    verdicts: PathBuf,
    leases: PathBuf,
}

impl KeptVerdicts {
    /// Empty files for them, in `folder`.
    pub(crate) fn create(folder: &Path) -> Self {
        let path = |name: &str| folder.join(name);
        let maps = Self {
            socket: path("edge.admin.sock"),
            verdicts: path("verdicts.map"),
            leases: path("leases.map"),
        };
        fs::write(&maps.verdicts, "").unwrap();
        fs::write(&maps.leases, "").unwrap();
        maps
    }

    /// What the shipped files read.
    pub(crate) fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("JWT_EDGE_MAP", self.verdicts.display().to_string()),
            ("JWT_EDGE_LEASES", self.leases.display().to_string()),
            ("JWT_EDGE_SOCKETS", self.socket()),
        ]
    }

    /// Where agents give HAProxy commands.
    pub(crate) fn socket(&self) -> String {
        self.socket.display().to_string()
    }

    fn command(&self, command: &str) {
        let answer = StatsSocket::new(&self.socket).ask(command);
        assert_eq!(answer.trim(), "", "{command}");
    }

    /// Adds an entry behind what the map has.
    ///
    /// # Panics
    ///
    /// HAProxy does not take it.
    pub fn add(&self, key: &str, entry: &str) {
        self.command(&self.adding(key, entry));
    }

    /// The command that adds an entry.
    pub fn adding(&self, key: &str, entry: &str) -> String {
        format!("add map {} <<\n{key} {entry}\n", self.verdicts.display())
    }

    /// The only entry of the map.
    ///
    /// # Panics
    ///
    /// HAProxy does not take it.
    pub fn put(&self, key: &str, entry: &str) {
        self.clear();
        self.add(key, entry);
    }

    /// Deletes by key: all entries of the key, from HAProxy 3.4 on the first of them alone.
    ///
    /// # Panics
    ///
    /// HAProxy does not take it, or there is none.
    pub fn delete(&self, key: &str) {
        self.command(&format!("del map {} {key}", self.verdicts.display()));
    }

    /// # Panics
    ///
    /// HAProxy does not take it.
    pub fn clear(&self) {
        self.command(&format!("clear map {}", self.verdicts.display()));
    }

    /// The lines of the map, without the addresses in front.
    ///
    /// # Panics
    ///
    /// HAProxy does not answer.
    pub fn entries(&self) -> Vec<String> {
        let answer = StatsSocket::new(&self.socket).ask(&format!("show map {}", self.verdicts.display()));
        answer.lines().filter_map(|line| line.split_once(' ')).map(|(_, entry)| entry.to_owned()).collect()
    }

    /// Writes until when the entries of `name` count, in whatever form; whatever it was before is gone.
    ///
    /// # Panics
    ///
    /// HAProxy does not take it.
    pub fn lease(&self, name: &str, until: &str) {
        let map = self.leases.display();
        let socket = StatsSocket::new(&self.socket);
        socket.ask(&format!("del map {map} {name}"));
        self.command(&format!("add map {map} {name} {until}"));
    }

    /// Renews the lease of `name` as a living agent does, until what this returns is dropped.
    ///
    /// # Panics
    ///
    /// HAProxy does not take it.
    pub fn hold(&self, name: &str) -> Held {
        self.lease(name, &(now_ms() + LEASE).to_string());
        let (stop, stopped) = mpsc::channel();
        let (socket, map) = (self.socket.clone(), self.leases.display().to_string());
        let name: Arc<str> = name.into();
        let renewing = thread::spawn(move || {
            while stopped.recv_timeout(RENEWED) == Err(RecvTimeoutError::Timeout) {
                let until = now_ms() + LEASE;
                StatsSocket::new(&socket).ask(&format!("set map {map} {name} {until}"));
            }
        });
        Held { stop: Some(stop), renewing: Some(renewing) }
    }
}

/// A lease that is renewed.
#[derive(Debug)]
pub struct Held {
    stop: Option<Sender<()>>,
    renewing: Option<JoinHandle<()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A test that failed for want of HAProxy has said so already.
        let _ended = self.renewing.take().map(JoinHandle::join);
    }
}

//! A connection to one process of HAProxy, which is kept.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::info::Info;
use crate::haproxy::runtime::{Level, Runtime as Api, RuntimeError};

/// HAProxy closes a connection on which nothing was asked for 10 seconds (`stats timeout`). One that ends sooner was ended by the
/// end of its process.
const SILENCE: Duration = Duration::from_secs(5);

/// Why no streams of a process can be ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The socket does not answer as HAProxy's.
    #[error("{}{}", .0, .0.cure())]
    Runtime(#[from] RuntimeError),
    /// The socket is for less.
    #[error("the stats socket does not allow to end streams: it needs `level admin` in haproxy.cfg")]
    Denied,
    /// `show info` has no process.
    #[error("it does not tell its process")]
    NoProcess,
    /// Two connections that were opened one after the other lead to two processes.
    #[error("HAProxy is being reloaded")]
    Replaced,
    /// An answer that we do not know.
    #[error("HAProxy's answer to `{command}` is none that is known: {answer}")]
    Unknown {
        /// What was asked.
        command: String,
        /// The beginning of what it said.
        answer: String,
    },
}

/// The connection.
#[derive(Debug)]
pub(super) struct Connection {
    api: Api,
    heard: Instant,
}

impl Connection {
    /// Connects to the process that a socket leads to now, which says how it is.
    pub(super) async fn open(path: &Path) -> Result<(Self, Info), Fault> {
        let api = Api::open(path).await?;
        if api.level != Level::Admin {
            return Err(Fault::Denied);
        }
        let mut connection = Self { api, heard: Instant::now() };
        let info = connection.info().await?;
        Ok((connection, info))
    }

    /// Asks how the process is, which keeps the connection open.
    pub(super) async fn info(&mut self) -> Result<Info, Fault> {
        let info = self.command("show info").await?;
        Info::read(&info, SystemTime::now()).ok_or(Fault::NoProcess)
    }

    /// Gives one command, whose answer is short.
    pub(super) async fn command(&mut self, command: &str) -> Result<String, Fault> {
        let answer = self.api.ask(&format!("{command}\n")).await?;
        self.heard = Instant::now();
        Ok(answer)
    }

    /// Gives one command, and each line of its answer to `each`.
    pub(super) async fn read(&mut self, command: &str, each: impl FnMut(&str)) -> Result<(), Fault> {
        self.api.read(&format!("{command}\n"), each).await?;
        self.heard = Instant::now();
        Ok(())
    }

    /// Whether what failed means that the process has ended, with all its streams.
    pub(super) fn has_ended(&self, fault: &Fault) -> bool {
        match fault {
            Fault::Runtime(error) => error.is_end() && self.heard.elapsed() < SILENCE,
            Fault::Denied | Fault::NoProcess | Fault::Replaced | Fault::Unknown { .. } => false,
        }
    }
}

impl Fault {
    /// Of an answer that we do not know.
    pub(super) fn unknown(command: &str, answer: &str) -> Self {
        let line =
            answer.lines().map(|line| line.trim_start_matches(['>', ' '])).find(|line| !line.is_empty());
        Self::Unknown {
            command: command.to_owned(),
            answer: line.unwrap_or_default().chars().take(100).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_answer_is_told_by_its_first_line() {
        assert_eq!(
            Fault::unknown("show sess 0x1", "\n> Permission denied\n\n").to_string(),
            "HAProxy's answer to `show sess 0x1` is none that is known: Permission denied"
        );
    }
}

//! A connection to one process of HAProxy, which is kept.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::time::sleep;

use super::info::Info;
use super::list::{self, Listed, Pointer};
use super::turn::{DISTURBED, Others, Turn, is_alone, some_time};
use crate::haproxy::runtime::{Level, Runtime as Api, RuntimeError};

/// HAProxy closes a connection on which nothing was asked for 10 seconds (`stats timeout`). One that ends sooner was ended by the
/// end of its process.
const SILENCE: Duration = Duration::from_secs(5);
/// How often it is looked which stream a connection is, where others ask meanwhile.
const TRIES: usize = 8;

/// HAProxy's answers about a stream that is not there.
const ABSENT: [&str; 2] = ["Session not found", "No such session"];

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
    /// It is not to be told which stream the connection is.
    #[error("others ask HAProxy for its streams all the time (`show sess`)")]
    Crowded,
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
    /// The stream that it is itself.
    itself: Option<Pointer>,
    turn: Turn,
}

impl Connection {
    /// Connects to the process that a socket leads to now, which says how it is. It asks for streams in turn with others of ours.
    pub(super) async fn open(path: &Path, turn: &Turn) -> Result<(Self, Info), Fault> {
        let api = Api::open(path).await?;
        if api.level != Level::Admin {
            return Err(Fault::Denied);
        }
        let mut connection = Self { api, heard: Instant::now(), itself: None, turn: Arc::clone(turn) };
        let info = connection.info().await?;
        connection.itself = Some(connection.find_itself().await?);
        Ok((connection, info))
    }

    /// The stream that it is: the one whose count grows as we ask.
    async fn find_itself(&mut self) -> Result<Pointer, Fault> {
        for _ in 0..TRIES {
            let mut sockets = Vec::new();
            self.list(|line| sockets.extend(list::socket(line))).await?;
            for socket in sockets {
                let first = self.others_by(socket).await?;
                // One that asks in the same moment as we may look like ours once.
                if is_alone(first, self.others_by(socket).await?)
                    && is_alone(first, self.others_by(socket).await?)
                {
                    return Ok(socket);
                }
            }
            sleep(some_time(DISTURBED)).await;
        }
        Err(Fault::Crowded)
    }

    /// The stream that it is itself.
    pub(super) const fn itself(&self) -> Option<Pointer> {
        self.itself
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

    /// The stream that is at a place now. That none is shown means that there is none if no other connection has asked meanwhile.
    pub(super) async fn stream(&mut self, place: Pointer) -> Result<Option<Listed>, Fault> {
        Ok(self.look(place).await?.map(|(listed, _)| listed))
    }

    /// What others have asked up to now, where that can be told.
    pub(super) async fn others(&mut self) -> Result<Option<Others>, Fault> {
        match self.itself {
            Some(itself) => self.others_by(itself).await,
            None => Ok(None),
        }
    }

    /// The same by the stream of a connection, if that is ours.
    async fn others_by(&mut self, place: Pointer) -> Result<Option<Others>, Fault> {
        Ok(self.look(place).await?.map(|(_, others)| others))
    }

    async fn look(&mut self, place: Pointer) -> Result<Option<(Listed, Others)>, Fault> {
        let command = format!("show sess {place}");
        let turn = Arc::clone(&self.turn);
        let mut asked = turn.lock().await;
        let count = asked.ask();
        let answer = self.command(&command).await?;
        drop(asked);
        match (answer.lines().find_map(list::long), answer.lines().find_map(list::epoch)) {
            (Some(listed), Some(epoch)) if listed.pointer == place => {
                Ok(Some((listed, Others::new(epoch, count))))
            }
            (None, None) if is_absent(&answer) => Ok(None),
            _ => Err(Fault::unknown(&command, &answer)),
        }
    }

    /// The short list, each line of it to `each`. What it does not show may be there.
    pub(super) async fn list(&mut self, each: impl FnMut(&str)) -> Result<(), Fault> {
        let turn = Arc::clone(&self.turn);
        let mut asked = turn.lock().await;
        asked.ask();
        self.api.read("show sess\n", each).await?;
        self.heard = Instant::now();
        Ok(())
    }

    /// The list with numbers. Whether none of us has cut it off; others may have. A patient one lets no connection of ours ask before it has come
    /// past the stream that cuts it off.
    pub(super) async fn list_all(
        &mut self,
        is_patient: bool,
        mut each: impl FnMut(Listed),
    ) -> Result<bool, Fault> {
        let turn = Arc::clone(&self.turn);
        let mut asked = turn.lock().await;
        let (count, ends) = (asked.ask(), asked.ends);
        let mut held = Some(asked);
        let mut has_passed = false;
        let read = self.api.read("show sess all\n", |line| {
            let Some(listed) = list::long(line) else { return };
            has_passed |= Some(listed.pointer) == ends;
            if has_passed || !is_patient {
                held = None;
            }
            each(listed);
        });
        read.await?;
        drop(held);
        self.heard = Instant::now();
        Ok(has_passed || turn.lock().await.count() == count)
    }

    /// Whether what failed means that the process has ended, with all its streams.
    pub(super) fn has_ended(&self, fault: &Fault) -> bool {
        match fault {
            Fault::Runtime(error) => error.is_end() && self.heard.elapsed() < SILENCE,
            Fault::Denied | Fault::NoProcess | Fault::Replaced | Fault::Crowded | Fault::Unknown { .. } => {
                false
            }
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

/// Whether HAProxy's answer about a stream is that there is none.
pub(super) fn is_absent(answer: &str) -> bool {
    ABSENT.iter().any(|text| answer.contains(text))
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

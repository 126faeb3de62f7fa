//! HAProxy's runtime API: commands over a stats socket (management guide, section 9.3).

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

use crate::listen::{Address, Stream};

/// How long HAProxy may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How long it may take for an answer of many lines: those of 100,000 streams, read slowly, need some tens of seconds.
const LONG_ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of an answer: several thousand servers.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Bytes that are read at once of an answer of many lines.
const READ_BYTES: usize = 64 * 1024;
/// The pause after as many: HAProxy writes a long answer in pieces, and where it can go on at once it does (2.6), before it serves
/// anything else. While we do not read, it serves others.
const READ_PAUSE: Duration = Duration::from_millis(1);
/// The command behind each question, by whose answer the end of all answers is seen: how many prompts there are in between
/// depends on the version.
const LAST: &str = "show cli level\n";
/// How its answers end.
const ENDS: [(&str, Level); 3] =
    [("admin\n\n> ", Level::Admin), ("operator\n\n> ", Level::Operator), ("user\n\n> ", Level::User)];

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The socket cannot be used.
    #[error("{0}")]
    Socket(#[from] io::Error),
    /// It takes too long.
    #[error("no answer in time")]
    Timeout,
    /// The answer is longer than any.
    #[error("the answer is over {MAX_ANSWER_BYTES} bytes")]
    TooLong,
}

impl RuntimeError {
    /// What an operator can do; empty where that is not known.
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Socket(error) => match error.kind() {
                ErrorKind::NotFound => {
                    "; haproxy.cfg needs `stats socket` of this path, with `level admin`, and HAProxy has to run"
                }
                ErrorKind::PermissionDenied => {
                    "; this user may not use the socket: give its group to `stats socket` in haproxy.cfg, as `mode 660 group NAME`"
                }
                ErrorKind::ConnectionRefused => "; no HAProxy has this socket any more",
                _ => "",
            },
            Self::Timeout => {
                "; HAProxy hangs, or others have all connections that `stats maxconn` allows, 10 by default"
            }
            Self::TooLong => "",
        }
    }

    /// Whether the other end has closed the connection.
    pub fn is_end(&self) -> bool {
        match self {
            Self::Socket(error) => matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            ),
            Self::Timeout | Self::TooLong => false,
        }
    }
}

/// A value of what `show info` answers.
pub fn told<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
}

/// What a stats socket lets its users do, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Look at little.
    User,
    /// Look at all, and change little.
    Operator,
    /// Change maps.
    Admin,
}

/// Asks one command over a connection of its own.
///
/// # Errors
///
/// Why there is no answer.
pub async fn ask(address: &Address, command: &str) -> Result<String, RuntimeError> {
    let answer = async {
        let mut stream: Box<dyn Stream> = match address {
            Address::Tcp(address) => Box::new(TcpStream::connect(address).await?),
            Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
        };
        stream.write_all(format!("{command}\n").as_bytes()).await?;
        let mut answer = String::new();
        let limit = u64::try_from(MAX_ANSWER_BYTES).unwrap_or(u64::MAX);
        stream.take(limit).read_to_string(&mut answer).await?;
        if answer.len() >= MAX_ANSWER_BYTES { Err(RuntimeError::TooLong) } else { Ok(answer) }
    };
    timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| RuntimeError::Timeout)?
}

/// A connection that stays open. It belongs to one process of HAProxy, which does what it is told in the order in which it
/// was told.
#[derive(Debug)]
pub struct Runtime<S = UnixStream> {
    stream: S,
    /// What the socket lets us do.
    pub level: Level,
}

impl Runtime {
    /// Connects.
    ///
    /// # Errors
    ///
    /// The socket does not answer as HAProxy's.
    pub async fn open(path: &Path) -> Result<Self, RuntimeError> {
        let stream = timeout(ANSWER_TIMEOUT, UnixStream::connect(path));
        Self::over(stream.await.map_err(|_| RuntimeError::Timeout)??).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Runtime<S> {
    /// Begins to ask over a connection.
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub async fn over(stream: S) -> Result<Self, RuntimeError> {
        let mut runtime = Self { stream, level: Level::User };
        runtime.ask("prompt\n").await?;
        Ok(runtime)
    }

    /// Gives commands, each a line or one with its payload, and the answers to all of them, with prompts in between. After an
    /// error it is not known which of them HAProxy has done, or will do: the connection is of no more use.
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub async fn ask(&mut self, commands: &str) -> Result<String, RuntimeError> {
        timeout(ANSWER_TIMEOUT, self.exchange(commands)).await.map_err(|_| RuntimeError::Timeout)?
    }

    /// Gives commands whose answers may be long, and each line of these to `each`. They are read slowly, so that HAProxy serves others
    /// in between. After an error as after one of [`ask`](Self::ask).
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub async fn read(&mut self, commands: &str, each: impl FnMut(&str)) -> Result<(), RuntimeError> {
        timeout(LONG_ANSWER_TIMEOUT, self.lines(commands, each)).await.map_err(|_| RuntimeError::Timeout)?
    }

    async fn lines(&mut self, commands: &str, mut each: impl FnMut(&str)) -> Result<(), RuntimeError> {
        self.write(commands).await?;
        let mut unread = Vec::with_capacity(READ_BYTES);
        let mut read = 0_usize;
        loop {
            let more = timeout(ANSWER_TIMEOUT, self.more(&mut unread));
            read = read.saturating_add(more.await.map_err(|_| RuntimeError::Timeout)??);
            if read >= READ_BYTES {
                sleep(READ_PAUSE).await;
                read = 0;
            }
            let is_last = self.take_end(&mut unread);
            let whole = if is_last { unread.len() } else { whole_lines(&unread) };
            String::from_utf8_lossy(unread.get(..whole).unwrap_or_default()).lines().for_each(&mut each);
            unread.drain(..whole);
            if is_last {
                return Ok(());
            }
            if unread.len() > MAX_ANSWER_BYTES {
                return Err(RuntimeError::TooLong);
            }
        }
    }

    async fn exchange(&mut self, commands: &str) -> Result<String, RuntimeError> {
        self.write(commands).await?;
        let mut answer = Vec::new();
        loop {
            self.more(&mut answer).await?;
            if self.take_end(&mut answer) {
                return Ok(String::from_utf8_lossy(&answer).into_owned());
            }
            if answer.len() > MAX_ANSWER_BYTES {
                return Err(RuntimeError::TooLong);
            }
        }
    }

    async fn write(&mut self, commands: &str) -> io::Result<()> {
        self.stream.write_all(format!("{commands}{LAST}").as_bytes()).await
    }

    /// Reads what there is of an answer. How many bytes.
    async fn more(&mut self, answer: &mut Vec<u8>) -> io::Result<usize> {
        let read = self.stream.read_buf(answer).await?;
        if read == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
    }

    /// Takes the end of all answers off, if this is it.
    fn take_end(&mut self, answer: &mut Vec<u8>) -> bool {
        let Some((end, level)) = ENDS.iter().find(|(end, _)| answer.ends_with(end.as_bytes())) else {
            return false;
        };
        self.level = *level;
        answer.truncate(answer.len().saturating_sub(end.len()));
        true
    }
}

/// How much of an answer is whole lines, but for what may be the beginning of its end.
fn whole_lines(answer: &[u8]) -> usize {
    let longest = ENDS.iter().map(|(end, _)| end.len()).max().unwrap_or_default();
    let sure = answer.get(..answer.len().saturating_sub(longest)).unwrap_or_default();
    sure.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test]
    async fn lines_of_a_long_answer_are_told_one_by_one_however_it_arrives() {
        let answer = "> 0x1: first\n  more of it\n0x2: the second\n\n> admin\n\n> ";
        for piece in [1, 2, 7, 11, answer.len()] {
            let (ours, mut theirs) = duplex(4096);
            theirs.write_all(b"\n> user\n\n> ").await.unwrap();
            let mut runtime = Runtime::over(ours).await.unwrap();
            assert_eq!(runtime.level, Level::User);
            let told = async {
                for piece in answer.as_bytes().chunks(piece) {
                    theirs.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            let mut lines = Vec::new();
            let read = runtime.read("show sess\n", |line| lines.push(line.to_owned()));
            let (read, ()) = tokio::join!(read, told);
            read.unwrap();
            assert_eq!(lines, ["> 0x1: first", "  more of it", "0x2: the second", "", "> "], "{piece}");
            assert_eq!(runtime.level, Level::Admin);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_answer_is_read_with_pauses_and_a_short_one_without() {
        for (pieces, pauses) in [(0, 0), (1, 1), (16, 16)] {
            let (ours, mut theirs) = duplex(2 * 1024 * 1024);
            theirs.write_all(b"> admin\n\n> ").await.unwrap();
            let mut runtime = Runtime::over(ours).await.unwrap();
            let line = format!("{}\n", "x".repeat(READ_BYTES - 1));
            theirs.write_all(format!("{}> admin\n\n> ", line.repeat(pieces)).as_bytes()).await.unwrap();
            let begin = tokio::time::Instant::now();
            let mut lines = 0;
            let count = |line: &str| lines += usize::from(line.starts_with('x'));
            runtime.read("show sess\n", count).await.unwrap();
            assert!(begin.elapsed() >= READ_PAUSE * pauses, "{pieces}: {:?}", begin.elapsed());
            assert_eq!(begin.elapsed() < READ_PAUSE, pauses == 0, "{pieces}");
            assert_eq!(lines, pieces);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_ends_too_early_or_never_is_none() {
        let (ours, mut theirs) = duplex(4096);
        theirs.write_all(b"> admin\n\n> ").await.unwrap();
        let mut runtime = Runtime::over(ours).await.unwrap();
        theirs.write_all(b"0x1: first\n").await.unwrap();
        assert!(matches!(runtime.read("show sess\n", |_| ()).await, Err(RuntimeError::Timeout)));
        drop(theirs);
        let error = runtime.read("show sess\n", |_| ()).await.unwrap_err();
        assert!(error.is_end(), "{error}");
    }

    #[test]
    fn a_value_is_found_by_its_whole_name() {
        let info = "Name: HAProxy\nPid: 26228\nUptime: 0d 0h\nUptime_sec: 7\nStopping: 0\n";
        for (name, expected) in
            [("Pid", Some("26228")), ("Uptime_sec", Some("7")), ("Uptime", Some("0d 0h")), ("Up", None)]
        {
            assert_eq!(told(info, name), expected, "{name}");
        }
    }
}

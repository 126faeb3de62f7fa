//! HAProxy's runtime API: commands over a stats socket (management guide, section 9.3).

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::listen::{Address, Stream};

/// How long HAProxy may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of an answer: several thousand servers.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
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

    async fn exchange(&mut self, commands: &str) -> Result<String, RuntimeError> {
        self.stream.write_all(format!("{commands}{LAST}").as_bytes()).await?;
        let mut answer = Vec::new();
        loop {
            if self.stream.read_buf(&mut answer).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let end = ENDS.iter().find(|(end, _)| answer.ends_with(end.as_bytes()));
            if let Some((end, level)) = end {
                self.level = *level;
                answer.truncate(answer.len().saturating_sub(end.len()));
                return Ok(String::from_utf8_lossy(&answer).into_owned());
            }
            if answer.len() > MAX_ANSWER_BYTES {
                return Err(RuntimeError::TooLong);
            }
        }
    }
}

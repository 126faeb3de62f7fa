//! Where HAProxy reaches us: TCP and unix sockets, any number of each.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use rustix::net::sockopt::set_tcp_user_timeout;
use service::socket::{self, SocketError, SocketFile};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use crate::spoa::connection::UNREAD_TIMEOUT;
use crate::unix_stream::UnixStream;

/// Mode of a unix socket: the agent's user and group, so that HAProxy needs the group and no other user gets in.
const SOCKET_MODE: u32 = 0o660;

/// `host:port` or `unix@/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A name or address with a port.
    Tcp(String),
    /// A path in the file system.
    Unix(PathBuf),
}

/// The text is neither `host:port` nor `unix@/path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected host:port or unix@/path")]
pub struct BadAddress;

impl Address {
    /// What `JWT_AGENT_LISTEN` is where it is not set.
    pub fn fallback() -> Self {
        Self::Tcp("127.0.0.1:12345".to_owned())
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if let Some(path) = text.strip_prefix("unix@") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(BadAddress) };
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self::Tcp(text.to_owned()))
            }
            _ => Err(BadAddress),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => out.write_str(address),
            Self::Unix(path) => write!(out, "unix@{}", path.display()),
        }
    }
}

/// A bound listener; a unix socket's file goes when this is dropped.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket and its file.
    Unix(UnixListener, SocketFile),
}

/// The other end of a connection, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// From this address.
    Tcp(SocketAddr),
    /// The process that connected to the unix socket; absent or 0 where the system does not tell, as of another container.
    Unix(Option<i32>),
}

impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(out, "{address}"),
            Self::Unix(Some(process)) if *process != 0 => write!(out, "pid {process}"),
            Self::Unix(_) => out.write_str("unknown"),
        }
    }
}

/// A connection of either kind.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Listener {
    /// Binds; a unix socket that no process serves any more is replaced, one that is served is an error.
    ///
    /// # Errors
    ///
    /// The address is in use, not ours, or not to be resolved.
    pub async fn bind(address: &Address) -> Result<Self, SocketError> {
        match address {
            Address::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await?)),
            Address::Unix(path) => {
                let (listener, file) = socket::bind(path, SOCKET_MODE)?;
                Ok(Self::Unix(listener, file))
            }
        }
    }

    /// The address as it was bound, with the port that the system chose.
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => {
                listener.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string())
            }
            Self::Unix(_, file) => Address::Unix(file.path().into()).to_string(),
        }
    }

    /// The next connection.
    ///
    /// # Errors
    ///
    /// As the system says; the listener stays usable.
    pub async fn accept(&self) -> io::Result<(Box<dyn Stream>, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                // The system takes answers that HAProxy does not read, up to some megabytes.
                let unread = u32::try_from(UNREAD_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
                set_tcp_user_timeout(&stream, unread)?;
                Ok((Box::new(stream), Peer::Tcp(peer)))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                let process = stream.peer_cred()?.pid();
                Ok((Box::new(UnixStream::new(stream)?), Peer::Unix(process)))
            }
        }
    }
}

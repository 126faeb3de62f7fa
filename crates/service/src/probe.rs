//! One question to a running process: is it ready? For health checks of containers that hold nothing but the program.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// How long the process may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than the status line and the causes.
const MAX_ANSWER: u64 = 16 * 1024;

/// Where a process answers `/ready`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `host:port`, as it listens on it.
    Tcp(String),
    /// A unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => out.write_str(address),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

/// Why a process is not known to be ready.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// There is no answer.
    #[error("no answer at {place}: {error}")]
    Silent {
        /// Where it was asked.
        place: Place,
        /// Why there is none.
        error: io::Error,
    },
    /// It says why it is not ready.
    #[error("not ready: {0}")]
    NotReady(String),
}

/// Asks `/ready`.
///
/// # Errors
///
/// Nothing answers, or the answer is not 200.
pub fn ready(place: &Place) -> Result<(), ProbeError> {
    let answer = question(place).map_err(|error| ProbeError::Silent { place: place.clone(), error })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some("503") => Err(ProbeError::NotReady(body.trim().to_owned())),
        Some(_) | None => Err(ProbeError::NotReady("it answers something else".to_owned())),
    }
}

fn question(place: &Place) -> io::Result<String> {
    match place {
        Place::Tcp(address) => {
            let address = address
                .to_socket_addrs()?
                .next()
                .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
            let stream = TcpStream::connect_timeout(&reachable(address), PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            ask(stream)
        }
        Place::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            ask(stream)
        }
    }
}

/// Who listens on every address of the machine is asked on its own.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

fn ask(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::health_router;
    use crate::readiness::{Cause, Readiness};

    #[tokio::test]
    async fn tells_readiness_and_its_causes_over_tcp_and_unix_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let readiness = Readiness::new();
        let tcp = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let unix = tokio::net::UnixListener::bind(&path).unwrap();
        let serving = [
            tokio::spawn(axum::serve(tcp, health_router(readiness.clone())).into_future()),
            tokio::spawn(axum::serve(unix, health_router(readiness.clone())).into_future()),
        ];
        for place in [Place::Tcp(address.to_string()), Place::Unix(path.clone())] {
            let ask = async |place: Place| tokio::task::spawn_blocking(move || ready(&place)).await.unwrap();
            ask(place.clone()).await.unwrap();
            readiness.block(Cause::Keys, "none");
            let why = ask(place.clone()).await.unwrap_err().to_string();
            assert_eq!(why, "not ready: keys: none", "{place:?}");
            readiness.clear(Cause::Keys);
        }
        serving.iter().for_each(tokio::task::JoinHandle::abort);
        let silent = Place::Unix(folder.path().join("b.sock"));
        assert!(matches!(ready(&silent), Err(ProbeError::Silent { .. })));
    }
}

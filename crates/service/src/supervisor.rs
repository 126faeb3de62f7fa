//! What systemd is told by a service of `Type=notify` (sd_notify(3)): one datagram to the socket that it names.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable that names the socket.
pub const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// What started us and wants to know our state; nothing, outside of systemd.
#[derive(Debug, Clone, Default)]
pub struct Supervisor(Option<SocketAddr>);

impl Supervisor {
    /// From the value of [`NOTIFY_SOCKET`]: a path, or `@` and a name in Linux's abstract namespace.
    ///
    /// # Errors
    ///
    /// It is neither.
    pub fn new(socket: Option<&OsStr>) -> io::Result<Self> {
        let Some(socket) = socket.filter(|socket| !socket.is_empty()) else {
            return Ok(Self(None));
        };
        let address = match socket.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(socket)?,
        };
        Ok(Self(Some(address)))
    }

    /// We serve.
    pub fn serving(&self) {
        self.tell("READY=1");
    }

    /// We were asked to stop, and are about it.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, state: &str) {
        let Some(address) = &self.0 else { return };
        let told = UnixDatagram::unbound().and_then(|socket| socket.send_to_addr(state.as_bytes(), address));
        if let Err(error) = told {
            tracing::warn!(%error, state, "the supervisor could not be told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_path_and_an_abstract_name_and_nothing_where_none_is_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("@{}", path.display());
        let named = SocketAddr::from_abstract_name(&name.as_bytes()[1..]).unwrap();
        for (socket, listener) in [
            (path.as_os_str().to_owned(), UnixDatagram::bind(&path).unwrap()),
            (name.into(), UnixDatagram::bind_addr(&named).unwrap()),
        ] {
            let supervisor = Supervisor::new(Some(&socket)).unwrap();
            supervisor.serving();
            supervisor.stopping();
            let mut buffer = [0; 64];
            for expected in ["READY=1", "STOPPING=1"] {
                let length = listener.recv(&mut buffer).unwrap();
                assert_eq!(std::str::from_utf8(&buffer[..length]), Ok(expected), "{}", socket.display());
            }
        }
        for unset in [None, Some(OsStr::new(""))] {
            Supervisor::new(unset).unwrap().serving();
        }
    }
}

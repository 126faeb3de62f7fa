//! The sockets, bound before anything else starts, so that a port in use is told at once.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener, UnixSocket};

use crate::config::{Config, ListenAddress};

/// Who may open the admin socket: this user. It asks for no bearer token.
const SOCKET_MODE: u32 = 0o600;

/// Connections that wait to be accepted on the admin socket.
const SOCKET_BACKLOG: u32 = 64;

/// Bound sockets.
#[derive(Debug)]
pub struct Listeners {
    /// For agents and old callers.
    pub main: TcpListener,
    /// Rules API and metrics.
    pub admin: TcpListener,
    /// The same without bearer tokens.
    pub admin_socket: Option<AdminSocket>,
}

/// A unix socket whose file goes when it does.
#[derive(Debug)]
pub struct AdminSocket {
    pub(crate) listener: UnixListener,
    pub(crate) file: SocketFile,
}

/// Removes a socket's file when dropped.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

/// Why a socket cannot be bound.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A TCP address that is in use, not ours, or not to be resolved.
    #[error("cannot listen on {address}: {cause}; set {setting}")]
    Tcp {
        /// What was asked for.
        address: ListenAddress,
        /// Where it was asked for.
        setting: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// A socket file that cannot be made.
    #[error("cannot listen on {}: {cause}; check the directory of TOKEN_SERVER__ADMIN__SOCKET", path.display())]
    Socket {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Somebody answers on that socket file.
    #[error("cannot listen on {}: another process does; stop it, or set TOKEN_SERVER__ADMIN__SOCKET", path.display())]
    SocketInUse {
        /// The file.
        path: PathBuf,
    },
    /// The path is a file of another kind, which is not ours to remove.
    #[error("cannot listen on {}: the file exists and is no socket; remove it, or set TOKEN_SERVER__ADMIN__SOCKET", path.display())]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
}

impl Listeners {
    /// Binds everything that the configuration names.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub async fn bind(config: &Config) -> Result<Self, ListenError> {
        Ok(Self {
            main: bind_tcp(&config.listen, "TOKEN_SERVER__LISTEN").await?,
            admin: bind_tcp(&config.admin_listen, "TOKEN_SERVER__ADMIN__LISTEN").await?,
            admin_socket: config.admin_socket.as_deref().map(bind_socket).transpose()?,
        })
    }
}

async fn bind_tcp(address: &ListenAddress, setting: &'static str) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address.as_str()).await.map_err(|cause| ListenError::Tcp {
        address: address.clone(),
        setting,
        cause,
    })
}

fn bind_socket(path: &Path) -> Result<AdminSocket, ListenError> {
    make_way(path)?;
    let bind = || {
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        let file = SocketFile(path.into());
        // Before it listens nobody can connect, so at no moment can anybody else.
        fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
        Ok(AdminSocket { listener: socket.listen(SOCKET_BACKLOG)?, file })
    };
    bind().map_err(|cause| ListenError::Socket { path: path.into(), cause })
}

/// Removes the file of a process that is gone.
fn make_way(path: &Path) -> Result<(), ListenError> {
    let socket_error = |cause| ListenError::Socket { path: path.into(), cause };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(socket_error(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err(ListenError::NotASocket { path: path.into() })
        }
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(socket_error)
            }
            Err(error) => Err(socket_error(error)),
            Ok(_) => Err(ListenError::SocketInUse { path: path.into() }),
        },
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A file that somebody removed before us is gone as well.
        fs::remove_file(&self.0).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_ours_alone_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let socket = bind_socket(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves the file behind");

        let live = bind_socket(&path).unwrap();
        assert!(matches!(bind_socket(&path), Err(ListenError::SocketInUse { .. })));
        drop(live);

        fs::write(&path, "precious").unwrap();
        assert!(matches!(bind_socket(&path), Err(ListenError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        assert!(matches!(
            bind_socket(&folder.path().join("no/such/folder")),
            Err(ListenError::Socket { .. })
        ));
    }
}

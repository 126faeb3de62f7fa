//! Unix sockets with the right mode from the first moment, and a file that goes when its listener does.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use axum::serve::Listener;
use tokio::net::{UnixListener, UnixSocket};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Removes a socket's file when dropped.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

/// Why a unix socket cannot be bound.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The file cannot be made.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A program answers on that file.
    #[error("another process serves it; stop that process, or name another path")]
    InUse,
    /// The path is a file of another kind, which is not ours to remove.
    #[error("the file exists and is no socket; remove it, or name another path")]
    NotASocket,
}

/// Accepts connections, and says which user is at the other end (SO_PEERCRED: as the kernel saw it connect).
#[derive(Debug)]
pub struct Peers(pub UnixListener);

/// The number of a user of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uid(pub u32);

impl Listener for Peers {
    type Io = tokio::net::UnixStream;
    type Addr = Uid;

    /// A connection of an unknown user is closed: what it asks for could not be told as any user's doing.
    async fn accept(&mut self) -> (Self::Io, Uid) {
        loop {
            let (stream, _) = Listener::accept(&mut self.0).await;
            match stream.peer_cred() {
                Ok(peer) => return (stream, Uid(peer.uid())),
                Err(error) => {
                    tracing::warn!(%error, "a connection was closed: the system does not tell its user")
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Uid> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a listener has no peer"))
    }
}

/// Binds `path` with permission bits `mode`. A file that a process left behind is replaced.
///
/// # Errors
///
/// See [`SocketError`].
pub fn bind(path: &Path, mode: u32) -> Result<(UnixListener, SocketFile), SocketError> {
    make_way(path)?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let file = SocketFile(path.into());
    // Before it listens no process can connect, so none that the mode keeps out ever can.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok((socket.listen(BACKLOG)?, file))
}

/// Whether [`bind`] would find the path free; nothing is changed.
///
/// # Errors
///
/// See [`SocketError`].
pub fn examine(path: &Path) -> Result<(), SocketError> {
    is_left_behind(path).map(drop)
}

/// Removes the file of a process that is gone.
fn make_way(path: &Path) -> Result<(), SocketError> {
    if is_left_behind(path)? {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Whether there is a socket that nothing answers on.
fn is_left_behind(path: &Path) -> Result<bool, SocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(SocketError::NotASocket),
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(true),
            Err(error) => Err(error.into()),
            Ok(_) => Err(SocketError::InUse),
        },
    }
}

impl SocketFile {
    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A file that another process removed first is gone as well.
        fs::remove_file(&self.0).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_has_its_mode_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        for mode in [0o600, 0o660] {
            let socket = bind(&path, mode).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            drop(socket);
            assert!(!path.exists());
        }
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves the file behind");

        let live = bind(&path, 0o600).unwrap();
        assert!(matches!(bind(&path, 0o600), Err(SocketError::InUse)));
        drop(live);

        fs::write(&path, "precious").unwrap();
        assert!(matches!(bind(&path, 0o600), Err(SocketError::NotASocket)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        assert!(matches!(bind(&folder.path().join("no/such/folder"), 0o600), Err(SocketError::Io(_))));
    }

    #[tokio::test]
    async fn a_peer_is_told_by_the_user_who_connected() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peer.sock");
        let (listener, _file) = bind(&path, 0o600).unwrap();
        let _client = tokio::net::UnixStream::connect(&path).await.unwrap();
        let (_, uid) = Peers(listener).accept().await;
        assert_eq!(uid, Uid(fs::metadata(&path).unwrap().uid()), "this process made the file, and connected");
    }
}

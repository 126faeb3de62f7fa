//! The sockets, bound before anything else starts, so that a port in use is told at once.

use std::io;
use std::path::{Path, PathBuf};

use service::socket::{self, SocketError, SocketFile};
use tokio::net::{TcpListener, UnixListener};

use crate::config::signals::LISTEN as SIGNALS_LISTEN;
use crate::config::{Config, ListenAddress};

/// Who may open the admin socket: this user. It asks for no bearer token.
const SOCKET_MODE: u32 = 0o600;

/// Bound sockets.
#[derive(Debug)]
pub struct Listeners {
    /// For agents and old callers.
    pub main: TcpListener,
    /// Rules API and metrics.
    pub admin: TcpListener,
    /// The same without bearer tokens.
    pub admin_socket: Option<AdminSocket>,
    /// For identity providers.
    pub signals: Option<TcpListener>,
}

/// A unix socket whose file goes when it does.
#[derive(Debug)]
pub struct AdminSocket {
    pub(crate) listener: UnixListener,
    pub(crate) file: SocketFile,
}

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
    #[error("cannot listen on {}: {cause}; set TOKEN_SERVER__ADMIN__SOCKET", path.display())]
    Socket {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: SocketError,
    },
}

impl Listeners {
    /// Binds everything that the configuration names.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub async fn bind(config: &Config) -> Result<Self, ListenError> {
        let signals = match &config.signals {
            Some(signals) => Some(bind_tcp(&signals.listen, SIGNALS_LISTEN).await?),
            None => None,
        };
        Ok(Self {
            signals,
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
    let (listener, file) =
        socket::bind(path, SOCKET_MODE).map_err(|cause| ListenError::Socket { path: path.into(), cause })?;
    Ok(AdminSocket { listener, file })
}

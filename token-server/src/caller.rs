//! Who asks the admin API, and what he may do there. Knows no HTTP.

mod peer;
mod role;
mod tokens;

use serde::{Deserialize, Serialize};
use service::socket::Uid;

pub(crate) use role::Role;
pub use tokens::{AdminTokens, AdminTokensFile};

/// Who asks, as logs and the trail of changes name him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The name of a bearer token, or `uid 1000 (anna)`.
    pub name: String,
    /// By what he is known.
    pub kind: Kind,
}

/// By what a caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A bearer token.
    Token,
    /// A user who may open the admin socket.
    Peer,
    /// A user whose command works on the store itself.
    Store,
    /// What an identity provider sent.
    Signal,
}

/// A caller, and what he may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) caller: Caller,
    pub(crate) role: Role,
}

impl Kind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Peer => "peer",
            Self::Store => "store",
            Self::Signal => "signal",
        }
    }
}

impl Caller {
    /// The user at the other end of the admin socket.
    pub(crate) async fn of_peer(uid: Uid) -> Self {
        let users = tokio::fs::read_to_string(peer::USERS).await.unwrap_or_default();
        Self { name: peer::name(uid.0, &users), kind: Kind::Peer }
    }

    /// The user of this process.
    pub(crate) fn of_this_process() -> Self {
        let users = std::fs::read_to_string(peer::USERS).unwrap_or_default();
        Self { name: peer::name(rustix::process::geteuid().as_raw(), &users), kind: Kind::Store }
    }
}

impl Access {
    /// Of users whom the system has let in: to the socket, or to the store.
    pub(crate) fn of_user(caller: Caller) -> Self {
        Self { caller, role: Role::Admin }
    }
}

//! Why a token-server gives no answer, and why none can be asked.

use hyper::StatusCode;
use service::secret_file::FileFault;

use super::standing::Cause;

/// Why a call brought no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// Nothing within the budget.
    #[error("no answer in time")]
    Timeout,
    /// No connection, or it broke.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// The server refuses to judge.
    #[error("answered {0}")]
    Status(StatusCode),
    /// The answer is not what was asked for.
    #[error("answered something that is no answer")]
    Unreadable,
}

impl CallError {
    /// The word that metrics have for it.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Status(_) => "refused",
            Self::Unreadable => "unreadable",
        }
    }

    /// Why the server is of no use to us, where it says so itself.
    pub const fn refusal(&self) -> Option<Cause> {
        match self {
            Self::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Some(Cause::Credentials),
            Self::Status(StatusCode::CONFLICT) => Some(Cause::Profile),
            // It has not reached its store since its start.
            Self::Status(StatusCode::SERVICE_UNAVAILABLE) => Some(Cause::Unread),
            Self::Status(_) | Self::Timeout | Self::Unreachable(_) | Self::Unreadable => None,
        }
    }
}

/// Why the client cannot be made: the configuration is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileFault),
    /// The system's certificates cannot be read.
    #[error("JWT_TOKEN_SERVER_BACKEND: the system's certificates cannot be read: {0}")]
    SystemRoots(String),
    /// The TLS library refuses its own defaults.
    #[error("JWT_TOKEN_SERVER_BACKEND: TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// With what lies below: hyper's own words only say that something failed.
pub fn unreachable(error: &dyn std::error::Error) -> CallError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(below) = cause {
        text = format!("{text}: {below}");
        cause = below.source();
    }
    CallError::Unreachable(text)
}

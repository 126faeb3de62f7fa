//! Why tokens could not be judged by hand, and the exit code that says so.

use std::io;

use service::exit;

use crate::load_error::LoadError;

/// Why tokens could not be judged by hand.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// No policy has the name that was asked for; these are there.
    #[error("--policy: there is none of that name; there are: {}", .0.join(", "))]
    Policy(Vec<String>),
    /// A file of keys cannot be used.
    #[error("{name}: {cause}")]
    File {
        /// The file.
        name: String,
        /// Why not.
        cause: LoadError,
    },
    /// A key server gives no keys now.
    #[error("{name}: {cause}")]
    Server {
        /// The server.
        name: String,
        /// Why not.
        cause: LoadError,
    },
    /// Tokens cannot be read.
    #[error("standard input: {0}")]
    Input(io::Error),
    /// Answers cannot be written.
    #[error("standard output: {0}")]
    Output(io::Error),
}

impl ExplainError {
    /// What a program ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Policy(_) | Self::File { .. } => exit::USAGE,
            Self::Server { .. } | Self::Input(_) | Self::Output(_) => exit::FAILURE,
        }
    }
}

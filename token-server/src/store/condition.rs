//! What may cost rules though the store answers.

use std::path::PathBuf;

/// What is known of a store beside its rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Why it must not be relied on.
    pub fault: Option<Fault>,
    /// How often it was found without what it had before.
    pub emptied: u64,
}

/// Why a store that answers must not be relied on, with the cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Redis removes keys of rules when its memory is full.
    #[error(
        "Redis may remove rules when its memory is full (maxmemory-policy {policy}): set maxmemory-policy noeviction, \
         or TOKEN_SERVER__REDIS__ACCEPT_EVICTION=true to accept that revoked tokens are let in again"
    )]
    Evicts {
        /// The policy as Redis names it.
        policy: String,
    },
    /// The embedded store's file is no longer where it was opened.
    #[error(
        "store {}: the file was deleted or replaced while in use, so that rules written now would be lost; put it back, \
         or restore a backup, and restart", path.display()
    )]
    FileGone {
        /// Where it was.
        path: PathBuf,
    },
}

impl Fault {
    /// The word for metrics.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Evicts { .. } => Self::EVICTS,
            Self::FileGone { .. } => Self::FILE_GONE,
        }
    }

    /// Every [`cause`](Self::cause).
    pub const CAUSES: [&'static str; 2] = [Self::EVICTS, Self::FILE_GONE];

    const EVICTS: &'static str = "evicts";
    const FILE_GONE: &'static str = "file_gone";
}

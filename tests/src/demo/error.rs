//! Why the demo does not run, in one line that tells the cure.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why the demo ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not an error: a signal came.
    #[error("stopped")]
    Stopped,
    #[error("port {port} on 127.0.0.1 is in use ({source}): choose another, for example make run PORT={}", port.wrapping_add(1))]
    Port { port: u16, source: io::Error },
    #[error("{0}")]
    NotBuilt(String),
    #[error(
        "cannot run {program} ({source}): install it with sudo apt-get install haproxy, or set HAPROXY to its path"
    )]
    NoHaproxy { program: String, source: io::Error },
    #[error("the key file {} cannot be used: {why}", file.display())]
    Keys { file: PathBuf, why: String },
    #[error("cannot start {name}: {source}")]
    Start { name: String, source: io::Error },
    #[error("{name} ended by itself ({status}); its last lines are above")]
    Ended { name: String, status: ExitStatus },
    #[error("{what} did not become ready; its lines are above")]
    Late { what: String },
    #[error("cannot use a temporary folder: {0}")]
    Folder(io::Error),
    #[error("cannot listen to signals: {0}")]
    Signals(io::Error),
}

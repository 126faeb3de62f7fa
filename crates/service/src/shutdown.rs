//! When to stop: one token, cancelled by SIGTERM or SIGINT, handed to everything that runs.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
pub use tokio_util::sync::CancellationToken as Shutdown;

/// Waits for SIGTERM or SIGINT and names the one that came.
///
/// # Errors
///
/// The signal handlers could not be installed.
pub async fn on_signals() -> io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}

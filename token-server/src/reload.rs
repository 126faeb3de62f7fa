//! SIGHUP: secret files and the configuration are read again.

use service::secret_file::SecretFiles;
use service::shutdown::Shutdown;
use tokio::signal::unix::{SignalKind, signal};

use crate::reconfigure::Reconfigure;

/// Reads everything again at each signal, until `shutdown`.
pub(crate) async fn run(files: SecretFiles, mut reconfigure: Reconfigure, shutdown: Shutdown) {
    // Without a handler the signal would end the process.
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP cannot be handled; secret files are read again when they change");
            shutdown.cancelled().await;
            return;
        }
    };
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = hangups.recv() => {}
        }
        tracing::info!("SIGHUP: reading the configuration and its files again");
        files.reload().await;
        reconfigure.again().await;
    }
}

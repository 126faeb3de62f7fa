//! When files are read again: on SIGHUP, and with them the configuration; when something happens in their folders, and
//! every minute besides.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use service::shutdown::Shutdown;
use service::watch::{Watch, folder_of, watch};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::files::Reload;
use crate::reconfigure::Reconfigure;

/// For file systems that tell of no changes, such as network mounts.
const INTERVAL: Duration = Duration::from_secs(60);

/// A certificate and its key are replaced one after the other; between the two they do not fit.
const SETTLE: Duration = Duration::from_millis(100);

/// Reads the files again, each time there is a reason to, until `shutdown`.
pub(crate) async fn run(files: Vec<Arc<dyn Reload>>, mut reconfigure: Reconfigure, shutdown: Shutdown) {
    // Without a handler the signal would end the process.
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP cannot be handled; files are read again when they change");
            shutdown.cancelled().await;
            return;
        }
    };
    let changed = Arc::new(Notify::new());
    let _watches: Vec<_> =
        folders(&files).into_iter().filter_map(|folder| watched(&folder, &changed)).collect();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut hung_up = false;
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = hangups.recv() => {
                tracing::info!("SIGHUP: reading the configuration and its files again");
                hung_up = true;
            }
            () = changed.notified() => tokio::time::sleep(SETTLE).await,
            _ = ticks.tick() => {}
        }
        let files = files.clone();
        let reading = tokio::task::spawn_blocking(move || {
            for files in &files {
                files.reload();
            }
        });
        if let Err(error) = reading.await {
            tracing::error!(%error, "files could not be read again");
        }
        if hung_up {
            reconfigure.again().await;
        }
    }
}

fn folders(files: &[Arc<dyn Reload>]) -> BTreeSet<PathBuf> {
    files.iter().flat_map(|files| files.paths()).map(|path| folder_of(path).to_owned()).collect()
}

fn watched(folder: &Path, changed: &Arc<Notify>) -> Option<Watch> {
    watch(folder, Arc::clone(changed))
        .inspect_err(
            |error| tracing::warn!(%error, "a folder is not watched; its files are read every minute"),
        )
        .ok()
}

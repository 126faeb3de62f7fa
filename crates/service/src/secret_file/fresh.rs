//! When secret files are read again: when something happens in their folders, every few seconds besides, and when asked.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};

use super::Reload;
use crate::shutdown::Shutdown;
use crate::watch::{Watch, folder_of, watch};

/// For what no folder tells: network mounts, a link into another folder, a folder that was replaced itself.
const INTERVAL: Duration = Duration::from_secs(5);

/// Writers take several steps. Files are read when their folders have been quiet for this long...
const QUIET: Duration = Duration::from_millis(50);

/// ...or after this time, in a folder that never is.
const MAX_SETTLE: Duration = Duration::from_millis(500);

/// All secret files that a program reads again by itself.
#[derive(Clone, Default)]
pub struct SecretFiles(Vec<Arc<dyn Reload>>);

impl SecretFiles {
    /// Adds files.
    pub fn add(&mut self, files: Arc<dyn Reload>) {
        self.0.push(files);
    }

    /// Reads all of them now.
    pub async fn reload(&self) {
        let files = self.0.clone();
        let reading = tokio::task::spawn_blocking(move || {
            for files in &files {
                files.reload();
            }
        });
        if let Err(error) = reading.await {
            tracing::error!(%error, "secret files could not be read again");
        }
    }

    /// Reads them again, each time there is a reason to, until `shutdown`.
    pub async fn keep_fresh(self, shutdown: Shutdown) {
        let changed = Arc::new(Notify::new());
        let _watches: Vec<_> = self.folders().iter().filter_map(|folder| watched(folder, &changed)).collect();
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = changed.notified() => settled(&changed).await,
                _ = ticks.tick() => {}
            }
            self.reload().await;
        }
    }

    fn folders(&self) -> BTreeSet<PathBuf> {
        let files = self.0.iter().flat_map(|files| files.files());
        files.map(|file| folder_of(&file.path).to_owned()).collect()
    }
}

impl fmt::Debug for SecretFiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.0.iter().map(|files| files.files())).finish()
    }
}

/// Waits until nothing more happens.
async fn settled(changed: &Notify) {
    let end = Instant::now() + MAX_SETTLE;
    let quiet = async { while timeout(QUIET, changed.notified()).await.is_ok() {} };
    // A folder that is never quiet is read all the same.
    timeout_at(end, quiet).await.ok();
}

fn watched(folder: &Path, changed: &Arc<Notify>) -> Option<Watch> {
    watch(folder, Arc::clone(changed))
        .inspect_err(|error| {
            let folder = folder.display();
            tracing::warn!(%folder, %error, "a folder is not watched; its files are read every 5 seconds");
        })
        .ok()
}

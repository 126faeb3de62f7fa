//! Tells when something happens in the folder of a file.
//!
//! The folder is watched, not the file: files of keys and secrets are usually replaced by renaming others over them, and
//! in Kubernetes by switching a link beside them, which a watch on the file itself would miss.

use std::path::Path;
use std::sync::Arc;

use notify::{RecursiveMode, Watcher};
use tokio::sync::Notify;

pub use notify::{RecommendedWatcher as Watch, Result};

/// The folder of a file.
pub fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

/// Tells `changed` whenever something happens in `folder`; the watch lasts as long as the result.
///
/// # Errors
///
/// The system cannot watch the folder; reloads by the clock go on.
pub fn watch(folder: &Path, changed: Arc<Notify>) -> Result<Watch> {
    let mut watcher = notify::recommended_watcher(move |event: Result<notify::Event>| {
        // Reading a file is an event as well; answering it with a read would never end.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            changed.notify_one();
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

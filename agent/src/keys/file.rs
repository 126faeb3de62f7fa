//! Keys from a file, and the watch on it.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use jose::MAX_KEY_SET_BYTES;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::LoadError;

/// Reads the file.
///
/// # Errors
///
/// It cannot be read, or is larger than any key set.
pub fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_KEY_SET_BYTES).unwrap_or(u64::MAX);
    let file = File::open(path).map_err(LoadError::File)?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(LoadError::File)?;
    if bytes.len() > MAX_KEY_SET_BYTES {
        return Err(LoadError::TooLarge(MAX_KEY_SET_BYTES));
    }
    Ok(bytes)
}

/// Tells `changed` whenever something happens in the folder of `path`; the watch lasts as long as the result.
///
/// The folder is watched, not the file: a key file is usually replaced by renaming another over it, and in Kubernetes
/// by switching a link beside it, which a watch on the file itself would miss.
///
/// # Errors
///
/// The system cannot watch the folder; reloads by the clock go on.
pub fn watch(path: &Path, changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading a file is an event as well; answering it with a read would never end.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            changed.notify_one();
        }
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    watcher.watch(folder.unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

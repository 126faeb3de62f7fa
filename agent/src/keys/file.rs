//! Keys from a file, and the watch on it.

use std::path::Path;
use std::sync::Arc;

use jose::{KeyOrigin, KeyRules, KeySet, MAX_KEY_SET_BYTES};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::LoadError;

/// Reads the keys of a file.
///
/// # Errors
///
/// The file cannot be read, or holds no usable key: it may be half written.
pub fn load(path: &Path, rules: &KeyRules) -> Result<KeySet, LoadError> {
    let size = std::fs::metadata(path).map_err(LoadError::File)?.len();
    if usize::try_from(size).map_or(true, |size| size > MAX_KEY_SET_BYTES) {
        return Err(LoadError::TooLarge(MAX_KEY_SET_BYTES));
    }
    let bytes = std::fs::read(path).map_err(LoadError::File)?;
    let rules = KeyRules { origin: KeyOrigin::File, ..*rules };
    Ok(KeySet::parse(&bytes, &rules)?)
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

//! Secrets from files, read again while the program runs: bearer tokens, certificates, keys.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

/// Bytes of one file: a bundle of certificates, or keys by the dozen.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What a setting's files say, as they were last read well.
pub struct FromFiles<T> {
    setting: &'static str,
    paths: Vec<PathBuf>,
    parse: fn(&[Vec<u8>]) -> Result<T, String>,
    current: ArcSwap<T>,
    /// What was read last, good or bad: the same bytes again are no news.
    seen: Mutex<Vec<Vec<u8>>>,
}

/// Files that can be read again.
pub trait Reload: Send + Sync {
    /// Reads the files, and says whether something else is valid now. What cannot be used is told in the log, and changes
    /// nothing.
    fn reload(&self) -> bool;

    /// The files.
    fn paths(&self) -> &[PathBuf];
}

impl<T> FromFiles<T> {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Why they cannot be used, without a word of what they hold.
    pub fn load(
        setting: &'static str,
        paths: Vec<PathBuf>,
        parse: fn(&[Vec<u8>]) -> Result<T, String>,
    ) -> Result<Self, String> {
        let bytes = read(&paths)?;
        let current = ArcSwap::from_pointee(parse(&bytes)?);
        Ok(Self { setting, paths, parse, current, seen: Mutex::new(bytes) })
    }

    /// What is valid now.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }
}

impl<T: Send + Sync> Reload for FromFiles<T> {
    fn reload(&self) -> bool {
        // Held throughout, so that an older reading never overtakes a newer one.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let read = match read(&self.paths) {
            Ok(bytes) if bytes == *seen => return false,
            Ok(bytes) => {
                *seen = bytes;
                (self.parse)(&seen)
            }
            Err(why) => Err(why),
        };
        match read {
            Ok(new) => {
                self.current.store(Arc::new(new));
                tracing::info!(setting = self.setting, "files were read again");
                true
            }
            Err(why) => {
                let setting = self.setting;
                tracing::error!(setting, why, "files cannot be used; what they said before stays valid");
                false
            }
        }
    }

    fn paths(&self) -> &[PathBuf] {
        &self.paths
    }
}

impl<T> fmt::Debug for FromFiles<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FromFiles")
            .field("setting", &self.setting)
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

fn read(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, String> {
    paths
        .iter()
        .map(|path| read_one(path).map_err(|error| format!("cannot read the file: {error}")))
        .collect()
}

fn read_one(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read > MAX_FILE_BYTES) {
        return Err(io::Error::other(format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[Vec<u8>]) -> Result<u32, String> {
        let text = bytes.concat();
        std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).ok_or("no number".to_owned())
    }

    #[test]
    fn files_that_cannot_be_used_leave_what_was_valid() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        let [a, b] = &paths;
        assert!(
            FromFiles::load("S", paths.to_vec(), number).unwrap_err().starts_with("cannot read the file: ")
        );
        std::fs::write(a, "1").unwrap();
        std::fs::write(b, "x").unwrap();
        assert_eq!(FromFiles::load("S", paths.to_vec(), number).unwrap_err(), "no number");
        std::fs::write(b, "2").unwrap();
        let files = FromFiles::load("S", paths.to_vec(), number).unwrap();
        assert_eq!(*files.current(), 12);
        for (content, changes, valid) in
            [("3", true, 13), ("3", false, 13), ("y", false, 13), ("4", true, 14), ("", true, 1)]
        {
            std::fs::write(b, content).unwrap();
            assert_eq!(files.reload(), changes, "{content}");
            assert_eq!(*files.current(), valid, "{content}");
        }
        std::fs::remove_file(b).unwrap();
        assert!(!files.reload());
        assert_eq!(*files.current(), 1);
        std::fs::write(b, vec![b'5'; usize::try_from(MAX_FILE_BYTES).unwrap() + 1]).unwrap();
        assert!(!files.reload());
        assert_eq!(*files.current(), 1);
    }
}

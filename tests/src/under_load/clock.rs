//! A wall clock that can be set, for one process: libfaketime, whose file is read at each look at the clock.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The clock; it shows the right time until it is set.
#[derive(Debug)]
pub struct Clock {
    folder: TempDir,
    library: PathBuf,
}

impl Clock {
    /// # Panics
    ///
    /// libfaketime is not installed.
    pub fn start() -> Self {
        let is_there = |path: &PathBuf| path.is_file();
        let library = fs::read_dir("/usr/lib")
            .unwrap()
            .map_while(Result::ok)
            .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
            .find(is_there)
            .unwrap_or_else(|| panic!("libfaketime is missing: install the package faketime"));
        let clock = Self { folder: TempDir::new().unwrap(), library };
        clock.set(0);
        clock
    }

    /// What a process needs in its environment to see this clock; monotonic clocks stay as they are.
    pub fn environment(&self) -> [(String, String); 4] {
        let text = |path: &Path| path.display().to_string();
        [
            ("LD_PRELOAD", text(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.file())),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// Puts it so many seconds before or behind the time.
    ///
    /// # Panics
    ///
    /// Its file is gone.
    pub fn set(&self, seconds: i64) {
        let fresh = self.folder.path().join("fresh");
        fs::write(&fresh, format!("{seconds:+}\n")).unwrap();
        // Whole at any moment, since it is read at any moment.
        fs::rename(fresh, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }
}

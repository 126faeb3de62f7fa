//! Chromium without a window, with a profile of its own that goes with it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait::poll;

/// How long its processes may take to go.
const LEAVE: Duration = Duration::from_secs(10);

/// A folder in which one browser keeps all that it keeps. It is removed when the last process of the browser has gone.
#[derive(Debug)]
pub struct Profile(TempDir);

impl Profile {
    /// # Panics
    ///
    /// There is no room for temporary files.
    pub fn create() -> Self {
        Self(TempDir::with_prefix("chromium-").unwrap())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Adds what starts the browser with this profile to a command, which is `chromium` or runs it.
    pub fn dress(&self, command: &mut Command) {
        command
            .args(["--headless=new", "--no-first-run", "--disable-gpu"])
            // Its sandbox cannot be had by root, nor in most containers; all that it opens is ours.
            .args(["--no-sandbox", "--disable-dev-shm-usage"])
            // What it would ask its makers for.
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", self.path().display()))
            .env("HOME", self.path());
    }

    /// The processes that have this profile as their home: the browser's, and those that it started.
    fn processes(&self) -> Vec<Pid> {
        let home = format!("HOME={}", self.path().display());
        let is_ours = |id: &i32| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == home.as_bytes())
        };
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(is_ours).filter_map(Pid::from_raw).collect()
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        if poll(LEAVE, || self.processes().is_empty().then_some(())).is_none() {
            let left = self.processes();
            eprintln!("processes of chromium did not end in {LEAVE:?}: {left:?}");
            for process in left {
                let _gone_already = kill_process(process, Signal::KILL);
            }
        }
    }
}

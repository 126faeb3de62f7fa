//! Programs of others, which the `setup.sh` beside the tests that need them fetches.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the `setup.sh` of a folder, which installs what is not there yet, and tells the folder that it prints. Callers keep that.
///
/// # Panics
///
/// It fails; with what it said.
pub fn installed_by(folder: &Path) -> PathBuf {
    let script = folder.join("setup.sh");
    let setup =
        Command::new(&script).output().unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    let said = String::from_utf8_lossy(&setup.stderr);
    assert!(setup.status.success(), "{} could not install what is needed:\n{said}", script.display());
    PathBuf::from(String::from_utf8(setup.stdout).unwrap().trim_end())
}

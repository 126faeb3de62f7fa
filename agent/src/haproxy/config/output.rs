//! Where the parts go: all to standard output, or each to a file of its own.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use service::exit;

use super::fault::ConfigFault;
use super::part::Part;

/// Why the lines could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The options cannot be met.
    #[error(transparent)]
    Fault(#[from] ConfigFault),
    /// Nothing was written, since these are there.
    #[error("--out: {} is there already; name another folder, or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

impl OutputError {
    /// What the program ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Fault(_) | Self::Exists(_) => exit::USAGE,
            Self::File { .. } => exit::FAILURE,
        }
    }
}

/// All parts, each below a comment that says where it goes.
pub(super) fn as_text(parts: &[Part]) -> String {
    let texts: Vec<_> = parts.iter().map(|part| format!("# ==== {}:\n{}", part.place, part.text)).collect();
    texts.join("\n")
}

/// A file for each part; what to do with them.
pub(super) fn into_files(parts: &[Part], folder: &Path, is_forced: bool) -> Result<String, OutputError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |error| OutputError::File { path, error }
    };
    let paths: Vec<_> = parts.iter().map(|part| folder.join(part.file)).collect();
    if !is_forced && let Some(path) = paths.iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(OutputError::Exists(path.clone()));
    }
    fs::create_dir_all(folder).map_err(file(folder))?;
    let mut told = String::new();
    for (part, path) in parts.iter().zip(&paths) {
        if is_forced {
            fs::write(path, &part.text).map_err(file(path))?;
        } else {
            // A file that came meanwhile is not replaced either.
            let mut new = OpenOptions::new().write(true).create_new(true).open(path).map_err(file(path))?;
            new.write_all(part.text.as_bytes()).map_err(file(path))?;
        }
        told.push_str(&format!("{}: {}\n", path.display(), part.place));
    }
    Ok(told)
}

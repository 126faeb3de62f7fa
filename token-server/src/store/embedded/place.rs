//! Where the store's file is, and that it is still there.
//!
//! Beside the file lies a marker, `<file>.exists`, with the name of the store: a file that vanished must not look like a
//! store that never was, and begin anew without its rules. Where the marker cannot be written, as beside a file that was
//! mounted alone, there is none, and the file is all that is known.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use service::listening;

use super::tables::FILE_MODE;
use crate::store::{Fault, StoreError};

/// Whether a store may begin without the rules that were there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// A file is made only where none ever was.
    WhereNoneWas,
    /// A file is made where there is none, or an empty one, and one of another store is taken, as the operator says.
    Anew,
}

/// The file, as it was opened.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
    /// Whether it was made just now.
    is_new: bool,
}

impl Place {
    /// Opens the file, or makes it where that may be.
    pub(super) fn open(path: &Path, beginning: Beginning) -> Result<(File, Self), StoreError> {
        let failed = |cause| StoreError::Open { path: path.into(), cause };
        let (file, is_new) = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => (file, false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if beginning == Beginning::WhereNoneWas && marked(path)?.is_some() {
                    return Err(StoreError::Vanished { path: path.into() });
                }
                let mut new = OpenOptions::new();
                new.read(true).write(true).create_new(true).mode(FILE_MODE);
                (new.open(path).map_err(failed)?, true)
            }
            Err(error) => return Err(failed(error)),
        };
        let found = file.metadata().map_err(failed)?;
        if !is_new && found.is_file() && found.len() == 0 && beginning == Beginning::WhereNoneWas {
            return Err(StoreError::Empty { path: path.into() });
        }
        Ok((file, Self { path: path.into(), identity: (found.dev(), found.ino()), is_new }))
    }

    /// Whether the file is there with something in it, or may be made. Nothing is changed.
    pub(super) fn examine(path: &Path, beginning: Beginning) -> Result<bool, StoreError> {
        let failed = |cause| StoreError::Open { path: path.into(), cause };
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => {
                let is_empty = file.metadata().map_err(failed)?.len() == 0;
                if is_empty && beginning == Beginning::WhereNoneWas {
                    return Err(StoreError::Empty { path: path.into() });
                }
                Ok(!is_empty)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if beginning == Beginning::WhereNoneWas && marked(path)?.is_some() {
                    return Err(StoreError::Vanished { path: path.into() });
                }
                listening::writable(folder(path)).map_err(failed)?;
                Ok(false)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Leaves the marker, or holds the store's name against it.
    pub(super) fn mark(&self, store_id: &str, beginning: Beginning) -> Result<(), StoreError> {
        match marked(&self.path)? {
            Some(marked) if marked == store_id => return Ok(()),
            Some(_) if beginning == Beginning::WhereNoneWas => {
                return Err(StoreError::AnotherStore { path: self.path.clone() });
            }
            Some(_) | None => {}
        }
        if let Err(error) = write_marker(&self.path, store_id) {
            tracing::warn!(
                %error,
                "the marker beside the store cannot be written: if the file vanishes, the next start cannot find out"
            );
        }
        Ok(())
    }

    /// Takes a file away again that was made just now and holds nothing.
    pub(super) fn abandon(&self) {
        if self.is_new {
            // It stays, and the next start tells that it is empty.
            fs::remove_file(&self.path).ok();
        }
    }

    /// What is wrong with the file, if it is no longer the one that was opened.
    pub(super) fn fault(&self) -> Option<Fault> {
        let is_it = fs::metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        (!is_it).then(|| Fault::FileGone { path: self.path.clone() })
    }
}

fn marker(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".exists");
    name.into()
}

/// The name of the store that was here, if one was.
fn marked(path: &Path) -> Result<Option<String>, StoreError> {
    let marker = marker(path);
    match fs::read_to_string(&marker) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(StoreError::Open { path: marker, cause }),
    }
}

/// Writes the marker, and makes it and the file's own name durable.
fn write_marker(path: &Path, store_id: &str) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(marker(path))?;
    file.write_all(format!("{store_id}\n").as_bytes())?;
    file.sync_all()?;
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

//! The file of keys while a command works on it: read strictly, locked, and replaced whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::refused;
use crate::api_keys::list::KeyList;
use crate::cli::error::CliError;

/// What a new file may be used for: its owner reads and writes it.
const OWN: u32 = 0o600;
/// What is kept of the permissions of a file that is replaced: never any for all users.
const KEPT: u32 = 0o660;

/// What becomes of a file that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Refuse,
    Make,
}

/// A file that no other command changes meanwhile.
pub(super) struct Held {
    path: PathBuf,
    text: String,
    list: KeyList,
    /// The lock lives as long as this, and leaves nothing behind.
    folder: File,
}

impl Held {
    /// Waits for other commands, and reads the file.
    pub(super) fn open(path: PathBuf, missing: Missing) -> Result<Self, CliError> {
        // A link is followed, so that what it names is replaced, and not the link.
        let path = fs::canonicalize(&path).unwrap_or(path);
        let failed = |cause| CliError::File { path: path.clone(), cause };
        let folder = File::open(folder_of(&path)).map_err(failed)?;
        folder.lock().map_err(failed)?;
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && missing == Missing::Make => {
                String::new()
            }
            read => read.map_err(failed)?,
        };
        let list = KeyList::parse(text.as_bytes())
            .map_err(|error| CliError::File { path: path.clone(), cause: io::Error::other(error) })?;
        Ok(Self { path, text, list, folder })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn list(&self) -> &KeyList {
        &self.list
    }

    /// Puts another text in its place, at once and for good, unless it says the same or cannot be read.
    pub(super) fn replace(&self, text: &str) -> Result<(), CliError> {
        let list = KeyList::parse(text.as_bytes());
        if list.as_ref().is_ok_and(|list| list.keys().len().abs_diff(self.list.keys().len()) != 1) {
            let why = "has its tables in a form that this command cannot change; change it with an editor";
            return Err(refused("--file", why));
        }
        list.map_err(|error| refused("NAME, --claim", &format!("cannot be written: {error}")))?;
        self.write(text).map_err(|cause| CliError::File { path: self.path.clone(), cause })
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = self.path.with_file_name(name);
        // Of a command that was killed; the lock tells that none is at work.
        if let Err(error) = fs::remove_file(&new)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let written = self.write_new(&new, text).and_then(|()| fs::rename(&new, &self.path));
        if written.is_err() {
            fs::remove_file(&new).ok();
        }
        written.and_then(|()| self.folder.sync_all())
    }

    /// With the owner and the permissions of the file that it replaces: another user may be the one who reads it.
    fn write_new(&self, new: &Path, text: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(OWN).open(new)?;
        file.write_all(text.as_bytes())?;
        match fs::metadata(&self.path) {
            Ok(old) => {
                let own = file.metadata()?;
                if (old.uid(), old.gid()) != (own.uid(), own.gid()) {
                    fchown(&file, Some(old.uid()), Some(old.gid()))?;
                }
                file.set_permissions(Permissions::from_mode(old.permissions().mode() & KEPT))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        file.sync_all()
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

//! The embedded store: one redb file. Every write is on disk before it returns.
//!
//! ```text
//! rules     (group, canonical JSON)             -> (expireAt, revision)
//! ends      (expireAt, group, canonical JSON)   -> ()        rules that end, in the order of their ends
//! counters  "format" | "revision"               -> number
//! texts     "store_id"                          -> random hexadecimal, made with the file
//! annotations, audit                            as `annotations.rs` and `trail.rs` say
//! ```
//!
//! All calls of [`EmbeddedStore`] block; the [`Store`](super::Store) of an `Arc` of it runs them beside the runtime.

mod annotations;
mod change;
mod opening;
mod place;
mod shared;
mod tables;
#[cfg(test)]
mod tests;
mod trail;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, WriteTransaction};

pub use annotations::EmbeddedAnnotations;
pub use place::Beginning;

use self::place::Place;
use self::tables::{COUNTERS, ENDS, PURGE_BATCH, RULES, begin, of_group, stored, write};
use super::{Condition, Cursor, Page, StoreError, StoredRule};

/// An open store file, locked against other processes.
pub struct EmbeddedStore {
    database: Database,
    place: Place,
    path: PathBuf,
    store_id: Arc<str>,
}

impl EmbeddedStore {
    /// Opens the file, or makes it where none ever was.
    ///
    /// # Errors
    /// As [`open_as`](Self::open_as).
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_as(path, Beginning::WhereNoneWas)
    }

    /// Opens the file, or makes it where it may begin.
    ///
    /// # Errors
    /// [`StoreError`] with a cure; a file that cannot be understood is left as it is.
    pub fn open_as(path: &Path, beginning: Beginning) -> Result<Self, StoreError> {
        let (file, place) = Place::open(path, beginning)?;
        let database = opening::open(file, path).inspect_err(|_| place.abandon())?;
        let store_id: Arc<str> = Arc::from(opening::prepare(&database, path)?);
        place.mark(&store_id, beginning)?;
        let store = Self { database, place, path: path.into(), store_id };
        store.read_through()?;
        Ok(store)
    }

    /// What opening the file would come to, in a word, while another process may use it: nothing is changed.
    ///
    /// # Errors
    /// As [`open_as`](Self::open_as), as far as it can be told so.
    pub fn examine(path: &Path, beginning: Beginning) -> Result<&'static str, StoreError> {
        if !Place::examine(path, beginning)? {
            return Ok("will be made");
        }
        opening::examine(path)
    }

    /// What may cost rules though the file can be read.
    pub fn condition(&self) -> Condition {
        Condition { fault: self.place.fault(), emptied: 0 }
    }

    /// The random name that the file got when it was made.
    pub fn store_id(&self) -> Arc<str> {
        Arc::clone(&self.store_id)
    }

    /// Grows with every write, and survives the process.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn revision(&self) -> Result<u64, StoreError> {
        self.read(revision)
    }

    /// Up to `limit` names of groups in their order, after the name `after`, and whether more follow.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn groups(&self, after: Option<&str>, limit: usize) -> Result<(Vec<String>, bool), StoreError> {
        self.read(|transaction| {
            let rules = transaction.open_table(RULES)?;
            let mut names: Vec<String> = Vec::new();
            let mut next = after.map_or_else(String::new, beyond);
            while let Some(row) = rules.range((next.as_str(), "")..)?.next() {
                if names.len() == limit {
                    return Ok((names, true));
                }
                let name = row?.0.value().0.to_owned();
                next = beyond(&name);
                names.push(name);
            }
            Ok((names, false))
        })
    }

    /// The rules of one group.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn group(&self, group: &str) -> Result<Vec<StoredRule>, StoreError> {
        self.read(|transaction| of_group(&transaction.open_table(RULES)?, group))
    }

    /// Up to `limit` rules of a group in the order of their texts, from the place `after` on.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn page(&self, group: &str, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let from = after.map_or_else(String::new, |after| beyond(&String::from_utf8_lossy(after.text())));
        self.read(|transaction| {
            let mut rules: Vec<StoredRule> = Vec::new();
            for row in transaction.open_table(RULES)?.range((group, from.as_str())..)? {
                let (key, value) = row?;
                if key.value().0 != group {
                    break;
                }
                if rules.len() == limit {
                    let next = rules.last().map(|last| Cursor::after(0.0, last.json.as_str()));
                    return Ok(Page { rules, next });
                }
                rules.push(stored(key.value(), value.value()));
            }
            Ok(Page { rules, next: None })
        })
    }

    /// Removes some of the rules that have ended at `now` (unix seconds) and returns how many; none are left when it
    /// returns 0. The revision stays: rules that have ended decide nothing.
    ///
    /// # Errors
    /// The file cannot be written; then nothing changed.
    pub fn purge(&self, now: i64) -> Result<usize, StoreError> {
        let ended = self.read(|transaction| {
            let mut ended = Vec::new();
            let until = (now.saturating_add(1), "", "");
            for row in transaction.open_table(ENDS)?.range(..until)?.take(PURGE_BATCH) {
                let (key, _) = row?;
                let (_, group, json) = key.value();
                ended.push((group.to_owned(), json.to_owned()));
            }
            Ok(ended)
        })?;
        if ended.is_empty() {
            return Ok(0);
        }
        self.write(|transaction| {
            for (group, json) in &ended {
                remove(transaction, group, json)?;
            }
            Ok(())
        })?;
        Ok(ended.len())
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let transaction = self.database.begin_read().map_err(|error| failed(error.into()))?;
        work(&transaction).map_err(failed)
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        // Before, so that nothing is written in vain; after, since it may have gone meanwhile.
        self.is_in_place()?;
        let written = write(&self.database, work).map_err(failed)?;
        self.is_in_place()?;
        Ok(written)
    }

    /// The same for work that says whether it changed anything; if not, nothing is written.
    fn write_if<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(T, bool), redb::Error>,
    ) -> Result<T, StoreError> {
        self.is_in_place()?;
        let transaction = begin(&self.database).map_err(failed)?;
        let (done, changed) = work(&transaction).map_err(failed)?;
        if !changed {
            transaction.abort().map_err(|error| failed(error.into()))?;
            return Ok(done);
        }
        transaction.commit().map_err(|error| failed(error.into()))?;
        self.is_in_place()?;
        Ok(done)
    }

    fn is_in_place(&self) -> Result<(), StoreError> {
        self.place.fault().map_or(Ok(()), |fault| Err(StoreError::Unreliable(fault)))
    }

    /// Reads every rule once: a file that opens may still be damaged where it was not read yet.
    fn read_through(&self) -> Result<(), StoreError> {
        let read = self.read(|transaction| {
            for row in transaction.open_table(RULES)?.iter()? {
                let (key, value) = row?;
                stored(key.value(), value.value());
            }
            Ok(())
        });
        read.map_err(|error| StoreError::Damaged { path: self.path.clone(), cause: error.to_string() })
    }
}

fn failed(error: redb::Error) -> StoreError {
    StoreError::Failed(Box::new(error))
}

/// The first name after this one.
fn beyond(name: &str) -> String {
    format!("{name}\0")
}

fn remove(transaction: &WriteTransaction, group: &str, json: &str) -> Result<bool, redb::Error> {
    let mut rules = transaction.open_table(RULES)?;
    let Some(old) = rules.remove((group, json))?.map(|old| old.value()) else {
        return Ok(false);
    };
    transaction.open_table(ENDS)?.remove((old.0, group, json))?;
    Ok(true)
}

fn revision(transaction: &ReadTransaction) -> Result<u64, redb::Error> {
    Ok(transaction.open_table(COUNTERS)?.get("revision")?.map_or(0, |revision| revision.value()))
}

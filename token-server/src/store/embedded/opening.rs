//! Opening the store's file: what is in it, and what it gets when it is new.

use std::fs::File;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{
    Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase as _, ReadableTable as _, TableHandle as _,
};

use super::tables::{ANNOTATIONS, AUDIT, COUNTERS, ENDS, RULES, TEXTS, write};
use crate::store::{StoreError, random_name};

pub(super) const FORMAT: u64 = 1;

/// Opens the file as a database, and looks through all of it.
pub(super) fn open(file: File, path: &Path) -> Result<Database, StoreError> {
    let mut builder = Database::builder();
    // Without this, a damaged page is met later, by a panic.
    builder.set_check_integrity_on_open(true);
    FileBackend::new(file).and_then(|file| builder.create_with_backend(file)).map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::Locked { path: path.into() },
        other => StoreError::Damaged { path: path.into(), cause: other.to_string() },
    })
}

/// Makes the tables of a new file, checks the format of an old one, and returns the store's name.
pub(super) fn prepare(database: &Database, path: &Path) -> Result<String, StoreError> {
    let damaged = |error: redb::Error| StoreError::Damaged { path: path.into(), cause: error.to_string() };
    match found_format(database).map_err(damaged)? {
        Found::Nothing | Found::Format(FORMAT) => {}
        Found::Format(found) => {
            return Err(StoreError::Format { path: path.into(), found, expected: FORMAT });
        }
        Found::Foreign => {
            return Err(StoreError::Damaged {
                path: path.into(),
                cause: "a database of another program".into(),
            });
        }
    }
    let fresh = random_name()?;
    write(database, |transaction| {
        transaction.open_table(RULES)?;
        transaction.open_table(ENDS)?;
        transaction.open_table(ANNOTATIONS)?;
        transaction.open_table(AUDIT)?;
        transaction.open_table(COUNTERS)?.insert("format", FORMAT)?;
        let mut texts = transaction.open_table(TEXTS)?;
        let known = texts.get("store_id")?.map(|id| id.value().to_owned());
        if known.is_none() {
            texts.insert("store_id", fresh.as_str())?;
        }
        Ok(known.unwrap_or(fresh))
    })
    .map_err(damaged)
}

/// What opening a file with something in it would come to, in a word.
pub(super) fn examine(path: &Path) -> Result<&'static str, StoreError> {
    match ReadOnlyDatabase::open(path) {
        Ok(_) => Ok("is there"),
        Err(DatabaseError::DatabaseAlreadyOpen) => Ok("is in use, perhaps by the server that runs now"),
        Err(DatabaseError::RepairAborted) => Ok("was not closed in order; the start will look through it"),
        Err(other) => Err(StoreError::Damaged { path: path.into(), cause: other.to_string() }),
    }
}

enum Found {
    Nothing,
    Format(u64),
    Foreign,
}

fn found_format(database: &Database) -> Result<Found, redb::Error> {
    let transaction = database.begin_read()?;
    let tables: Vec<String> = transaction.list_tables()?.map(|table| table.name().to_owned()).collect();
    if tables.is_empty() {
        return Ok(Found::Nothing);
    }
    if !tables.iter().any(|table| table == COUNTERS.name()) {
        return Ok(Found::Foreign);
    }
    let format = transaction.open_table(COUNTERS)?.get("format")?.map(|format| format.value());
    Ok(format.map_or(Found::Foreign, Found::Format))
}

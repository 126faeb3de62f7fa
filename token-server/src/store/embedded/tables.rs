//! The tables of the file, and what every change of them does.

use redb::{Database, Durability, ReadableTable, TableDefinition, WriteTransaction};
use rules::ExpireAt;

use crate::store::StoredRule;

pub(super) type RuleKey = (&'static str, &'static str);
pub(super) type RuleValue = (i64, u64);
pub(super) const RULES: TableDefinition<'_, (&str, &str), (i64, u64)> = TableDefinition::new("rules");
pub(super) const ENDS: TableDefinition<'_, (i64, &str, &str), ()> = TableDefinition::new("ends");
pub(super) const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");
pub(super) const TEXTS: TableDefinition<'_, &str, &str> = TableDefinition::new("texts");

/// Rules names subjects, which other users of this machine may not read.
pub(super) const FILE_MODE: u32 = 0o600;

/// Rules that one purge removes, so that writers do not wait long behind it.
pub(super) const PURGE_BATCH: usize = 1_000;
pub(super) const ANNOTATIONS: TableDefinition<'_, (&str, &str), (i64, &str)> =
    TableDefinition::new("annotations");
pub(super) const AUDIT: TableDefinition<'_, (u64, u64), &str> = TableDefinition::new("audit");

pub(super) fn write<T>(
    database: &Database,
    work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
) -> Result<T, redb::Error> {
    let transaction = begin(database)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

pub(super) fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    Ok(transaction)
}

pub(super) fn last_revision(transaction: &WriteTransaction) -> Result<u64, redb::Error> {
    Ok(transaction.open_table(COUNTERS)?.get("revision")?.map_or(0, |revision| revision.value()))
}

/// Counts a change of what tokens are held against.
pub(super) fn next_revision(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    let revision = last_revision(transaction)?.saturating_add(1);
    transaction.open_table(COUNTERS)?.insert("revision", revision)?;
    Ok(())
}

pub(super) fn stored((group, json): (&str, &str), (seconds, revision): (i64, u64)) -> StoredRule {
    StoredRule {
        group: group.to_owned(),
        json: json.to_owned(),
        expire_at: ExpireAt::from_seconds(seconds),
        revision: Some(revision),
    }
}

/// The rules of one group.
pub(super) fn of_group(
    rules: &impl ReadableTable<RuleKey, RuleValue>,
    group: &str,
) -> Result<Vec<StoredRule>, redb::Error> {
    let mut found = Vec::new();
    for row in rules.range((group, "")..)? {
        let (key, value) = row?;
        if key.value().0 != group {
            break;
        }
        found.push(stored(key.value(), value.value()));
    }
    Ok(found)
}

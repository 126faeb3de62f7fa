//! Rows of rules, one or many in a transaction.

use redb::{ReadableTable, Table, WriteTransaction};
use rules::ExpireAt;

use super::{ENDS, EmbeddedStore, RULES, next_revision, stored};
use crate::store::{NewRule, StoreError, StoredRule};

type RuleKey = (&'static str, &'static str);
type RuleValue = (i64, u64);

/// The tables that a written rule stands in.
pub(super) struct Tables<'t> {
    rules: Table<'t, RuleKey, RuleValue>,
    ends: Table<'t, (i64, &'static str, &'static str), ()>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self { rules: transaction.open_table(RULES)?, ends: transaction.open_table(ENDS)? })
    }

    /// Writes one rule. Returns the end that it had.
    pub(super) fn insert(
        &mut self,
        group: &str,
        json: &str,
        expire_at: ExpireAt,
        revision: u64,
    ) -> Result<Option<ExpireAt>, redb::Error> {
        let old = self.rules.insert((group, json), (expire_at.as_seconds(), revision))?;
        let old = old.map(|old| old.value().0);
        if let Some(seconds) = old {
            self.ends.remove((seconds, group, json))?;
        }
        if let ExpireAt::At(seconds) = expire_at {
            self.ends.insert((seconds, group, json), ())?;
        }
        Ok(old.map(ExpireAt::from_seconds))
    }
}

impl EmbeddedStore {
    /// Writes rules one after the other, in one transaction. Returns the ends that they had.
    ///
    /// # Errors
    /// The file cannot be written; then nothing changed.
    pub fn put_all(&self, rules: &[NewRule]) -> Result<Vec<Option<ExpireAt>>, StoreError> {
        self.write(|transaction| {
            let revision = next_revision(transaction)?;
            let mut tables = Tables::open(transaction)?;
            rules
                .iter()
                .map(|rule| tables.insert(&rule.group, &rule.json, rule.expire_at, revision))
                .collect()
        })
    }

    /// The rules of several groups, in the order of the names.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn several(&self, groups: &[String]) -> Result<Vec<Vec<StoredRule>>, StoreError> {
        self.read(|transaction| {
            let rules = transaction.open_table(RULES)?;
            groups.iter().map(|group| of_group(&rules, group)).collect()
        })
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

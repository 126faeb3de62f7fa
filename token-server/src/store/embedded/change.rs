//! Changes of rules: rows of rules, of annotations and of the audit trail, in one transaction.

use std::collections::BTreeSet;

use redb::{ReadableTable, Table, WriteTransaction};
use rules::ExpireAt;

use super::EmbeddedStore;
use super::tables::{ANNOTATIONS, ENDS, RULES, RuleKey, RuleValue, last_revision, next_revision, of_group};
use super::trail::Trail;
use crate::store::annotations::{Annotation, parse};
use crate::store::{Batch, Change, Clearing, Outcome, Standing, StoreError, StoredRule};

/// The tables that a rule stands in.
struct Tables<'t> {
    rules: Table<'t, RuleKey, RuleValue>,
    ends: Table<'t, (i64, &'static str, &'static str), ()>,
    annotations: Table<'t, RuleKey, (i64, &'static str)>,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            rules: transaction.open_table(RULES)?,
            ends: transaction.open_table(ENDS)?,
            annotations: transaction.open_table(ANNOTATIONS)?,
        })
    }

    /// How a rule stands.
    fn standing(&self, group: &str, json: &str) -> Result<Option<Standing>, redb::Error> {
        let enforced = self.rules.get((group, json))?.map(|value| ExpireAt::from_seconds(value.value().0));
        let known = self.annotations.get((group, json))?;
        let known = known.and_then(|known| parse(String::new(), String::new(), known.value().1.as_bytes()));
        Ok(Standing::of(enforced, known.map(|known| known.annotation)))
    }

    /// The texts of a group's rules, enforced or tried, and of what is known of others.
    fn texts(&self, group: &str) -> Result<BTreeSet<String>, redb::Error> {
        let mut texts: BTreeSet<String> =
            of_group(&self.rules, group)?.into_iter().map(|stored| stored.json).collect();
        for row in self.annotations.range((group, "")..)? {
            let (key, _) = row?;
            if key.value().0 != group {
                break;
            }
            texts.insert(key.value().1.to_owned());
        }
        Ok(texts)
    }

    /// Makes a rule stand so, or not at all.
    fn set(&mut self, change: &Change, revision: u64) -> Result<(), redb::Error> {
        let key = (change.group.as_str(), change.json.as_str());
        let old = self.rules.remove(key)?.map(|old| old.value().0);
        if let Some(seconds) = old {
            self.ends.remove((seconds, key.0, key.1))?;
        }
        if let Some(enforced) = change.to.as_ref().filter(|to| to.is_enforced()) {
            self.rules.insert(key, (enforced.expire_at, revision))?;
            if let ExpireAt::At(seconds) = enforced.end() {
                self.ends.insert((seconds, key.0, key.1), ())?;
            }
        }
        match change.to.as_ref().and_then(Standing::annotation) {
            Some(annotation) => self.annotate(key, &annotation),
            None => self.annotations.remove(key).map(drop).map_err(redb::Error::from),
        }
    }

    fn annotate(&mut self, key: (&str, &str), annotation: &Annotation) -> Result<(), redb::Error> {
        self.annotations.insert(key, (annotation.expire_at, annotation.to_json().as_str()))?;
        Ok(())
    }
}

impl EmbeddedStore {
    /// Makes changes one after the other, in one transaction. Answers what came of each.
    ///
    /// # Errors
    /// The file cannot be written; then nothing changed.
    pub fn change(&self, batch: &Batch) -> Result<Vec<Outcome>, StoreError> {
        self.write_if(|transaction| make(transaction, batch))
    }

    /// Removes every rule of a group, in one transaction. Answers what came of each.
    ///
    /// # Errors
    /// The file cannot be written; then nothing changed.
    pub fn clear(&self, clearing: &Clearing) -> Result<Vec<Outcome>, StoreError> {
        self.write_if(|transaction| {
            let texts = Tables::open(transaction)?.texts(&clearing.group)?;
            make(transaction, &clearing.of(texts))
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

/// What came of each change, and whether any was made.
fn make(transaction: &WriteTransaction, batch: &Batch) -> Result<(Vec<Outcome>, bool), redb::Error> {
    let mut outcomes = Vec::with_capacity(batch.changes.len());
    let concerns_tokens = |outcome: &Outcome| {
        let record = outcome.made();
        record.is_some_and(|record| {
            [&record.before, &record.after].into_iter().flatten().any(Standing::is_enforced)
        })
    };
    let revision = last_revision(transaction)?.saturating_add(1);
    let mut tables = Tables::open(transaction)?;
    let mut trail = Trail::open(transaction)?;
    for change in &batch.changes {
        let before = tables.standing(&change.group, &change.json)?;
        outcomes.push(match change.record(batch, before) {
            Ok(record) => {
                tables.set(change, revision)?;
                Outcome::Made(trail.append(batch.at, record)?)
            }
            Err(unmade) => unmade.into(),
        });
    }
    if outcomes.iter().any(concerns_tokens) {
        next_revision(transaction)?;
    }
    let made = outcomes.iter().any(|outcome| outcome.made().is_some());
    Ok((outcomes, made))
}

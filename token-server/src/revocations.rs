//! Writes of rules: first the store, then the memory, in one order for all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rules::{ExpireAt, Rule, RuleEntry};

use crate::rulebook::Rulebook;
use crate::store::{EmbeddedStore, StoreError, StoredRule};

/// Rules of one group. A check looks at those that share a value with the token, and at those without an equality.
pub const MAX_RULES_PER_GROUP: usize = 10_000;

/// The rules: durable in the store, and parsed in memory for the checks.
pub struct Revocations {
    /// Held for a whole write, so that the memory follows in the store's order.
    store: Mutex<EmbeddedStore>,
    book: Rulebook,
    store_id: String,
}

impl Revocations {
    /// Reads all rules of the store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn load(store: EmbeddedStore) -> Result<Self, StoreError> {
        let (revision, rules) = store.load()?;
        let store_id = store.store_id().to_owned();
        Ok(Self { book: Rulebook::new(revision, rules), store_id, store: Mutex::new(store) })
    }

    /// The rules as the checks see them.
    pub fn book(&self) -> &Rulebook {
        &self.book
    }

    /// The name of the store, for those who ask several servers.
    pub fn store_id(&self) -> &str {
        &self.store_id
    }

    /// Writes a rule. When this returns, the rule is on disk and every check that starts sees it.
    ///
    /// # Errors
    /// The group is full or the store cannot be written; then nothing changed.
    pub async fn add(
        self: &Arc<Self>,
        group: String,
        rule: Rule,
        expire_at: ExpireAt,
    ) -> Result<StoredRule, StoreError> {
        self.blocking(move |this| {
            let store = this.lock();
            if !this.book.has_room(&group, &rule, MAX_RULES_PER_GROUP) {
                return Err(StoreError::GroupFull { max: MAX_RULES_PER_GROUP });
            }
            this.book.admits(&group, &rule)?;
            let json = rule.canonical().to_owned();
            let revision = store.put(&group, &json, expire_at)?;
            this.book.put(revision, &group, RuleEntry { rule, expire_at });
            Ok(StoredRule { group, json, expire_at, revision })
        })
        .await
    }

    /// Removes one rule by its text in the store; tells whether it was there.
    ///
    /// # Errors
    /// The store cannot be written; then nothing changed.
    pub async fn remove(self: &Arc<Self>, group: String, json: String) -> Result<bool, StoreError> {
        self.blocking(move |this| {
            let store = this.lock();
            let Some(revision) = store.remove(&group, &json)? else {
                return Ok(false);
            };
            this.book.remove(revision, &group, &json);
            Ok(true)
        })
        .await
    }

    /// Removes every rule of a group; tells how many there were.
    ///
    /// # Errors
    /// The store cannot be written; then nothing changed.
    pub async fn remove_group(self: &Arc<Self>, group: String) -> Result<usize, StoreError> {
        self.blocking(move |this| {
            let store = this.lock();
            let Some((removed, revision)) = store.remove_group(&group)? else {
                return Ok(0);
            };
            this.book.remove_group(revision, &group);
            Ok(removed)
        })
        .await
    }

    /// The rules of a group as the store has them, and the revision at which they were read.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list(self: &Arc<Self>, group: String) -> Result<(u64, Vec<StoredRule>), StoreError> {
        self.blocking(move |this| this.lock().group(&group)).await
    }

    /// Removes all rules that have ended at `now` (unix seconds), some at a time, so that writers get their turn.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn purge(self: &Arc<Self>, now: i64) -> Result<usize, StoreError> {
        let mut purged = 0;
        loop {
            let count = self
                .blocking(move |this| {
                    let store = this.lock();
                    let mut groups = store.purge(now)?;
                    let count = groups.len();
                    groups.sort_unstable();
                    groups.dedup();
                    for group in &groups {
                        this.book.remove_ended(group, now);
                    }
                    Ok(count)
                })
                .await?;
            if count == 0 {
                return Ok(purged);
            }
            purged += count;
        }
    }

    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let this = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&this)).await.unwrap_or(Err(StoreError::Stopping))
    }

    fn lock(&self) -> MutexGuard<'_, EmbeddedStore> {
        // The store's transactions are whole or not at all, whatever happened to an earlier holder.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_group_refuses_a_rule_and_keeps_the_store_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(&folder.path().join("store")).unwrap();
        let full = (0..MAX_RULES_PER_GROUP).map(|number| StoredRule {
            group: "anna".into(),
            json: format!("unreadable {number}"),
            expire_at: ExpireAt::Never,
            revision: 1,
        });
        let revocations = Arc::new(Revocations {
            store_id: store.store_id().to_owned(),
            store: Mutex::new(store),
            book: Rulebook::new(1, full.collect()),
        });
        let rule = || Rule::parse(r#"{"rt":"x"}"#).unwrap();
        let refused = revocations.add("anna".into(), rule(), ExpireAt::Never).await;
        assert!(matches!(refused, Err(StoreError::GroupFull { max: MAX_RULES_PER_GROUP })));
        assert_eq!(revocations.list("anna".into()).await.unwrap().1, []);
        assert!(revocations.add("ben".into(), rule(), ExpireAt::Never).await.is_ok());
    }

    #[tokio::test]
    async fn a_rule_that_makes_checks_too_dear_is_refused_before_it_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(&folder.path().join("store")).unwrap();
        let revocations = Arc::new(Revocations::load(store).unwrap());
        let rule = |number: usize| Rule::parse(&format!(r#"{{"sub":{{"regex":"(?={number})"}}}}"#)).unwrap();
        for number in 0..rules::MAX_BACKTRACKING_PATTERNS {
            revocations.add("anna".into(), rule(number), ExpireAt::Never).await.unwrap();
        }
        let refused = revocations.add("anna".into(), rule(99), ExpireAt::Never).await;
        assert!(matches!(refused, Err(StoreError::RuleRefused(_))));
        assert_eq!(revocations.list("anna".into()).await.unwrap().1.len(), rules::MAX_BACKTRACKING_PATTERNS);
    }
}

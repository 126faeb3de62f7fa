//! Who writes rules: one after the other, and each until the memory has followed the store.

use std::sync::Arc;
use std::time::Duration;

use rules::{ExpireAt, Rule, RuleEntry};
use tokio::sync::MutexGuard;
use tokio::time::{sleep, timeout};

use super::Revocations;
use super::limits::{MAX_RULES_OF_EVERYBODY, MAX_RULES_PER_GROUP};
use super::reading::LOAD_LIMIT;
use crate::rulebook::Group;
use crate::store::{EVERYBODY, StoreError, StoredRule};

/// Ended rules of one group that are taken out of the memory at a time: checks of the group wait meanwhile, 2 microseconds for
/// each, and 8 for rules of the largest size.
pub(super) const REMOVED_AT_ONCE: usize = 250;

/// The time that checks get between two such steps.
pub(super) const REMOVAL_PAUSE: Duration = Duration::from_millis(1);

/// A rule that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// As it is in the store now.
    pub stored: StoredRule,
    /// The end that it had, if it was there.
    pub replaced: Option<ExpireAt>,
}

impl Revocations {
    /// Writes a rule. When this returns, the rule is durable and every check that starts here sees it.
    ///
    /// # Errors
    /// The group is full or can not take this rule, then nothing changed; or the store did not acknowledge, then the rule
    /// may be there or not.
    pub async fn add(
        self: &Arc<Self>,
        group: String,
        rule: Rule,
        expire_at: ExpireAt,
    ) -> Result<Added, StoreError> {
        self.whole(async move |this| {
            let _turn = this.turn().await?;
            this.admits(&group, &rule).await?;
            this.left.doubt();
            let json = rule.canonical().to_owned();
            let written = this.store.put(&group, &json, expire_at).await;
            let revision = match &written {
                Ok(_) => this.amended(&group, |known| known.put(RuleEntry { rule, expire_at })),
                Err(_) => this.changed(&group),
            };
            let stored = StoredRule { group, json, expire_at, revision: Some(revision) };
            written.map(|replaced| Added { stored, replaced })
        })
        .await
    }

    /// A write to its end, whatever becomes of the request: a rule that is in the store must not be missed here.
    pub(super) async fn whole<T: Send + 'static, F>(
        self: &Arc<Self>,
        write: impl FnOnce(Arc<Self>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.tasks.spawn(write(Arc::clone(self))).await.unwrap_or(Err(StoreError::Stopping))
    }

    /// Whether the group, as the store has it now, may take this rule.
    async fn admits(self: &Arc<Self>, group: &str, rule: &Rule) -> Result<(), StoreError> {
        let known = self.known(group).await?;
        let max = self.max_rules(group);
        if !known.has_room(rule, max) {
            return Err(StoreError::GroupFull { max });
        }
        Ok(known.admits(rule)?)
    }

    /// How many rules a group may have.
    pub(super) fn max_rules(&self, group: &str) -> usize {
        if group == EVERYBODY && self.sessions.are_exclusive() {
            MAX_RULES_OF_EVERYBODY
        } else {
            MAX_RULES_PER_GROUP
        }
    }

    /// Removes one rule by its text in the store; tells whether it was there.
    ///
    /// # Errors
    /// The store did not acknowledge; the rule may be there or not.
    pub async fn remove(self: &Arc<Self>, group: String, json: String) -> Result<bool, StoreError> {
        self.whole(async move |this| {
            let _turn = this.turn().await?;
            this.left.doubt();
            let removed = this.store.remove(&group, &json).await;
            match removed {
                Ok(false) => {}
                Ok(true) => _ = this.amended(&group, |known| known.remove(&json)),
                Err(_) => _ = this.changed(&group),
            }
            removed
        })
        .await
    }

    /// Removes every rule of a group; tells how many there were.
    ///
    /// # Errors
    /// The store did not acknowledge; the rules may be there or not.
    pub async fn remove_group(self: &Arc<Self>, group: String) -> Result<usize, StoreError> {
        self.whole(async move |this| {
            let _turn = this.turn().await?;
            this.left.doubt();
            let removed = this.store.remove_group(&group).await;
            if !matches!(removed, Ok(0)) {
                this.changed(&group);
            }
            removed
        })
        .await
    }

    /// Removes all rules that have ended at `now` (unix seconds), some at a time, so that writers get their turn.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn purge(self: &Arc<Self>, now: i64) -> Result<usize, StoreError> {
        let mut purged: usize = 0;
        loop {
            let turn = self.writing.lock().await;
            self.left.doubt();
            let some = self.store.purge(now).await?;
            drop(turn);
            if some == 0 {
                break;
            }
            purged = purged.saturating_add(some);
        }
        if purged > 0 {
            for group in self.book.exclusive() {
                while group.remove_ended(now, REMOVED_AT_ONCE) {
                    sleep(REMOVAL_PAUSE).await;
                }
            }
        }
        Ok(purged)
    }

    /// A group was changed by this process, as `amend` changes what is known of it; see [`Rulebook::amend`].
    fn amended(&self, group: &str, amend: impl FnOnce(&Group) -> bool) -> u64 {
        self.book.amend(group, amend);
        self.untold.told(group);
        self.tell(group)
    }

    /// The right to write. A rule that was answered "not in time" must not be written minutes later.
    pub(super) async fn turn(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        timeout(LOAD_LIMIT, self.writing.lock())
            .await
            .map_err(|_| StoreError::Timeout { milliseconds: LOAD_LIMIT.as_millis() })
    }
}

//! Who writes rules: one after the other, and each until the memory has followed the store.

use std::sync::Arc;
use std::time::Duration;

use rules::{Rule, RuleEntry};
use tokio::sync::MutexGuard;
use tokio::time::{sleep, timeout};

use super::Revocations;
use super::draft::{Act, Draft, Why};
use super::limits::{MAX_RULES_OF_EVERYBODY, MAX_RULES_PER_GROUP};
use super::reading::LOAD_LIMIT;
use super::trail::tell;
use crate::rulebook::Group;
use crate::store::{Change, Clearing, EVERYBODY, Outcome, Provided, Standing, StoreError, StoredRule};

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
    /// How it stood before, if it was there.
    pub replaced: Option<Standing>,
}

impl Revocations {
    /// Writes a rule that revokes, with its note. When this returns, both are durable, the audit trail tells of it, and every
    /// check that starts here sees the rule.
    ///
    /// # Errors
    /// The group is full or can not take this rule, then nothing changed; or the store did not acknowledge, then the rule
    /// may be there or not.
    pub async fn add(self: &Arc<Self>, draft: Draft, act: Act) -> Result<Added, StoreError> {
        self.whole(async move |this| {
            let _turn = this.turn().await?;
            this.admits(&draft.group, &draft.entry.rule).await?;
            let replaced = this.make(draft.change(Provided::Always), &act).await?.before().cloned();
            let Draft { group, entry, .. } = draft;
            let json = entry.rule.canonical().to_owned();
            let revision = Some(this.revision());
            let stored = StoredRule { group, json, expire_at: entry.expire_at, revision };
            Ok(Added { stored, replaced })
        })
        .await
    }

    /// Makes one change in the store, and then in memory. The caller has the turn to write.
    pub(super) async fn make(&self, change: Change, act: &Act) -> Result<Outcome, StoreError> {
        let (group, json, to) = (change.group.clone(), change.json.clone(), change.to.clone());
        self.left.doubt();
        let _trials = self.annotations.turn().await;
        let made = self.store.change(act.batch(vec![change])).await;
        let outcome = match made {
            Ok(mut outcomes) => outcomes.pop().ok_or(StoreError::Stopping)?,
            Err(error) => {
                self.changed(&group);
                self.annotations.outdated();
                return Err(error);
            }
        };
        // What stood so already may have been written elsewhere, and not be known here.
        if !matches!(outcome, Outcome::Refused(_)) {
            self.follow(&group, &json, outcome.before(), to.as_ref());
        }
        tell(std::slice::from_ref(&outcome));
        Ok(outcome)
    }

    /// The store has the rule so: the memory follows, and the feed tells it if tokens are concerned.
    pub(super) fn follow(
        &self,
        group: &str,
        json: &str,
        before: Option<&Standing>,
        after: Option<&Standing>,
    ) {
        let rule = || Rule::parse(json).ok();
        match (after, before) {
            (Some(after), _) if after.is_enforced() => match rule() {
                Some(rule) => {
                    let entry = RuleEntry { rule, expire_at: after.end() };
                    self.amended(group, |known| known.put(entry));
                }
                None => _ = self.changed(group),
            },
            (_, Some(before)) if before.is_enforced() => {
                self.amended(group, |known| known.remove(json));
            }
            (_, _) => {}
        }
        let tried = after.filter(|after| !after.is_enforced());
        match tried.and_then(|tried| Some((rule()?, tried.end()))) {
            Some((rule, end)) => self.annotations.shadows().put(group, rule, end),
            None => self.annotations.shadows().remove(group, json),
        }
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
    pub(super) async fn admits(self: &Arc<Self>, group: &str, rule: &Rule) -> Result<(), StoreError> {
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

    /// Removes one rule, enforced or tried, by its text in the store; tells whether it was there.
    ///
    /// # Errors
    /// The store did not acknowledge; the rule may be there or not.
    pub async fn remove(
        self: &Arc<Self>,
        group: String,
        json: String,
        Why { by, note }: Why,
        act: Act,
    ) -> Result<bool, StoreError> {
        self.whole(async move |this| {
            let _turn = this.turn().await?;
            let provided = Provided::Always;
            let change = Change { group, json, to: None, by, note, undoes: None, provided };
            Ok(this.make(change, &act).await?.made().is_some())
        })
        .await
    }

    /// Removes every rule of a group, enforced or tried; tells how many there were.
    ///
    /// # Errors
    /// The store did not acknowledge; the rules may be there or not.
    pub async fn remove_group(
        self: &Arc<Self>,
        group: String,
        Why { by, note }: Why,
        act: Act,
    ) -> Result<usize, StoreError> {
        self.whole(async move |this| {
            let _turn = this.turn().await?;
            this.left.doubt();
            let _trials = this.annotations.turn().await;
            let (who, at) = (act.who.clone(), act.milliseconds());
            let cleared = this.store.clear(Clearing { who, at, group: group.clone(), by, note }).await;
            match &cleared {
                Ok(outcomes) => {
                    if outcomes.iter().any(|outcome| outcome.before().is_some_and(Standing::is_enforced)) {
                        this.changed(&group);
                    }
                    this.annotations.shadows().remove_group(&group);
                    tell(outcomes);
                }
                Err(_) => {
                    this.changed(&group);
                    this.annotations.outdated();
                }
            }
            Ok(cleared?.iter().filter(|outcome| outcome.made().is_some()).count())
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

//! Rules that are only tried: they are written where those that revoke are, so that both have one order.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Revocations;
use super::draft::{Act, Draft};
use super::trail::tell;
use crate::store::{Change, Outcome, Provided, Standing, StoreError};

/// Rules that may be tried.
#[derive(Default)]
struct Admitted {
    changes: Vec<Change>,
    /// Those that were not tried before, by their groups and texts.
    fresh: BTreeSet<(String, String)>,
    /// For each draft why it was left out, if it was.
    refusals: Vec<Option<StoreError>>,
}

impl Revocations {
    /// Writes rules that are only tried, in one transaction. Answers for each in turn how it stood before, or why it was left
    /// out.
    ///
    /// # Errors
    /// The store did not acknowledge; it may have them all the same.
    pub async fn try_out(
        self: &Arc<Self>,
        drafts: Vec<Draft>,
        act: Act,
    ) -> Result<Vec<Result<Option<Standing>, StoreError>>, StoreError> {
        self.whole(async move |this| {
            let _turn = this.turn().await?;
            this.left.doubt();
            let _trials = this.annotations.turn().await;
            let Admitted { changes, fresh, refusals } = this.admit_trials(&drafts);
            let made = match changes.is_empty() {
                true => Ok(Vec::new()),
                false => this.store.change(act.batch(changes)).await,
            };
            let outcomes = made.inspect_err(|_| {
                fresh.iter().for_each(|(group, json)| this.annotations.shadows().remove(group, json));
                this.annotations.outdated();
            })?;
            tell(&outcomes);
            let mut outcomes = outcomes.iter();
            let outcome = |(draft, refusal): (&Draft, Option<StoreError>)| match refusal {
                Some(refusal) => Err(refusal),
                None => this.tried(draft, outcomes.next()),
            };
            Ok(drafts.iter().zip(refusals).map(outcome).collect())
        })
        .await
    }

    /// Holds each rule against those that are tried, and those before it.
    fn admit_trials(&self, drafts: &[Draft]) -> Admitted {
        let shadows = self.annotations.shadows();
        let mut admitted = Admitted::default();
        for draft in drafts {
            let (group, rule) = (&draft.group, &draft.entry.rule);
            let refusal = self.annotations.admits(group, rule).err();
            if refusal.is_none() {
                if !shadows.tries(group, rule.canonical(), i64::MIN) {
                    admitted.fresh.insert((group.clone(), rule.canonical().to_owned()));
                }
                // The next one is held against it.
                shadows.put(group, rule.clone(), draft.entry.expire_at);
                admitted.changes.push(draft.change(Provided::NotEnforced));
            }
            admitted.refusals.push(refusal);
        }
        admitted
    }

    /// The store's answer: the memory follows.
    fn tried(&self, draft: &Draft, outcome: Option<&Outcome>) -> Result<Option<Standing>, StoreError> {
        let before = outcome.and_then(Outcome::before).cloned();
        let (group, json) = (&draft.group, draft.entry.rule.canonical());
        if matches!(outcome, Some(Outcome::Refused(_))) {
            self.annotations.shadows().remove(group, json);
            return Err(StoreError::Enforced);
        }
        self.follow(group, json, before.as_ref(), Some(&draft.annotation.clone().into()));
        Ok(before)
    }
}

//! The audit trail, backwards: what stood before an entry is written again.

use std::sync::Arc;

use rules::Rule;

use super::draft::{Act, Why};
use super::reading::within;
use super::{Revocations, STORE_LIMIT};
use crate::store::{Change, EntryId, Outcome, Provided, Record, Standing, StoreError};

/// What came of an undoing.
#[derive(Debug)]
pub enum Undone {
    /// What stood before the entry stands again, or stood already.
    Done(Box<Outcome>),
    /// The rule is not as the entry left it, but so.
    NotAsLeft(Option<Standing>),
    /// What stood before is no rule that is understood.
    NoRule,
}

impl Revocations {
    /// The change at this place of the audit trail.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn entry(&self, id: EntryId) -> Result<Option<Record>, StoreError> {
        within(STORE_LIMIT, self.store.entry(id)).await
    }

    /// Writes what stood before an entry, if the rule is as the entry left it or `regardless` of that. What has ended by now
    /// is not written again.
    ///
    /// # Errors
    /// The group cannot take the rule, then nothing changed; or the store did not acknowledge, then the rule may be there or
    /// not.
    pub async fn undo(
        self: &Arc<Self>,
        id: EntryId,
        record: Record,
        why: Why,
        regardless: bool,
        act: Act,
    ) -> Result<Undone, StoreError> {
        self.whole(async move |this| {
            let _turn = this.turn().await?;
            let Record { group, rule, before, after, .. } = record;
            let to = before.filter(|before| !before.end().has_passed(act.seconds()));
            if let Some(to) = &to {
                let Ok(rule) = Rule::parse(rule.as_str()) else { return Ok(Undone::NoRule) };
                if to.is_enforced() {
                    this.admits(&group, &rule).await?;
                } else {
                    this.annotations.admits(&group, &rule)?;
                }
            }
            let provided = if regardless { Provided::Always } else { Provided::StandsAs(after) };
            let Why { by, note } = why;
            let json = rule.as_str().to_owned();
            let change = Change { group, json, to, by, note, undoes: Some(id), provided };
            Ok(match this.make(change, &act).await? {
                Outcome::Refused(stands) => Undone::NotAsLeft(stands),
                done => Undone::Done(Box::new(done)),
            })
        })
        .await
    }
}

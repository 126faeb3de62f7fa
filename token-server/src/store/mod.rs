//! Where rules live durably. Only this folder knows how.

mod annotations;
mod answer;
mod change;
mod condition;
mod cursor;
mod embedded;
mod error;
pub mod redis;
mod standing;
mod trail;

pub use annotations::{AnnotatedRule, Annotation, AnnotationStore, Mode};
pub use answer::Answer;
pub(crate) use change::Unmade;
pub use change::{Batch, Change, Clearing, Outcome, Provided};
pub use condition::{Condition, Fault};
pub use cursor::Cursor;
pub use embedded::{Beginning, EmbeddedAnnotations, EmbeddedStore};
pub use error::StoreError;
pub use jose::EVERYBODY;
pub use standing::Standing;
pub use trail::{Action, Entry, EntryId, Record, RuleText, TrailPage};

use std::sync::Arc;

use rules::ExpireAt;

use crate::random;

/// What the rest of the program needs of a place where rules are kept.
///
/// A write that returns `Ok` is durable as that store understands it. One that returns an error may still have
/// happened, unless the error says otherwise: what is kept in memory must be read again.
pub trait Store: Send + Sync {
    /// The random name of the store; absent until it has been reached once.
    fn store_id(&self) -> Option<Arc<str>>;

    /// The rules of one group as the last writer left them.
    fn group<'a>(&'a self, group: &'a str) -> Answer<'a, Vec<StoredRule>>;

    /// Up to `limit` rules of a group in an order of the store's own, from the place `after` on. It costs what the page
    /// holds, not what the group does. A rule that is there all the time, with one end, is on one page and on no other.
    fn page<'a>(&'a self, group: &'a str, after: Option<&'a Cursor>, limit: usize) -> Answer<'a, Page>;

    /// Up to `limit` names of groups in their order, after the name `after`, and whether more follow.
    fn groups<'a>(&'a self, after: Option<&'a str>, limit: usize) -> Answer<'a, (Vec<String>, bool)>;

    /// The rules of several groups, in the order of the names. What stands in the place of one group is no other's fault.
    fn several(&self, groups: Vec<String>) -> Answer<'_, Vec<Result<Vec<StoredRule>, StoreError>>>;

    /// How many rules several groups have, in the order of the names; a store that others write to tells it at the price of one
    /// question.
    fn sizes(&self, groups: Vec<String>) -> Answer<'_, Vec<Result<usize, StoreError>>> {
        Box::pin(async move {
            let groups = self.several(groups).await?;
            Ok(groups.into_iter().map(|group| group.map(|rules| rules.len())).collect())
        })
    }

    /// Makes changes one after the other, each with its note and the trail's entry, all of them or none. Answers what came of
    /// each.
    ///
    /// A store that takes nothing but removals, since its memory is full, makes those and loses their entries; one whose
    /// keys are on the way to another place makes each change and its entry one after the other.
    fn change(&self, batch: Batch) -> Answer<'_, Vec<Outcome>>;

    /// Removes every rule of a group, as [`change`](Self::change) does it. Answers what came of each.
    fn clear(&self, clearing: Clearing) -> Answer<'_, Vec<Outcome>>;

    /// Up to `limit` entries of the audit trail that are not before `from`, and before `until` if that is given; the newest
    /// first.
    fn trail(&self, from: EntryId, until: Option<EntryId>, limit: usize) -> Answer<'_, TrailPage>;

    /// The change at this place of the audit trail.
    fn entry(&self, id: EntryId) -> Answer<'_, Option<Record>>;

    /// Removes some entries of the audit trail: those before `from`, and the oldest where there are more than `max`. Tells how
    /// many, 0 when no more are to go.
    fn trim(&self, from: EntryId, max: u64) -> Answer<'_, usize>;

    /// Removes some of the rules that have ended at `now` (unix seconds); tells how many, 0 when none are left. A store
    /// that has a clock of its own goes by that.
    fn purge(&self, now: i64) -> Answer<'_, usize>;

    /// The time by the clock of a store that several servers share, unix seconds; absent where there is none, or it is
    /// not told.
    fn now(&self) -> Option<i64> {
        None
    }

    /// What may cost rules though the store answers.
    fn examine(&self) -> Answer<'_, Condition> {
        Box::pin(async { Ok(Condition::default()) })
    }
}

/// A rule as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRule {
    /// Whose tokens it concerns: a subject, or [`EVERYBODY`].
    pub group: String,
    /// The rule's JSON; canonical unless another program wrote it.
    pub json: String,
    /// When it ends.
    pub expire_at: ExpireAt,
    /// The revision that its last write made, in a store that keeps count.
    pub revision: Option<u64>,
}

/// Some rules of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The rules, in the store's order.
    pub rules: Vec<StoredRule>,
    /// Where the next page begins; absent on the last.
    pub next: Option<Cursor>,
}

/// Random bytes in a name: two names never meet by chance.
const NAME_BYTES: usize = 16;

/// A name that nothing else has, in hexadecimal.
pub(crate) fn random_name() -> Result<String, StoreError> {
    random::hex::<NAME_BYTES>().ok_or(StoreError::NoRandomness)
}

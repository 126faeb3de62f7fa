//! The audit trail as operators read it, in the log and in pages, and as it is kept short.

use std::time::Duration;

use jose::UnixTime;

use super::reading::within;
use super::{Revocations, STORE_LIMIT};
use crate::store::{Action, Entry, EntryId, Outcome, Record, StoreError, TrailPage};

/// Entries that the store is asked for at a time, where not all of them are wanted.
const STEP: usize = 1_000;

/// How many of these one request looks at; who wants more asks on from where it ended.
const STEPS: usize = 10;

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct TrailFilter {
    /// Those about rules of this group.
    pub group: Option<String>,
    /// Those of the caller with this name.
    pub who: Option<String>,
    /// Those that did this.
    pub action: Option<Action>,
    /// Those of this time or later.
    pub since: Option<UnixTime>,
    /// Those before this time.
    pub until: Option<UnixTime>,
}

impl Revocations {
    /// Up to `limit` entries of the audit trail, the newest first, before a place. There may be fewer and yet more to come:
    /// the last page alone has no `next`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn trail(
        &self,
        filter: &TrailFilter,
        before: Option<EntryId>,
        limit: usize,
    ) -> Result<TrailPage, StoreError> {
        let from = EntryId::first_at(filter.since.unwrap_or(UnixTime::from_millis(0)));
        let mut until = [before, filter.until.map(EntryId::first_at)].into_iter().flatten().min();
        let step = if filter.takes_all() { limit } else { STEP };
        let mut found: Vec<Entry> = Vec::new();
        for _ in 0..STEPS {
            let page = within(STORE_LIMIT, self.store.trail(from, until, step)).await?;
            for entry in page.entries {
                if !filter.takes(&entry.record) {
                    continue;
                }
                if found.len() == limit {
                    let next = found.last().map(|last| last.id);
                    return Ok(TrailPage { entries: found, next });
                }
                found.push(entry);
            }
            until = page.next;
            if until.is_none() || (found.len() == limit && filter.takes_all()) {
                break;
            }
        }
        Ok(TrailPage { entries: found, next: until })
    }

    /// Removes what is older than `keep` from the audit trail, and the oldest entries where there are more than `max`; tells how
    /// many.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn trim_trail(&self, keep: Duration, max: u64, now: UnixTime) -> Result<usize, StoreError> {
        let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let from = EntryId::first_at(UnixTime::from_millis(now.as_millis().saturating_sub(keep)));
        let mut removed: usize = 0;
        loop {
            match self.store.trim(from, max).await? {
                0 => return Ok(removed),
                some => removed = removed.saturating_add(some),
            }
        }
    }
}

impl TrailFilter {
    fn takes_all(&self) -> bool {
        self.group.is_none() && self.who.is_none() && self.action.is_none()
    }

    fn takes(&self, record: &Record) -> bool {
        self.group.as_ref().is_none_or(|group| *group == record.group)
            && self.who.as_ref().is_none_or(|who| *who == record.who.name)
            && self.action.is_none_or(|action| action == record.action)
    }
}

/// Tells the log of changes that were made.
pub(super) fn tell(outcomes: &[Outcome]) {
    for outcome in outcomes {
        let (id, record) = match outcome {
            Outcome::Made(entry) => (Some(entry.id), &entry.record),
            Outcome::Untold(record) => (None, record),
            Outcome::Unchanged(_) | Outcome::Refused(_) => continue,
        };
        tell_of(id, record);
    }
}

/// One line. Without a place it is all that is left of the entry.
fn tell_of(id: Option<EntryId>, record: &Record) {
    let Record { who, by, note, action, group, rule, before, after, undoes } = record;
    // Texts and numbers have no way to fail.
    let json = |standing| serde_json::to_string(standing).unwrap_or_default();
    let (before, after) = (before.as_ref().map(json), after.as_ref().map(json));
    let (place, undoes) = (id.map(|id| id.to_string()), undoes.map(|undoes| undoes.to_string()));
    let message = match (action, id.is_some()) {
        (Action::Write, true) => "a rule was written",
        (Action::Remove, true) => "a rule was removed",
        (Action::Write, false) => "a rule was written, and its entry in the audit trail is lost",
        (Action::Remove, false) => "a rule was removed, and its entry in the audit trail is lost",
    };
    tracing::info!(
        target: "audit",
        id = place,
        who = who.name,
        kind = who.kind.as_str(),
        by,
        note,
        group,
        rule = rule.as_str(),
        before,
        after,
        undoes,
        "{message}"
    );
}

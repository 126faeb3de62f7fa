//! The audit trail in the embedded store: `audit: (unix milliseconds, number) -> JSON of the change`.

use redb::{ReadableTable as _, ReadableTableMetadata as _, Table, WriteTransaction};

use super::EmbeddedStore;
use super::tables::{AUDIT, PURGE_BATCH};
use crate::store::{Entry, EntryId, Record, StoreError, TrailPage};

/// Entries of one millisecond; what comes then is told of the next, so that places stay in order as texts.
const MAX_PER_MILLISECOND: u64 = 0xffff;

/// The end of the trail, to write.
pub(super) struct Trail<'t> {
    table: Table<'t, (u64, u64), &'static str>,
    last: Option<EntryId>,
}

impl<'t> Trail<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        let table = transaction.open_table(AUDIT)?;
        let last = table.last()?.map(|(key, _)| id(key.value()));
        Ok(Self { table, last })
    }

    /// Adds a change that was made at this time, or after the last one if the clock was set back.
    pub(super) fn append(&mut self, at: u64, record: Record) -> Result<Entry, redb::Error> {
        let id = match self.last {
            Some(last) if last.at >= at && last.number < MAX_PER_MILLISECOND => {
                EntryId { number: last.number.saturating_add(1), ..last }
            }
            Some(last) if last.at >= at => EntryId { at: last.at.saturating_add(1), number: 0 },
            Some(_) | None => EntryId { at, number: 0 },
        };
        self.table.insert((id.at, id.number), record.to_json().as_str())?;
        self.last = Some(id);
        Ok(Entry { id, record })
    }
}

impl EmbeddedStore {
    /// Up to `limit` entries of the audit trail from one place on and before another, the newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn trail(
        &self,
        from: EntryId,
        until: Option<EntryId>,
        limit: usize,
    ) -> Result<TrailPage, StoreError> {
        let end = until.map_or((u64::MAX, u64::MAX), |until| (until.at, until.number));
        let begin = (from.at, from.number);
        if begin >= end {
            return Ok(TrailPage::default());
        }
        self.read(|transaction| {
            let mut page = TrailPage::default();
            for (seen, row) in transaction.open_table(AUDIT)?.range(begin..end)?.rev().enumerate() {
                if seen == limit {
                    return Ok(page);
                }
                let (key, value) = row?;
                let id = id(key.value());
                page.next = Some(id);
                page.entries
                    .extend(Record::parse(value.value().as_bytes()).map(|record| Entry { id, record }));
            }
            Ok(TrailPage { next: None, ..page })
        })
    }

    /// The change at this place of the audit trail.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn entry(&self, id: EntryId) -> Result<Option<Record>, StoreError> {
        self.read(|transaction| {
            let found = transaction.open_table(AUDIT)?.get((id.at, id.number))?;
            Ok(found.and_then(|found| Record::parse(found.value().as_bytes())))
        })
    }

    /// Removes some entries before a place, and the oldest where there are more than `max`.
    ///
    /// # Errors
    /// The file cannot be written; then nothing changed.
    pub fn trim(&self, from: EntryId, max: u64) -> Result<usize, StoreError> {
        let old: Vec<(u64, u64)> = self.read(|transaction| {
            let table = transaction.open_table(AUDIT)?;
            let surplus = usize::try_from(table.len()?.saturating_sub(max)).unwrap_or(usize::MAX);
            let mut old = Vec::new();
            for row in table.iter()?.take(PURGE_BATCH) {
                let place = row?.0.value();
                if old.len() >= surplus && id(place) >= from {
                    break;
                }
                old.push(place);
            }
            Ok(old)
        })?;
        if !old.is_empty() {
            self.write(|transaction| {
                let mut table = transaction.open_table(AUDIT)?;
                for place in &old {
                    table.remove(place)?;
                }
                Ok(())
            })?;
        }
        Ok(old.len())
    }
}

fn id((at, number): (u64, u64)) -> EntryId {
    EntryId { at, number }
}

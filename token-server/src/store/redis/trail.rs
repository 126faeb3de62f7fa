//! The audit trail in Redis: a stream with one field, `entry`, that holds the JSON of the change.

use redis::{RedisResult, cmd};

use super::plan::place;
use super::{Node, RedisStore};
use crate::store::{Entry, EntryId, Record, StoreError, TrailPage};

/// Entries that one step removes.
const TRIM_STEP: usize = 1_000;

/// An entry as Redis answers it: its place, and fields with their values.
type Row = (String, Vec<Vec<u8>>);

impl RedisStore {
    pub(super) async fn read_trail(
        &self,
        from: EntryId,
        until: Option<EntryId>,
        limit: usize,
    ) -> Result<TrailPage, StoreError> {
        let last = match until.map(before) {
            Some(None) => return Ok(TrailPage::default()),
            Some(Some(last)) => told(last),
            None => "+".to_owned(),
        };
        // One more, to see whether older ones follow.
        let mut rows = self.rows("XREVRANGE", &last, &told(from), limit.saturating_add(1)).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().and_then(|(last, _)| place(last)).filter(|_| more);
        Ok(TrailPage { entries: rows.into_iter().filter_map(entry).collect(), next })
    }

    pub(super) async fn read_entry(&self, id: EntryId) -> Result<Option<Record>, StoreError> {
        let rows = self.rows("XRANGE", &told(id), &told(id), 1).await?;
        Ok(rows.into_iter().find_map(entry).map(|entry| entry.record))
    }

    pub(super) async fn trim_trail(&self, from: EntryId, max: u64) -> Result<usize, StoreError> {
        let key = self.settings.keys.audit();
        let mut count = cmd("XLEN");
        count.arg(&key);
        let count = async move |mut node: Node| count.query_async::<u64>(&mut node.connection).await;
        let surplus = self.read(count).await.map_err(of_the_trail)?.saturating_sub(max);
        let surplus = usize::try_from(surplus).unwrap_or(usize::MAX);
        let oldest = self.rows("XRANGE", "-", "+", TRIM_STEP).await?;
        let is_old = |id: &str| place(id).is_none_or(|id| id < from);
        let old = oldest.into_iter().map(|(id, _)| id).enumerate();
        let old: Vec<String> =
            old.filter(|(index, id)| *index < surplus || is_old(id)).map(|(_, id)| id).collect();
        if old.is_empty() {
            return Ok(0);
        }
        let mut remove = cmd("XDEL");
        remove.arg(&key).arg(&old);
        self.read(async move |mut node: Node| remove.exec_async(&mut node.connection).await).await?;
        Ok(old.len())
    }

    async fn rows(&self, command: &str, from: &str, to: &str, count: usize) -> Result<Vec<Row>, StoreError> {
        let mut range = cmd(command);
        range.arg(self.settings.keys.audit()).arg(from).arg(to).arg("COUNT").arg(count);
        let ask = async move |mut node: Node| -> RedisResult<Vec<Row>> {
            range.query_async(&mut node.connection).await
        };
        self.read(ask).await.map_err(of_the_trail)
    }
}

fn entry((id, fields): Row) -> Option<Entry> {
    let id = place(&id)?;
    Some(Entry { id, record: Record::parse(fields.get(1)?)? })
}

/// The last place before this one.
fn before(id: EntryId) -> Option<EntryId> {
    match id.number.checked_sub(1) {
        Some(number) => Some(EntryId { number, ..id }),
        None => Some(EntryId { at: id.at.checked_sub(1)?, number: u64::MAX }),
    }
}

/// A place as Redis reads it.
fn told(id: EntryId) -> String {
    format!("{}-{}", id.at, id.number)
}

fn of_the_trail(error: StoreError) -> StoreError {
    match error {
        StoreError::Redis(error) if error.code() == Some("NOPERM") => StoreError::NoTrail,
        other => other,
    }
}

//! A page of a sorted set. Redis leads to ranks and to scores, but not to the place after a member that may be gone; it is
//! found by halving, and what is read there shows whether the set was changed meanwhile.

use redis::cmd;

use super::link::is_of_another_type;
use super::scored::{Scored, stored};
use super::{Node, RedisStore};
use crate::store::{Cursor, Page, StoreError};

impl RedisStore {
    pub(super) async fn read_page(
        &self,
        group: &str,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let key = self.settings.keys.rules(group);
        // One before the page, to see where it begins, and one behind it, to see whether more follow.
        let wanted = limit.saturating_add(2);
        loop {
            let rank = match after {
                Some(after) => self.rank_behind(&key, after).await?,
                None => 0,
            };
            let mut found = self.members(&key, rank.saturating_sub(1), wanted).await?;
            let is_behind = |scored: &Scored| after.is_none_or(|after| place(scored).order(after).is_gt());
            if rank > 0 && found.first().is_none_or(is_behind) {
                // Rules were removed since the place was found: some of the page may stand before it.
                continue;
            }
            let whole = found.len() == wanted;
            found.retain(is_behind);
            let more = whole || found.len() > limit;
            found.truncate(limit);
            // Rules may have come instead of those that were looked for; then the page is short, or has none.
            let last = found.last().map(place).or_else(|| after.cloned());
            let rules = found.into_iter().map(|scored| stored(group, scored)).collect();
            return Ok(Page { rules, next: last.filter(|_| more) });
        }
    }

    /// How many members are not behind a place.
    async fn rank_behind(&self, key: &str, after: &Cursor) -> Result<usize, StoreError> {
        let mut count = cmd("ZCARD");
        count.arg(key);
        let count = async move |mut node: Node| count.query_async(&mut node.connection).await;
        let (mut low, mut high): (usize, usize) = (0, self.read(count).await.map_err(of_another_type)?);
        while low < high {
            let middle = low.midpoint(high);
            match self.members(key, middle, 1).await?.first() {
                Some(scored) if place(scored).order(after).is_le() => low = middle.saturating_add(1),
                Some(_) | None => high = middle,
            }
        }
        Ok(low)
    }

    /// So many members from a rank on.
    async fn members(&self, key: &str, from: usize, count: usize) -> Result<Vec<Scored>, StoreError> {
        let last = from.saturating_add(count).saturating_sub(1);
        self.range(key, from, i64::try_from(last).unwrap_or(i64::MAX)).await
    }

    /// The members between two ranks; -1 is the last one.
    pub(super) async fn range(&self, key: &str, from: usize, to: i64) -> Result<Vec<Scored>, StoreError> {
        let mut range = cmd("ZRANGE");
        range.arg(key).arg(from).arg(to).arg("WITHSCORES");
        let read = self.read(async move |mut node: Node| range.query_async(&mut node.connection).await).await;
        read.map_err(of_another_type)
    }
}

fn of_another_type(error: StoreError) -> StoreError {
    match error {
        StoreError::Redis(error) if is_of_another_type(&error) => StoreError::NotRules,
        other => other,
    }
}

fn place((member, score): &Scored) -> Cursor {
    Cursor::after(score.parse().unwrap_or(f64::INFINITY), member.as_slice())
}

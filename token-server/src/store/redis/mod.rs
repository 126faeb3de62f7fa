//! Rules in Redis, as ms-users leaves them there: one sorted set for each group, on one master.
//!
//! Every read and every write is the master's; replicas lag. A write and the message that tells of it are one
//! transaction, so that neither is there without the other, whatever dies in between.

mod annotations;
mod batch;
mod change;
mod condition;
mod keys;
mod link;
mod locate;
mod page;
mod plan;
mod score;
mod scored;
mod settings;
mod sign;
mod trail;
mod transact;
mod wanted;

pub use annotations::RedisAnnotations;
pub use settings::{Authorities, RedisMode, RedisModeName, RedisSettings, RedisSettingsError};

pub(crate) use keys::Keys;
pub(crate) use locate::Node;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::{RedisResult, cmd, pipe};
use tokio::sync::Mutex;

use self::condition::Watch;
use self::link::{Link, asked_away, is_misdirected, is_of_another_type};
use self::scored::stored;
use self::wanted::Wanted;
use super::{
    Answer, Batch, Clearing, Condition, Cursor, EntryId, Outcome, Page, Record, Store, StoreError,
    StoredRule, TrailPage,
};

/// How long Redis may take for an answer to a read.
const READ_LIMIT: Duration = Duration::from_secs(1);

/// How long Redis may take for an answer to a write, its wait for replicas included.
const WRITE_LIMIT: Duration = Duration::from_secs(3);

/// Keys that Redis looks at for one step of a walk over all of them.
const SCAN_STEP: usize = 1_000;

/// Rules go this long after they have ended by the clock of Redis: another master's may be behind.
const PURGE_MARGIN: i64 = 60;

/// Rules on a Redis master.
pub struct RedisStore {
    settings: RedisSettings,
    reader: Link,
    /// Held for a whole write, since WAIT asks about the last write of its connection.
    writer: Mutex<Link>,
    store_id: ArcSwapOption<String>,
    watch: Arc<Watch>,
    /// Whether it was told that this user may not ask for the time.
    timeless: AtomicBool,
    /// Where the walk that removes ended rules goes on.
    purge_cursor: AtomicU64,
}

impl RedisStore {
    /// A store that connects when it is first asked.
    pub fn new(settings: RedisSettings) -> Self {
        let watch = Arc::new(Watch::new(settings.accepts_eviction));
        Self {
            reader: Link::new(settings.clone(), READ_LIMIT, Arc::clone(&watch)),
            writer: Mutex::new(Link::new(settings.clone(), WRITE_LIMIT, Arc::clone(&watch))),
            settings,
            store_id: ArcSwapOption::empty(),
            watch,
            timeless: AtomicBool::new(false),
            purge_cursor: AtomicU64::new(0),
        }
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.settings.keys
    }

    /// The master that reads are sent to.
    pub(crate) async fn master(&self) -> Result<Node, StoreError> {
        self.reader.node().await
    }

    /// Reads look for the master anew, unless they have.
    pub(crate) async fn leave(&self, node: &Node) {
        self.reader.give_up(node).await;
    }

    /// Whether reads go elsewhere by now, or should.
    pub(crate) async fn has_left(&self, node: &Node) -> bool {
        if !self.reader.is_at(node).await {
            return true;
        }
        let deposed = node.is_deposed(&self.settings).await;
        if deposed {
            self.reader.give_up(node).await;
        }
        deposed
    }

    /// Looks at the master's clock, which other servers go by too.
    pub(crate) async fn look_at_clock(&self, node: &Node) {
        self.watch.look_at_clock(node).await;
    }

    /// Looks at all that may have been changed on the master while it runs.
    pub(crate) async fn look(&self, node: &Node) {
        self.watch.look(node).await;
    }

    /// The time by the clock of Redis, now; absent if this user may not ask for it.
    async fn time(&self) -> Result<Option<i64>, StoreError> {
        let ask = async |mut node: Node| cmd("TIME").query_async::<(i64, i64)>(&mut node.connection).await;
        match self.read(ask).await {
            Ok((seconds, _microseconds)) => Ok(Some(seconds)),
            Err(StoreError::Redis(error)) if error.code() == Some("NOPERM") => {
                if !self.timeless.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "this user of Redis may not ask for its TIME: rules that have ended stay there; allow +time"
                    );
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks the master; once more, if the answer shows that it was not the master, or that there is none.
    async fn read<T>(&self, ask: impl AsyncFn(Node) -> RedisResult<T>) -> Result<T, StoreError> {
        let node = self.reader.node().await?;
        let answered = ask(node.clone()).await;
        // The key is on its way to another node, and may have arrived.
        if let Some((host, port)) = answered.as_ref().err().and_then(asked_away) {
            return Ok(ask(node.ask_at(&host, port, READ_LIMIT).await?).await?);
        }
        match answered {
            Err(error) if is_misdirected(&error) || error.is_unrecoverable_error() || error.is_timeout() => {
                self.reader.give_up(&node).await;
                Ok(ask(self.reader.node().await?).await?)
            }
            answered => Ok(answered?),
        }
    }

    /// One step of a walk over the keys that a glob matches, and where to go on; 0 at the end.
    async fn scan(&self, cursor: u64, pattern: String) -> Result<(u64, Vec<String>), StoreError> {
        self.read(async move |mut node| {
            cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(&pattern)
                .arg("COUNT")
                .arg(SCAN_STEP)
                .query_async(&mut node.connection)
                .await
        })
        .await
    }
}

impl Store for RedisStore {
    fn store_id(&self) -> Option<Arc<str>> {
        self.store_id.load().as_ref().map(|name| Arc::from(name.as_str()))
    }

    fn group<'a>(&'a self, group: &'a str) -> Answer<'a, Vec<StoredRule>> {
        Box::pin(async move {
            let members = self.range(&self.settings.keys.rules(group), 0, -1).await?;
            Ok(members.into_iter().map(|scored| stored(group, scored)).collect())
        })
    }

    fn page<'a>(&'a self, group: &'a str, after: Option<&'a Cursor>, limit: usize) -> Answer<'a, Page> {
        Box::pin(self.read_page(group, after, limit))
    }

    fn groups<'a>(&'a self, after: Option<&'a str>, limit: usize) -> Answer<'a, (Vec<String>, bool)> {
        Box::pin(async move {
            let pattern = self.settings.keys.all_rules();
            let mut first = BTreeSet::new();
            let mut cursor = 0;
            loop {
                let (next, keys) = self.scan(cursor, pattern.clone()).await?;
                let groups = keys.iter().filter_map(|key| self.settings.keys.group(key));
                for group in groups.filter(|group| after.is_none_or(|after| *group > after)) {
                    first.insert(group.to_owned());
                    if first.len() > limit.saturating_add(1) {
                        first.pop_last();
                    }
                }
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
            let more = first.len() > limit;
            Ok((first.into_iter().take(limit).collect(), more))
        })
    }

    fn several(&self, groups: Vec<String>) -> Answer<'_, Vec<Result<Vec<StoredRule>, StoreError>>> {
        Box::pin(self.read_several(groups))
    }

    fn sizes(&self, groups: Vec<String>) -> Answer<'_, Vec<Result<usize, StoreError>>> {
        Box::pin(self.count_several(groups))
    }

    fn change(&self, batch: Batch) -> Answer<'_, Vec<Outcome>> {
        Box::pin(self.make(Wanted::Changes(batch)))
    }

    fn clear(&self, clearing: Clearing) -> Answer<'_, Vec<Outcome>> {
        Box::pin(self.make(Wanted::Clearing(clearing)))
    }

    fn trail(&self, from: EntryId, until: Option<EntryId>, limit: usize) -> Answer<'_, TrailPage> {
        Box::pin(self.read_trail(from, until, limit))
    }

    fn entry(&self, id: EntryId) -> Answer<'_, Option<Record>> {
        Box::pin(self.read_entry(id))
    }

    fn trim(&self, from: EntryId, max: u64) -> Answer<'_, usize> {
        Box::pin(self.trim_trail(from, max))
    }

    /// One step of a walk over all groups, so that many groups do not make a burst of work. What has ended, the clock of
    /// Redis says: a server whose own is ahead must not remove what still holds.
    fn purge(&self, _now: i64) -> Answer<'_, usize> {
        Box::pin(async move {
            let Some(now) = self.time().await? else { return Ok(0) };
            let from = self.purge_cursor.load(Ordering::Relaxed);
            let (next, keys) = self.scan(from, self.settings.keys.all_rules()).await?;
            self.purge_cursor.store(next, Ordering::Relaxed);
            if keys.is_empty() {
                return Ok(0);
            }
            let until = now.saturating_sub(PURGE_MARGIN);
            self.read(async move |mut node| {
                let mut change = pipe();
                change.ignore_errors();
                for key in &keys {
                    change.cmd("ZREMRANGEBYSCORE").arg(key).arg(1).arg(until);
                }
                let answers: Vec<RedisResult<usize>> = change.query_async(&mut node.connection).await?;
                let mut removed: usize = 0;
                for answer in answers {
                    match answer {
                        Ok(some) => removed = removed.saturating_add(some),
                        // One key that holds something else keeps the ended rules of no other.
                        Err(error) if is_of_another_type(&error) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(removed)
            })
            .await
        })
    }

    fn now(&self) -> Option<i64> {
        self.watch.now()
    }

    fn examine(&self) -> Answer<'_, Condition> {
        Box::pin(async { Ok(self.watch.condition()) })
    }
}

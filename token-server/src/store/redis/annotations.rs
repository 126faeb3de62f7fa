//! Annotations in Redis, in keys of our own beside the sorted sets, which stay as ms-users knows them.
//!
//! A note lives as long as its rule. A rule that is removed through a token-server takes its note along; those that other
//! programs leave behind, and those of rules that have ended, go in a walk over all notes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd, pipe};

use super::link::is_of_another_type;
use super::{Keys, Node, PURGE_MARGIN, RedisStore, SCAN_STEP, WRITE_LIMIT};
use crate::store::annotations::{AnnotatedRule, AnnotationStore, parse};
use crate::store::{Answer, StoreError};

/// Annotations beside the rules of a Redis master.
pub struct RedisAnnotations {
    store: Arc<RedisStore>,
    /// Where the walk over all notes goes on.
    purge_cursor: AtomicU64,
}

/// A field of a hash, or its value.
pub(super) type Text = Vec<u8>;

impl RedisAnnotations {
    /// Annotations of the rules in this store.
    pub fn new(store: Arc<RedisStore>) -> Self {
        Self { store, purge_cursor: AtomicU64::new(0) }
    }

    fn keys(&self) -> &Keys {
        &self.store.settings.keys
    }

    /// Some fields of a hash.
    async fn fields(&self, key: String, fields: &[String]) -> Result<Vec<Option<Text>>, StoreError> {
        let mut look = cmd("HMGET");
        look.arg(key).arg(fields);
        self.store.read(async move |mut node: Node| look.query_async(&mut node.connection).await).await
    }

    /// Removes the rules on trial that have ended at `until`.
    async fn purge_shadows(&self, until: i64) -> Result<usize, StoreError> {
        let key = self.keys().shadows();
        if ended(self.store.hash(key.clone()).await?, until).is_empty() {
            return Ok(0);
        }
        let mut connection = self.watch(&key).await?;
        let ended = ended(cmd("HGETALL").arg(&key).query_async(&mut connection).await?, until);
        drop_fields(&mut connection, &key, &ended, Some(&self.keys().shadows_changed())).await
    }

    /// Removes the notes of one group whose rules are not there any more.
    async fn purge_group(&self, group: &str) -> Result<usize, StoreError> {
        let (notes, rules) = (self.keys().notes(group), self.keys().rules(group));
        let mut connection = self.store.reader.node().await?.connection;
        let mut removed: usize = 0;
        let mut cursor = 0;
        loop {
            let (next, fields) = scan_fields(&mut connection, &notes, cursor).await?;
            // The rule is written before its note: what has a note and is not there was removed.
            let orphans = missing(&mut connection, &rules, &fields).await?;
            if !orphans.is_empty() {
                let mut own = self.watch(&notes).await?;
                let orphans = missing(&mut own, &rules, &orphans).await?;
                removed = removed.saturating_add(drop_fields(&mut own, &notes, &orphans, None).await?);
            }
            if next == 0 {
                return Ok(removed);
            }
            cursor = next;
        }
    }

    /// A connection whose next transaction does nothing if the key has changed by then: another server may write a note
    /// meanwhile. It is a new one, since what is watched is watched for all who share a connection.
    async fn watch(&self, key: &str) -> Result<MultiplexedConnection, StoreError> {
        let mut node = Node::find(&self.store.settings, WRITE_LIMIT).await?;
        cmd("WATCH").arg(key).exec_async(&mut node.connection).await?;
        Ok(node.connection)
    }
}

impl RedisStore {
    /// A whole hash.
    pub(super) async fn hash(&self, key: String) -> Result<Vec<(Text, Text)>, StoreError> {
        let read =
            async move |mut node: Node| cmd("HGETALL").arg(&key).query_async(&mut node.connection).await;
        self.read(read).await
    }
}

impl AnnotationStore for RedisAnnotations {
    fn shadows(&self) -> Answer<'_, Vec<AnnotatedRule>> {
        Box::pin(async move {
            let all = self.store.hash(self.keys().shadows()).await?;
            Ok(all.iter().filter_map(|(field, text)| shadow(field, text)).collect())
        })
    }

    fn of_rules(&self, group: String, texts: Vec<String>) -> Answer<'_, Vec<AnnotatedRule>> {
        Box::pin(async move {
            if texts.is_empty() {
                return Ok(Vec::new());
            }
            let fields: Vec<String> = texts.iter().map(|text| field(&group, text)).collect();
            let notes = self.fields(self.keys().notes(&group), &texts).await?;
            let shadows = self.fields(self.keys().shadows(), &fields).await?;
            let found = texts.into_iter().zip(shadows.into_iter().zip(notes));
            let annotated = |(json, (shadow, note)): (String, (Option<Text>, Option<Text>))| {
                parse(group.clone(), json, &shadow.or(note)?)
            };
            Ok(found.filter_map(annotated).collect())
        })
    }

    /// One step of a walk over all notes, so that many do not make a burst of work.
    fn purge(&self, _now: i64) -> Answer<'_, usize> {
        Box::pin(async move {
            let Some(now) = self.store.time().await? else { return Ok(0) };
            let mut removed = self.purge_shadows(now.saturating_sub(PURGE_MARGIN)).await?;
            let from = self.purge_cursor.load(Ordering::Relaxed);
            let (next, keys) = self.store.scan(from, self.keys().all_notes()).await?;
            self.purge_cursor.store(next, Ordering::Relaxed);
            for group in keys.iter().filter_map(|key| self.keys().noted_group(key)) {
                match self.purge_group(group).await {
                    Ok(some) => removed = removed.saturating_add(some),
                    Err(StoreError::Redis(error)) if is_of_another_type(&error) => {
                        tracing::warn!("notes stay of a group whose key holds no rules");
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(removed)
        })
    }
}

/// What a rule on trial is called in the hash of all of them.
pub(super) fn field(group: &str, json: &str) -> String {
    // Two texts have no way to fail.
    serde_json::to_string(&(group, json)).unwrap_or_default()
}

fn shadow(field: &[u8], text: &[u8]) -> Option<AnnotatedRule> {
    let Ok((group, json)) = serde_json::from_slice(field) else {
        tracing::warn!("the name of a rule on trial in the store is not understood and left out");
        return None;
    };
    parse(group, json, text)
}

/// The rules on trial that have ended at `until`.
fn ended(all: Vec<(Text, Text)>, until: i64) -> Vec<Text> {
    let has_ended = |(field, text): &(Text, Text)| {
        shadow(field, text).is_some_and(|found| found.annotation.end().has_passed(until))
    };
    all.into_iter().filter(has_ended).map(|(field, _)| field).collect()
}

/// Some fields of a hash, and where to go on; 0 at the end.
async fn scan_fields(
    connection: &mut MultiplexedConnection,
    key: &str,
    cursor: u64,
) -> RedisResult<(u64, Vec<Text>)> {
    let mut step = cmd("HSCAN");
    step.arg(key).arg(cursor).arg("COUNT").arg(SCAN_STEP);
    let (next, pairs): (u64, Vec<(Text, Text)>) = step.query_async(connection).await?;
    Ok((next, pairs.into_iter().map(|(field, _)| field).collect()))
}

/// Those of these members that a sorted set does not have.
async fn missing(
    connection: &mut MultiplexedConnection,
    key: &str,
    members: &[Text],
) -> RedisResult<Vec<Text>> {
    if members.is_empty() {
        return Ok(Vec::new());
    }
    let mut look = pipe();
    for member in members {
        look.cmd("ZSCORE").arg(key).arg(member);
    }
    let scores: Vec<Option<Text>> = look.query_async(connection).await?;
    Ok(members
        .iter()
        .zip(scores)
        .filter(|(_, score)| score.is_none())
        .map(|(member, _)| member.clone())
        .collect())
}

/// Removes fields of the key that is watched, and tells it on a channel; 0 if the key has changed.
async fn drop_fields(
    connection: &mut MultiplexedConnection,
    key: &str,
    fields: &[Text],
    channel: Option<&str>,
) -> Result<usize, StoreError> {
    if fields.is_empty() {
        return Ok(0);
    }
    let mut change = pipe();
    change.atomic().cmd("HDEL").arg(key).arg(fields);
    if let Some(channel) = channel {
        change.cmd("PUBLISH").arg(channel).arg("").ignore();
    }
    let made: Option<(usize,)> = change.query_async(connection).await?;
    Ok(made.map_or(0, |(removed,)| removed))
}

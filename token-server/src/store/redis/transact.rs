//! Writes: one transaction on the master, then the replicas' word.

use std::time::Duration;

use redis::{FromRedisValue, Pipeline, RedisError, RedisResult, cmd};
use tokio::time::timeout;

use super::link::{Link, asked_away, is_misdirected};
use super::{Node, RedisStore, WRITE_LIMIT};
use crate::store::StoreError;

/// How long the replicas have to acknowledge a write.
const REPLICA_LIMIT: Duration = Duration::from_secs(1);

/// How long Redis may take to show, before a write, that it is there.
const PING_LIMIT: Duration = Duration::from_millis(500);

impl RedisStore {
    /// Several commands on one key in one go on the master, then the replicas' word.
    pub(super) async fn perform<T: FromRedisValue>(
        &self,
        writer: &Link,
        single: Pipeline,
        full: Full,
    ) -> Result<T, StoreError> {
        let mut change = single.clone();
        change.atomic();
        let mut node = live(writer).await?;
        let mut written: RedisResult<T> = change.query_async(&mut node.connection).await;
        if let Some((host, port)) = written.as_ref().err().and_then(asked_away) {
            node = node.ask_at(&host, port, WRITE_LIMIT).await?;
            written = change.query_async(&mut node.connection).await;
        } else if let Err(error) = &written {
            writer.give_up(&node).await;
            // Nothing was done, so it may be done again. After any other error it may have been.
            if is_misdirected(error) {
                node = writer.node().await?;
                written = change.query_async(&mut node.connection).await;
            }
        }
        // Nothing of the transaction was done. If only its message is lost, others go on to refuse what was removed.
        if full == Full::TakesRemovals && written.as_ref().err().is_some_and(is_out_of_memory) {
            node = writer.node().await?;
            written = single.query_async(&mut node.connection).await;
        }
        let written = written?;
        self.replicated(&mut node).await?;
        Ok(written)
    }

    /// The replicas' word on the last write of a connection.
    pub(super) async fn replicated(&self, node: &mut Node) -> Result<(), StoreError> {
        let wanted = self.settings.min_replicas;
        if wanted == 0 {
            return Ok(());
        }
        let limit = u64::try_from(REPLICA_LIMIT.as_millis()).unwrap_or(u64::MAX);
        let reached: usize = cmd("WAIT").arg(wanted).arg(limit).query_async(&mut node.connection).await?;
        if reached < wanted { Err(StoreError::TooFewReplicas { reached, wanted }) } else { Ok(()) }
    }
}

/// What to do when Redis has no memory for a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Refuses,
    TakesRemovals,
}

/// Whether a transaction was refused whole since the master's memory is full.
pub(super) fn is_out_of_memory(error: &RedisError) -> bool {
    let errors = error.clone().into_server_errors();
    errors.is_some_and(|errors| errors.iter().any(|(_, error)| error.code() == "OOM"))
}

/// The master over a connection that still answers. One that died between two writes would leave the next in doubt.
pub(super) async fn live(writer: &Link) -> Result<Node, StoreError> {
    let mut node = writer.node().await?;
    let ping = cmd("PING");
    let answer = ping.exec_async(&mut node.connection);
    if !matches!(timeout(PING_LIMIT, answer).await, Ok(Ok(()))) {
        writer.give_up(&node).await;
        node = writer.node().await?;
    }
    Ok(node)
}

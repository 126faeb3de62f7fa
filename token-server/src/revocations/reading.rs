//! How long reading rules may take, and parsing them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::rulebook::{Group, MANY_RULES, Totals};
use crate::store::{StoreError, StoredRule};

/// How long a check waits at most for rules that have to be read. Agents wait 80 ms for all of it, unless they say else.
pub const LOAD_WAIT: Duration = Duration::from_millis(60);

/// How long a read may take, for checks that come later; until then no other read is tried.
pub(super) const LOAD_LIMIT: Duration = Duration::from_secs(2);

/// The work, or that it is late.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = StoreError::Timeout { milliseconds: limit.as_millis() };
    timeout(limit, work).await.unwrap_or(Err(late))
}

/// Parses many rules beside the requests, and a few at once.
pub(super) async fn parse(
    stored: Vec<StoredRule>,
    totals: Totals,
    by: fn(Vec<StoredRule>, &Totals) -> Group,
) -> Result<Arc<Group>, StoreError> {
    if stored.len() < MANY_RULES {
        return Ok(Arc::new(by(stored, &totals)));
    }
    let parsing = tokio::task::spawn_blocking(move || Arc::new(by(stored, &totals)));
    parsing.await.map_err(|_| StoreError::Stopping)
}

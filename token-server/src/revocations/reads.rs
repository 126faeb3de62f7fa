//! Groups on their way from the store into memory: each is read once for all who wait, few at a time, and none of them
//! waits longer than it can.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{LOAD_LIMIT, Revocations, within};
use crate::changes::Session;
use crate::rulebook::{Boarding, Flight, Group, News, Read, Totals};
use crate::store::{EVERYBODY, StoreError, StoredRule};

/// [`LOAD_LIMIT`] for a store in this process, where nothing can be lost: reading a million rules takes some seconds.
const LOCAL_LOAD_LIMIT: Duration = Duration::from_secs(60);

/// Rules that are parsed where that does not hold up other requests.
const MANY_RULES: usize = 1_000;

impl Revocations {
    /// Reads a group in its turn; everybody's, which each check needs, goes first.
    async fn fetch(&self, name: &str) -> Result<Arc<Group>, StoreError> {
        let reading = async {
            let turn = if name == EVERYBODY { None } else { self.turns.acquire().await.ok() };
            Ok((self.store.group(name).await?, turn))
        };
        let (stored, _turn) = within(self.load_limit(), reading).await?;
        let by = if self.sessions.are_exclusive() { Group::parse } else { Group::parse_shared };
        parse(stored, self.book.totals().clone(), by).await
    }

    /// How long a read may take.
    pub(super) fn load_limit(&self) -> Duration {
        if self.sessions.are_exclusive() { LOCAL_LOAD_LIMIT } else { LOAD_LIMIT }
    }

    /// A group as it is in the store, for those who can wait for it.
    pub(super) async fn known(self: &Arc<Self>, group: &str) -> Result<Arc<Group>, StoreError> {
        let known = self.read(group, self.sessions.current().as_ref(), LOAD_LIMIT).await;
        known.map(|known| known.group).ok_or(StoreError::Timeout { milliseconds: LOAD_LIMIT.as_millis() })
    }

    /// A group as it is known or can be read within `patience`; absent if neither.
    pub(super) async fn read(
        self: &Arc<Self>,
        name: &str,
        session: Option<&Arc<Session>>,
        patience: Duration,
    ) -> Option<Read> {
        let now = Instant::now();
        if let Some(read) = self.book.fresh(name, now, session) {
            return Some(read);
        }
        let flight = match self.book.board(name, session.cloned(), now) {
            Boarding::Join(flight) => flight,
            Boarding::Fly(flight) => {
                self.tasks.spawn(fly(Arc::clone(self), name.to_owned(), flight.clone()));
                flight
            }
        };
        // Who joins a read that is late already does not wait for it once more.
        let landing = timeout_at(flight.started + patience, flight.landing()).await;
        landing.ok().flatten().or_else(|| self.book.stale(name, Instant::now()))
    }
}

async fn fly(this: Arc<Revocations>, name: String, flight: Flight) {
    let read = this.fetch(&name).await;
    if let Err(error) = &read {
        tracing::warn!(%error, "rules could not be read");
    }
    if this.book.land(&name, &flight, read.ok()) == News::Untold
        && let Some(session) = flight.session()
    {
        this.untold.found(&name, Instant::now(), session);
        // Agents hear of it here, whichever source should have told it.
        this.book.show_revision(this.feed.changed(&name));
    }
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

//! Groups on their way from the store into memory: each is read once for all who wait, few at a time, and none of them
//! waits longer than it can.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Revocations;
use super::reading::{LOAD_LIMIT, LOAD_WAIT, parse, within};
use crate::continuity::Session;
use crate::rulebook::{Boarding, Group, Missed, News, Read, Turn};
use crate::store::{EVERYBODY, StoreError};

/// [`LOAD_LIMIT`] for a store in this process, where nothing can be lost: reading a million rules takes some seconds.
const LOCAL_LOAD_LIMIT: Duration = Duration::from_secs(60);

/// A store that has not answered a read for so long does not answer. A usual check waits longer; one whose time is over sooner
/// says nothing of the store.
const SLOW: Duration = Duration::from_millis(30);

/// How often a check joins a read of its group: once more, where the first came to nothing.
const BOARDINGS: usize = 2;

impl Revocations {
    /// Whether the store answered when it was last read. If not, only what is in memory is known here.
    pub fn store_answers(&self) -> bool {
        self.store_answers.load(Ordering::Relaxed)
    }

    /// Reads a little of a store that did not answer, to find out whether it does again: no check may come that would.
    pub async fn try_store(&self) {
        if !self.store_answers() && within(LOAD_WAIT, self.store.page(EVERYBODY, None, 1)).await.is_ok() {
            self.note_read(true);
        }
    }

    fn note_read(&self, answered: bool) {
        self.store_answers.store(answered, Ordering::Relaxed);
    }

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
    ///
    /// A check that joins a read waits as long as for a read of its own: if that one ends for want of time, or without a
    /// result, it boards once more. Only a read that is late already, after
    /// [`LOAD_WAIT`] at least, is not waited for again.
    pub(super) async fn read(
        self: &Arc<Self>,
        name: &str,
        session: Option<&Arc<Session>>,
        patience: Duration,
    ) -> Option<Read> {
        let start = Instant::now();
        for _ in 0..BOARDINGS {
            let now = Instant::now();
            if let Some(read) = self.book.fresh(name, now, session) {
                return Some(read);
            }
            let waiting = match self.book.board(name, session.cloned(), now) {
                Boarding::Follow(waiting) => waiting,
                Boarding::Lead(turn) => {
                    let waiting = turn.follower();
                    self.tasks.spawn(lead(Arc::clone(self), turn));
                    waiting
                }
            };
            let since = waiting.since();
            if now >= since + patience.max(LOAD_WAIT) {
                break;
            }
            match timeout_at(start + patience, waiting.landing()).await {
                Ok(Some(Ok(read))) => return Some(read),
                Ok(Some(Err(Missed::Late)) | None) => {}
                Ok(Some(Err(Missed::Failed))) => break,
                Err(_) => {
                    // Nothing but the size of a group makes a read of our own file late.
                    if !self.sessions.are_exclusive() && since.elapsed() >= SLOW {
                        self.note_read(false);
                    }
                    break;
                }
            }
        }
        self.book.stale(name, Instant::now())
    }
}

async fn lead(this: Arc<Revocations>, turn: Turn) {
    let (name, session) = (turn.name().to_owned(), turn.session());
    let read = this.fetch(&name).await;
    // The fault of one group is not the store's.
    this.note_read(matches!(read, Ok(_) | Err(StoreError::NotRules)));
    let read = read.map_err(|error| {
        tracing::warn!(%error, "rules could not be read");
        if matches!(error, StoreError::Timeout { .. }) { Missed::Late } else { Missed::Failed }
    });
    if this.book.land(turn, read) == News::Untold
        && let Some(session) = session
    {
        this.untold.found(&name, Instant::now(), session);
        // Agents hear of it here, whichever source should have told it.
        this.tell(&name);
    }
}

//! The list of all streams of a process with their numbers, over a connection of its own: it takes HAProxy 20 to 40 us for each of
//! its streams, and is read slowly, so that ends must not wait for it.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::connection::{Connection, Fault};
use super::places::Listing;
use super::turn::{is_alone, some_time};

/// How often a list is asked for until it is whole.
const TRIES: usize = 3;
/// The longest unit of the pauses in between: HAProxy closes a connection that is silent for 10 seconds.
const LONGEST: Duration = Duration::from_secs(1);
/// So many that are cut off, one after the other, are worth a word.
const MANY: u32 = 9;

/// What asks for lists.
#[derive(Debug)]
pub(super) struct Lister {
    connection: Connection,
    /// How many lists in turn were cut off.
    cut: u32,
}

impl Lister {
    /// Over a connection.
    pub(super) const fn new(connection: Connection) -> Self {
        Self { connection, cut: 0 }
    }

    /// Whether what failed means that the process has ended.
    pub(super) fn has_ended(&self, fault: &Fault) -> bool {
        self.connection.has_ended(fault)
    }

    /// Keeps the connection open.
    pub(super) async fn ask(mut self) -> (Self, Result<(), Fault>) {
        let asked = self.connection.info().await.map(drop);
        (self, asked)
    }

    /// All streams, or as many as could be had.
    pub(super) async fn list(mut self) -> (Self, Result<Listing, Fault>) {
        let listed = self.try_all().await;
        (self, listed)
    }

    async fn try_all(&mut self) -> Result<Listing, Fault> {
        for _ in 1..TRIES {
            let began = Instant::now();
            let listing = self.read().await?;
            if listing.is_whole {
                return Ok(listing);
            }
            sleep(some_time(began.elapsed().min(LONGEST))).await;
        }
        self.read().await
    }

    async fn read(&mut self) -> Result<Listing, Fault> {
        let mut listing = Listing::begin(Instant::now());
        let before = self.connection.others().await?;
        let add = |listed| listing.add(listed);
        let is_ours = self.connection.list_all(self.cut > 0, add).await?;
        // Not even our own connection, which is a stream as well.
        if listing.is_empty() {
            return Err(Fault::unknown("show sess all", "no stream is told"));
        }
        listing.is_whole = is_ours && is_alone(before, self.connection.others().await?);
        self.cut = if listing.is_whole { 0 } else { self.cut.saturating_add(1) };
        if self.cut > 0 {
            tracing::debug!(in_turn = self.cut, "a list of HAProxy's streams may not be whole");
        }
        if self.cut == MANY {
            tracing::warn!(
                "other programs ask HAProxy for its streams (`show sess`) while the agent does, so that it cannot tell which have ended"
            );
        }
        Ok(listing)
    }
}

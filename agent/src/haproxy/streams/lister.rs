//! The list of all streams of a process with their numbers, over a connection of its own: it takes HAProxy 20 to 40 us for each of
//! its streams, and is read slowly, so that ends must not wait for it.

use std::time::Instant;

use super::connection::{Connection, Fault};
use super::list;
use super::places::{Listing, Name};

/// What asks for lists.
#[derive(Debug)]
pub(super) struct Lister(Connection);

impl Lister {
    /// Over a connection.
    pub(super) const fn new(connection: Connection) -> Self {
        Self(connection)
    }

    /// Whether what failed means that the process has ended.
    pub(super) fn has_ended(&self, fault: &Fault) -> bool {
        self.0.has_ended(fault)
    }

    /// Keeps the connection open.
    pub(super) async fn ask(mut self) -> (Self, Result<(), Fault>) {
        let asked = self.0.info().await.map(drop);
        (self, asked)
    }

    /// All streams.
    pub(super) async fn list(mut self) -> (Self, Result<Listing, Fault>) {
        const COMMAND: &str = "show sess all";
        let mut listing = Listing::begin(Instant::now());
        let each = |line: &str| {
            if let Some(listed) = list::long(line) {
                listing.add(Name::from(listed), listed.pointer);
            }
        };
        let listed = match self.0.read(COMMAND, each).await {
            // Not even our own connection, which is a stream as well.
            Ok(()) if listing.is_empty() => Err(Fault::unknown(COMMAND, "no stream is told")),
            Ok(()) => Ok(listing),
            Err(fault) => Err(fault),
        };
        (self, listed)
    }
}

//! Which stream of HAProxy a request is that may stay open after its answer.

use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::time::Instant;

/// A stream of HAProxy. Two are the same that have one process, one number and one client; a number of a later process with the
/// same id is told from it by when that process began.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// The id of HAProxy's process: `%pid` of its log formats.
    pub process: u32,
    /// The number of the stream in that process: `%rt`, which `show sess` prints as `id`.
    pub number: u64,
    /// The other end of its connection, whoever that says to be the client; absent where it is a unix socket.
    pub client: Option<SocketAddr>,
    /// When it was told of.
    pub since: Instant,
}

impl Stream {
    fn name(&self) -> (u32, u64, Option<SocketAddr>) {
        (self.process, self.number, self.client)
    }
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Stream {}

impl Hash for Stream {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

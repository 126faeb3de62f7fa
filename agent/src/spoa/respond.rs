//! What a connection asks of the rest of the agent. The protocol knows no more of it than this.

use std::time::Duration;

use tokio::time::Instant;

use super::frame::{Fault, Notify};
use super::messages::FromMessages;

/// How long the decisions of one turn of the loop may hold it up: some signatures, and less than any client would notice.
/// A task costs more than a short signature, since it wakes another thread, and that one this.
const DECIDING_LIMIT: Duration = Duration::from_micros(100);

/// The time in which decisions are made by the connection itself, in one turn of its loop.
#[derive(Debug, Default)]
pub struct DecidingTime {
    until: Option<Instant>,
}

impl DecidingTime {
    /// Whether there is time for one more. It runs from when this is asked first.
    pub fn is_left(&mut self) -> bool {
        let now = Instant::now();
        now < *self.until.get_or_insert_with(|| now + DECIDING_LIMIT)
    }
}

/// Answers the NOTIFYs of all connections.
pub trait Respond: Send + Sync + 'static {
    /// What the messages of a NOTIFY become.
    type Request<'a>: FromMessages<'a>;

    /// Appends the ACK, a frame of at most `max`, to `out` if that takes no waiting, and no long computation but one for which
    /// `time` is left; otherwise gives what makes it.
    fn answer(
        &self,
        notify: &Notify<Self::Request<'_>>,
        max: u32,
        time: &mut DecidingTime,
        out: &mut Vec<u8>,
    ) -> Option<impl Future<Output = Vec<u8>> + Send + 'static + use<Self>>;

    /// Whether a health check may pass.
    fn answer_health_check(&self) -> bool;

    /// Counts a connection that ended for a fault of its peer.
    fn count_fault(&self, fault: &Fault);
}

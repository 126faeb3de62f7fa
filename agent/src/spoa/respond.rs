//! What a connection asks of the rest of the agent. The protocol knows no more of it than this.

use super::frame::{Fault, Notify};
use super::messages::FromMessages;

/// Answers the NOTIFYs of all connections.
pub trait Respond: Send + Sync + 'static {
    /// What the messages of a NOTIFY become.
    type Request<'a>: FromMessages<'a>;

    /// Appends the ACK, a frame of at most `max`, to `out` if that takes no waiting and no long computation; otherwise
    /// gives what makes it.
    fn answer(
        &self,
        notify: &Notify<Self::Request<'_>>,
        max: u32,
        out: &mut Vec<u8>,
    ) -> Option<impl Future<Output = Vec<u8>> + Send + 'static + use<Self>>;

    /// Whether a health check may pass.
    fn answer_health_check(&self) -> bool;

    /// Counts a connection that ended for a fault of its peer.
    fn count_fault(&self, fault: &Fault);
}

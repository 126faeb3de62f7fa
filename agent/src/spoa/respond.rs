//! What a connection asks of those who decide. The protocol knows no more of them than this.

use std::sync::Arc;

use super::frame::{Fault, Ids, Notify};

/// Answers the NOTIFYs of all connections.
pub trait Respond: Send + Sync + 'static {
    /// What is noted of a request when it comes, and lives until it is answered.
    type Received: Send + 'static;
    /// What remains to be decided of a request that could not be answered at once.
    type Question: Send + 'static;

    /// Notes that a request has come.
    fn receive(&self) -> Self::Received;

    /// Appends the ACK, a frame of at most `max`, to `out` if that takes no waiting and no long computation; otherwise
    /// gives the question for [`decide`](Self::decide).
    fn answer_at_once(
        &self,
        notify: &Notify<'_>,
        received: &Self::Received,
        max: u32,
        out: &mut Vec<u8>,
    ) -> Option<Self::Question>;

    /// The ACK of a request that could not be answered at once.
    fn decide(
        self: Arc<Self>,
        ids: Ids,
        question: Self::Question,
        received: Self::Received,
        max: u32,
    ) -> impl Future<Output = Vec<u8>> + Send + 'static;

    /// Whether a health check may pass.
    fn answer_health_check(&self) -> bool;

    /// Counts a connection that ended for a fault of its peer.
    fn count_fault(&self, fault: &Fault);
}

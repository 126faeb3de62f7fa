//! What becomes of the requests of one connection: answered at once, or decided meanwhile, until their ACKs are sent.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::FutureExt;
use tokio::task::{JoinError, JoinSet};
use tracing::Span;

use super::frame::{MAX_HELLO_SIZE, Notify};
use super::respond::{DecidingTime, Respond};

/// Requests in flight on one connection, three times what HAProxy sends; then we stop reading.
const MAX_IN_FLIGHT: usize = 64;
/// Unsent bytes of one connection; above it we stop reading.
const MAX_UNSENT_BYTES: usize = 256 * 1024;

/// What becomes of the frames that were read.
pub(super) struct Answers<R> {
    pub output: BytesMut,
    pub scratch: Vec<u8>,
    pub max_frame_size: u32,
    pub tasks: JoinSet<Vec<u8>>,
    pub responder: Arc<R>,
    pub span: Span,
}

impl<R: Respond> Answers<R> {
    pub fn new(responder: Arc<R>, span: Span) -> Self {
        Self {
            output: BytesMut::new(),
            scratch: Vec::new(),
            max_frame_size: MAX_HELLO_SIZE,
            tasks: JoinSet::new(),
            responder,
            span,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.output.is_empty()
    }

    pub fn has_room(&self) -> bool {
        self.tasks.len() < MAX_IN_FLIGHT && self.output.len() < MAX_UNSENT_BYTES
    }

    /// Answers, or starts the decision, which is made here while `time` is left. A panic costs this decision, and not the
    /// connection.
    pub fn start(&mut self, notify: &Notify<R::Request<'_>>, time: &mut DecidingTime) {
        self.scratch.clear();
        let (responder, max, out) = (&self.responder, self.max_frame_size, &mut self.scratch);
        let answered = catch_unwind(AssertUnwindSafe(|| responder.answer(notify, max, time, out)));
        let mut decision = match answered {
            Ok(None) => return self.output.extend_from_slice(&self.scratch),
            Ok(Some(decision)) => Box::pin(decision),
            Err(_) => return self.span.in_scope(|| tracing::error!("a decision was lost")),
        };
        if time.is_left() {
            match AssertUnwindSafe(decision.as_mut()).catch_unwind().now_or_never() {
                Some(Ok(ack)) => return self.output.extend_from_slice(&ack),
                Some(Err(_)) => return self.span.in_scope(|| tracing::error!("a decision was lost")),
                None => {}
            }
        }
        self.tasks.spawn(decision);
    }

    pub fn acknowledge(&mut self, ack: Result<Vec<u8>, JoinError>) {
        match ack {
            Ok(ack) => self.output.extend_from_slice(&ack),
            // Without an ACK HAProxy sets no variable, and denies.
            Err(error) => self.span.in_scope(|| tracing::error!(%error, "a decision was lost")),
        }
    }
}

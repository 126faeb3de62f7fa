//! Readers at the same place that are told together share one text.
//!
//! An answer says how old the moment is up to which all changes are known, counted from when it was written, and its reader
//! counts from when it sent its poll. So a text may be any reader's whose poll had come before it was written: for him it is
//! an answer that was under way a little longer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use revocation::events::Events;
use tokio::time::Instant;

/// How long a text may be handed out; what it says of completeness is so much older than it could be. A thousand readers that
/// are woken together are answered within that.
const SHARED_FOR: Duration = Duration::from_millis(20);

/// The last answer.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<Option<Answer>>);

#[derive(Debug)]
struct Answer {
    /// Whom it is for: readers who are this far, or who have to begin anew.
    since: Option<u64>,
    revision: u64,
    written: Instant,
    text: Bytes,
}

/// A reader who is to be answered now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    /// How far it is by this process's numbers.
    pub(super) since: Option<u64>,
    /// When its poll came.
    pub(super) asked: Instant,
    pub(super) now: Instant,
}

impl Answers {
    /// The last answer, if it may be this reader's and nothing has changed since, or what `write` tells.
    pub(super) fn of<E>(
        &self,
        reader: &Reader,
        latest: &AtomicU64,
        write: impl FnOnce() -> Result<Events, E>,
    ) -> Result<Bytes, E> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = &*last
            && answer.is_for(reader)
            && answer.revision == latest.load(Ordering::Acquire)
        {
            return Ok(answer.text.clone());
        }
        let events = write()?;
        // Every answer can be written; one that is not would be empty, and no answer to its reader.
        let text = Bytes::from(serde_json::to_vec(&events).unwrap_or_default());
        *last = Some(Answer {
            since: reader.since,
            revision: events.revision,
            written: reader.now,
            text: text.clone(),
        });
        Ok(text)
    }
}

impl Answer {
    fn is_for(&self, reader: &Reader) -> bool {
        self.since == reader.since
            && reader.asked <= self.written
            && reader.now.saturating_duration_since(self.written) <= SHARED_FOR
    }
}

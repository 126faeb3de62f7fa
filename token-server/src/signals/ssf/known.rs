//! What is known of each stream: when it was heard, what its transmitter says of it, and which verification events were asked
//! for. As long as the process lives.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jose::UnixTime;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::of_stream::{News, OfStream};
use super::set::SetFault;
use crate::config::ssf::Stream;
use crate::signals::told::Status;

/// Verification events of a stream that are waited for, or were heard of lately; one more takes the place of the oldest.
const MAX_ASKED: usize = 64;

/// What is known of all streams.
#[derive(Default)]
pub(crate) struct Known {
    streams: Mutex<HashMap<Arc<str>, Facts>>,
    verified: Notify,
}

/// What is known of one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Its name at the transmitter, as that told it.
    id: Option<String>,
    /// When it was heard last.
    pub(crate) heard: Option<UnixTime>,
    /// When a verification event was heard last.
    pub(crate) verified: Option<UnixTime>,
    /// What its transmitter said last of its status.
    pub(crate) standing: Option<Standing>,
    /// What went wrong last.
    pub(crate) trouble: Option<Trouble>,
    asked: VecDeque<Asked>,
}

/// The status of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    /// `iat` of the token that told it, seconds.
    pub(crate) since: i64,
}

/// Why a token of a stream was not taken, or its transmitter not heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// By the clock, for people.
    pub(crate) at: UnixTime,
    /// The same, for what is to come after something else.
    pub(super) moment: Instant,
    pub(crate) why: String,
}

#[derive(Debug, Clone)]
struct Asked {
    state: String,
    at: Instant,
    took: Option<Duration>,
}

/// What became of a verification event that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verification {
    /// It did not come yet.
    Awaited,
    /// It came, after this time.
    Heard(Duration),
}

impl Facts {
    /// What went wrong last, if that was after a verification event was asked for with this state.
    pub(super) fn trouble_of(&self, state: &str) -> Option<&Trouble> {
        let asked = self.asked.iter().find(|asked| asked.state == state)?;
        self.trouble.as_ref().filter(|trouble| trouble.moment >= asked.at)
    }
}

impl Known {
    /// What is known of a stream now.
    pub(crate) fn facts(&self, stream: &str) -> Facts {
        self.lock().get(stream).cloned().unwrap_or_default()
    }

    /// A stream was heard.
    pub(super) fn heard(&self, stream: &Arc<str>, now: UnixTime) {
        self.change(stream, |facts| facts.heard = Some(now));
    }

    /// Something went wrong with a stream.
    pub(super) fn troubled(&self, stream: &Arc<str>, trouble: Trouble) {
        self.change(stream, |facts| facts.trouble = Some(trouble));
    }

    /// Takes what was told of a stream; whether its status is another one now.
    ///
    /// # Errors
    /// It is told of another stream, or has a state that was not asked with.
    pub(super) fn take(
        &self,
        stream: &Stream,
        issued: i64,
        told: &OfStream,
        now: UnixTime,
    ) -> Result<Option<Standing>, SetFault> {
        let mut streams = self.lock();
        let facts = streams.entry(Arc::clone(&stream.name)).or_default();
        let expected = stream.id.as_ref().or(facts.id.as_ref());
        if let Some((expected, told)) = expected.zip(told.stream_id.as_ref())
            && expected != told
        {
            return Err(SetFault::OtherStream { expected: expected.clone() });
        }
        match &told.news {
            News::Verification { state } => {
                if let Some(state) = state {
                    let asked = facts.asked.iter_mut().find(|asked| asked.state == *state);
                    let asked = asked.ok_or(SetFault::State)?;
                    // It may come twice, when its acknowledgement was lost.
                    asked.took.get_or_insert_with(|| asked.at.elapsed());
                }
                facts.verified = Some(now);
                drop(streams);
                self.verified.notify_waiters();
                Ok(None)
            }
            News::Updated { status, reason } => {
                // An older one that comes late, or again, says nothing of now.
                if facts.standing.as_ref().is_some_and(|standing| standing.since > issued) {
                    return Ok(None);
                }
                let standing = Standing { status: *status, reason: reason.clone(), since: issued };
                let before = facts.standing.replace(standing.clone());
                Ok((before.as_ref() != Some(&standing)).then_some(standing))
            }
        }
    }

    /// From now on a verification event with this state is expected.
    pub(crate) fn expect(&self, stream: &Arc<str>, state: String) {
        self.change(stream, |facts| {
            if facts.asked.len() >= MAX_ASKED {
                facts.asked.pop_front();
            }
            facts.asked.push_back(Asked { state, at: Instant::now(), took: None });
        });
    }

    /// The name of a stream at its transmitter, as that told it.
    pub(crate) fn named(&self, stream: &Arc<str>, id: String) {
        self.change(stream, |facts| facts.id = Some(id));
    }

    /// What became of the event that was asked for with this state, at the latest after `patience`; absent where none was.
    pub(crate) async fn verification(
        &self,
        stream: &str,
        state: &str,
        patience: Duration,
    ) -> Option<Verification> {
        let until = Instant::now() + patience;
        loop {
            let verified = self.verified.notified();
            tokio::pin!(verified);
            // What comes after this look is not missed.
            verified.as_mut().enable();
            let facts = self.facts(stream);
            let asked = facts.asked.iter().find(|asked| asked.state == state)?;
            if let Some(took) = asked.took {
                return Some(Verification::Heard(took));
            }
            if tokio::time::timeout_at(until, verified).await.is_err() {
                return Some(Verification::Awaited);
            }
        }
    }

    /// A stream is there no more.
    pub(crate) fn forget(&self, stream: &str) {
        self.lock().remove(stream);
    }

    fn change(&self, stream: &Arc<str>, change: impl FnOnce(&mut Facts)) {
        change(self.lock().entry(Arc::clone(stream)).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Facts>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

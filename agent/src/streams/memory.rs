//! What is remembered of open streams: which of them have to be judged again, and which have to end. No I/O and no clock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jose::{Reject, UnixTime};

use super::Terms;
use crate::decide::{Held, Judged, Opened, Verdict};
use crate::request::Stream;

/// A stream about which nothing could be decided is judged again after this, and one that HAProxy could not be told to end is told
/// so again.
const RETRY: Duration = Duration::from_secs(1);
/// The longest pause after which a stream is told to end again that HAProxy still has; it is twice as long each time.
const MAX_RETRY: Duration = Duration::from_secs(64);
/// HAProxy takes a moment to end a stream: one that a list shows which began so much later remains.
const LEAVING: Duration = Duration::from_millis(300);
/// Without a way to its HAProxy for so long, a stream is forgotten: after a reload, no new way leads to the process before.
const GIVEN_UP: Duration = Duration::from_secs(3600);

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A request with the same would be refused.
    Refused(Reject),
    /// That could not be told for longer than [`Terms::grace`].
    Lease,
    /// The agent stops, and nothing looks after the stream any more.
    Stop,
}

impl Cause {
    /// The word for it in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused(reject) => reject.detail(),
            Self::Lease => "lease",
            Self::Stop => "stop",
        }
    }
}

/// What became of a stream that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is remembered.
    Yes,
    /// There are as many as may be.
    Full,
}

/// The streams of which is not known that they have ended.
#[derive(Debug)]
pub struct Memory {
    terms: Terms,
    entries: HashMap<Stream, Entry>,
    /// Those that HAProxy has taken the command to end, until a list shows whether it has: as many as may be open.
    told: HashMap<Stream, Entry>,
}

#[derive(Debug)]
struct Entry {
    held: Arc<Held>,
    verdict: Verdict,
    /// When the token was known to be good last.
    sure: Instant,
    /// Not judged, nor told to HAProxy, before.
    again: Instant,
    ending: Option<Ending>,
}

#[derive(Debug, Clone, Copy)]
struct Ending {
    cause: Cause,
    since: Instant,
    /// When HAProxy took the command last.
    told: Option<Instant>,
    /// Why it goes on although it was to end.
    goes_on: Option<GoesOn>,
    /// The pause before it is told so again.
    retry: Duration,
}

/// Why a stream goes on that was to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoesOn {
    /// No way leads to its HAProxy.
    Unreachable,
    /// HAProxy was told to end it, and still has it.
    Remains,
}

impl Memory {
    /// Nothing is remembered.
    pub fn new(terms: Terms) -> Self {
        Self { terms, entries: HashMap::new(), told: HashMap::new() }
    }

    /// Remembers a stream that was let in. One that was asked about twice counts with the later verdict.
    pub fn remember(&mut self, opened: Opened, at: Instant) -> Taken {
        let Opened { stream, held, verdict } = opened;
        self.told.remove(&stream);
        // With its key, which tells when it was told of.
        let before = self.entries.remove(&stream);
        if before.is_none() && self.entries.len() >= self.terms.size {
            return Taken::Full;
        }
        self.entries.insert(stream, Entry { held, verdict, sure: at, again: at, ending: None });
        Taken::Yes
    }

    /// Looks at all at the time of day `now`, which is the moment `at`. Those whose token's time is over will end; given are those
    /// that have to be judged again, since their verdict `holds` no longer. Those that HAProxy was told to end are given up where no
    /// list has come for too long.
    pub fn look(
        &mut self,
        at: Instant,
        now: UnixTime,
        holds: impl Fn(&Verdict) -> bool,
    ) -> Vec<(Stream, Arc<Held>)> {
        self.told.retain(|_, entry| {
            entry.told().is_some_and(|told| at.saturating_duration_since(told) < GIVEN_UP)
        });
        let mut due = Vec::new();
        for (stream, entry) in self.entries.iter_mut().filter(|(_, entry)| entry.ending.is_none()) {
            if let Err(reject) = entry.verdict.kept.window.validate(now) {
                entry.end(Cause::Refused(reject), at);
            } else if holds(&entry.verdict) {
                entry.sure = at;
            } else if entry.again <= at {
                due.push((*stream, Arc::clone(&entry.held)));
            }
        }
        due
    }

    /// Takes what a request with the same would be told.
    pub fn judged(&mut self, stream: &Stream, judged: Judged, at: Instant) {
        let pause = self.terms.pause;
        let Some(entry) = self.entries.get_mut(stream) else { return };
        match judged {
            Judged::Good(verdict) => {
                (entry.verdict, entry.sure) = (verdict, at);
                entry.wait(at, pause);
            }
            Judged::Refused(reject) => entry.end(Cause::Refused(reject), at),
            Judged::Undecided => entry.wait(at, RETRY),
        }
    }

    /// Gives up those that could not be judged for too long, once all that could be judged are.
    pub fn lose(&mut self, at: Instant) {
        let Some(grace) = self.terms.grace else { return };
        for entry in self.entries.values_mut().filter(|entry| entry.ending.is_none()) {
            if at.saturating_duration_since(entry.sure) >= grace {
                entry.end(Cause::Lease, at);
            }
        }
    }

    /// The agent stops: where a stream may not stay without being looked after, all end.
    pub fn stop(&mut self, at: Instant) {
        if self.terms.grace.is_some() {
            self.entries.values_mut().for_each(|entry| entry.end(Cause::Stop, at));
        }
    }

    /// Those that HAProxy has to be told to end now.
    pub fn ending(&self, at: Instant) -> Vec<Stream> {
        self.entries.iter().filter(|(_, entry)| entry.is_to_end(at)).map(|(stream, _)| *stream).collect()
    }

    /// Whether there is one.
    pub fn has_ending(&self, at: Instant) -> bool {
        self.entries.values().any(|entry| entry.is_to_end(at))
    }

    /// Why a stream has to end, if it has to.
    pub fn cause(&self, stream: &Stream) -> Option<Cause> {
        Some(self.entries.get(stream)?.ending?.cause)
    }

    /// A stream that has to end goes on; it is told so again later. Whether it is given up, as no way leads to its HAProxy.
    pub fn goes_on(&mut self, stream: &Stream, why: GoesOn, at: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(stream) else { return false };
        let Some(ending) = &mut entry.ending else { return false };
        ending.goes_on = Some(why);
        let retry = match why {
            // A way may be there at any time, and to look for one costs HAProxy nothing.
            GoesOn::Unreachable => RETRY,
            GoesOn::Remains => ending.retry,
        };
        ending.retry = retry.saturating_mul(2).min(MAX_RETRY);
        let is_given_up =
            why == GoesOn::Unreachable && at.saturating_duration_since(ending.since) >= GIVEN_UP;
        entry.wait(at, retry);
        if is_given_up {
            self.forget(stream);
        }
        is_given_up
    }

    /// HAProxy has taken the command to end a stream. Why, if it is the first time.
    pub fn told(&mut self, stream: &Stream, at: Instant) -> Option<Cause> {
        let (stream, mut entry) = self.entries.remove_entry(stream)?;
        let ending = entry.ending.as_mut()?;
        let is_first = ending.told.replace(at).is_none();
        let cause = is_first.then_some(ending.cause);
        if self.told.len() < self.terms.size {
            self.told.insert(stream, entry);
        }
        cause
    }

    /// A list that began then has a stream. One that HAProxy was told to end before remains, and is told so again later.
    pub fn shown(&mut self, stream: &Stream, began: Instant, at: Instant) {
        let has_remained = |told: Instant| told.checked_add(LEAVING).is_some_and(|left| left <= began);
        if self.told.get(stream).and_then(Entry::told).is_some_and(has_remained)
            && let Some((stream, entry)) = self.told.remove_entry(stream)
        {
            self.entries.insert(stream, entry);
            self.goes_on(&stream, GoesOn::Remains, at);
        }
    }

    /// A stream is there no more. Whether it has ended by itself.
    pub fn closed(&mut self, stream: &Stream) -> bool {
        self.told.remove(stream);
        self.entries.remove(stream).is_some_and(|entry| entry.told().is_none())
    }

    /// A stream will not end. Whether it was remembered.
    fn forget(&mut self, stream: &Stream) -> bool {
        self.entries.remove(stream).is_some()
    }

    /// All of them, and those of which it is to be seen whether they have ended.
    pub fn streams(&self) -> Vec<Stream> {
        self.entries.keys().chain(self.told.keys()).copied().collect()
    }

    /// How the log calls the token of a stream.
    pub fn id(&self, stream: &Stream) -> Option<String> {
        Some(self.entries.get(stream)?.held.hash.fingerprint())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether so many places are taken that it is worth to look soon for streams that have ended.
    pub fn is_nearly_full(&self) -> bool {
        self.entries.len() >= self.terms.size.saturating_sub(self.terms.size / 4)
    }

    /// How many go on although they have to end, for this.
    pub fn going_on(&self, why: GoesOn) -> usize {
        let ending = self.entries.values().chain(self.told.values()).filter_map(|entry| entry.ending);
        ending.filter(|ending| ending.goes_on == Some(why)).count()
    }
}

impl Entry {
    fn end(&mut self, cause: Cause, at: Instant) {
        let since = self.ending.map_or(at, |ending| ending.since);
        self.ending = Some(Ending { cause, since, told: self.told(), goes_on: None, retry: RETRY });
        self.again = at;
    }

    fn told(&self) -> Option<Instant> {
        self.ending?.told
    }

    fn is_to_end(&self, at: Instant) -> bool {
        self.ending.is_some() && self.again <= at
    }

    fn wait(&mut self, at: Instant, pause: Duration) {
        self.again = at.checked_add(pause).unwrap_or(at);
    }
}

#[cfg(test)]
mod tests;

//! Messages that were done. One that comes again is answered as before, and nothing is written: what an operator has undone
//! meanwhile stays undone.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use tokio::time::Instant;

use super::super::told::Told;

/// Messages of one sender that are remembered: what it may send in ten minutes at the usual rate. About 4 MiB.
const MAX_MESSAGES: usize = 32_768;

/// A message by its `jti` and what it says: two that say something else under one `jti` are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Message([u8; 16]);

/// The messages of all senders.
pub(super) struct Heard(Mutex<Inner>);

struct Inner {
    remember: Duration,
    senders: HashMap<Arc<str>, OfSender>,
}

#[derive(Default)]
struct OfSender {
    known: HashSet<Message>,
    /// The oldest first.
    order: VecDeque<(Instant, Message)>,
}

impl Message {
    /// Absent where the message has no `jti`.
    pub(super) fn of(told: &Told) -> Option<Self> {
        let jti = told.jti.as_deref()?;
        let Told { kind, ends, weight, .. } = told;
        let text = format!("{jti:?} {kind:?} {weight:?} {ends:?}");
        let hash = digest(&SHA256, text.as_bytes());
        Some(Self(hash.as_ref().first_chunk().copied()?))
    }
}

impl Heard {
    pub(super) fn new(remember: Duration) -> Self {
        Self(Mutex::new(Inner { remember, senders: HashMap::new() }))
    }

    pub(super) fn set(&self, remember: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remember = remember;
    }

    /// Whether this message was done.
    pub(super) fn knows(&self, sender: &Arc<str>, message: &Message, now: Instant) -> bool {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let remember = inner.remember;
        let Some(messages) = inner.senders.get_mut(sender) else { return false };
        messages.forget(now, remember);
        messages.known.contains(message)
    }

    /// This message was done.
    pub(super) fn keep(&self, sender: &Arc<str>, message: Message, now: Instant) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let remember = inner.remember;
        let messages = inner.senders.entry(Arc::clone(sender)).or_default();
        messages.forget(now, remember);
        if messages.known.insert(message) {
            messages.order.push_back((now, message));
        }
    }
}

impl OfSender {
    fn forget(&mut self, now: Instant, remember: Duration) {
        while let Some((at, oldest)) = self.order.front().copied() {
            if now.saturating_duration_since(at) < remember && self.order.len() < MAX_MESSAGES {
                return;
            }
            self.order.pop_front();
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_for_its_time_by_its_sender_alone_and_so_many_are() {
        let (start, heard) = (Instant::now(), Heard::new(Duration::from_secs(600)));
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let message = |number: u16| Message([number.to_be_bytes(); 8].concat().try_into().unwrap());
        heard.keep(&one, message(1), start);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(heard.knows(&one, &message(1), after(599)));
        assert!(!heard.knows(&one, &message(2), after(599)));
        assert!(!heard.knows(&other, &message(1), after(599)));
        assert!(!heard.knows(&one, &message(1), after(600)));
        for number in 0..u16::try_from(MAX_MESSAGES).unwrap() {
            heard.keep(&one, message(number), after(700));
        }
        assert!(heard.knows(&one, &message(9), after(700)));
        heard.keep(&one, message(u16::MAX), after(701));
        assert!(!heard.knows(&one, &message(0), after(701)), "the oldest had to go");
        assert!(heard.knows(&one, &message(u16::MAX), after(701)));
    }
}

//! One server, made of its real parts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use revocation::events::Events;
use revocation::lease::ServerId;
use tokio::time::Instant;

use super::LIFETIMES;
use crate::changes::{Sessions, Source, Untold};
use crate::feed::Feed;
use crate::rulebook::{DEFAULT_BYTES, Flight, Group, Missed, News, Rulebook, Totals};

pub(super) enum Message {
    Changed(&'static str),
    Beat(Instant),
}

pub(super) struct Server {
    /// What the agent calls it.
    pub(super) id: ServerId,
    pub(super) book: Rulebook,
    pub(super) sessions: Sessions,
    pub(super) untold: Untold,
    pub(super) feed: Feed,
    pub(super) connected: bool,
    pub(super) under_way: VecDeque<Message>,
    pub(super) reads: VecDeque<(Flight, Arc<Group>)>,
    /// Answers to polls that are still on their way to the agent: when the poll was sent, and the answer.
    pub(super) answers: VecDeque<(Instant, Events)>,
    pub(super) starts: u32,
}

impl Server {
    pub(super) fn start(number: usize, starts: u32) -> Self {
        Self {
            id: ServerId(u64::try_from(number).unwrap()),
            book: Rulebook::new(LIFETIMES, DEFAULT_BYTES, Totals::default()),
            sessions: Sessions::shared(),
            untold: Untold::default(),
            feed: Feed::new(format!("server {number}, start {starts}"), 0, Gauge::default()),
            connected: false,
            under_way: VecDeque::new(),
            reads: VecDeque::new(),
            answers: VecDeque::new(),
            starts,
        }
    }

    pub(super) fn gap(&self) {
        self.feed.everything_changed();
    }

    pub(super) fn notice(&mut self) {
        self.connected = false;
        self.under_way.clear();
        self.sessions.lost(Source::OwnChannel, || self.gap());
        self.sessions.lost(Source::Keyspace, || self.gap());
    }

    pub(super) fn take(&self, message: Message, now: Instant) {
        match message {
            Message::Changed(group) => {
                self.book.forget(group);
                self.untold.told(group);
                self.feed.changed(group);
            }
            Message::Beat(sent) => {
                self.sessions.heard(Source::OwnChannel, sent);
                self.sessions.heard(Source::Keyspace, sent);
                if self.untold.convicted(&self.sessions, now) > 0 {
                    self.sessions.convict(|| self.gap());
                }
            }
        }
    }

    /// A read ends, as [`crate::revocations`] ends it.
    pub(super) fn land(&self, flight: Flight, read: Result<Arc<Group>, Missed>, now: Instant) {
        let (name, session) = (flight.name().to_owned(), flight.session());
        if self.book.land(flight, read) == News::Untold
            && let Some(session) = session
        {
            self.untold.found(&name, now, session);
            self.feed.changed(&name);
        }
    }

    pub(super) fn complete_for(&self, now: Instant) -> Option<Duration> {
        let session = self.sessions.current().filter(|session| session.vouches(now))?;
        Some(now.saturating_duration_since(session.as_of(now)))
    }
}

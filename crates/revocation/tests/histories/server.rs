//! One server: its real rules, and what is under way to it and from it.

use std::collections::VecDeque;
use std::sync::Arc;

use jose::Reject;
use revocation::check::CheckResult;
use revocation::events::Events;
use revocation::in_milliseconds;
use revocation::lease::{ServerId, Stamp};
use rules::Claims;
use token_server::annotations::Annotations;
use token_server::continuity::{Sessions, Source};
use token_server::revocations::{Revocations, load_deadline};
use token_server::rulebook::{DEFAULT_BYTES, Totals};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::LIFETIMES;
use super::store::{Link, NoNotes, Shelf};

/// The sources that a server needs to vouch.
const SOURCES: [Source; 2] = [Source::OwnChannel, Source::Keyspace];

pub(super) enum Message {
    Changed(&'static str),
    Beat(Instant),
}

/// A check's answer, as it reaches the agent.
pub(super) struct Answered {
    pub(super) subject: &'static str,
    pub(super) verdict: Result<(), Reject>,
    pub(super) stamp: Stamp,
}

pub(super) struct Server {
    /// What the agent calls it.
    pub(super) id: ServerId,
    pub(super) rules: Arc<Revocations>,
    pub(super) link: Arc<Link>,
    pub(super) connected: bool,
    pub(super) under_way: VecDeque<Message>,
    /// Checks that wait for a read.
    pub(super) checks: Vec<JoinHandle<Answered>>,
    /// Answers to polls that are still on their way to the agent: when the poll was sent, and the answer.
    pub(super) answers: VecDeque<(Instant, Events)>,
}

impl Server {
    pub(super) fn start(id: ServerId, shelf: &Shelf) -> Self {
        let link = Link::new(shelf);
        let rules = Revocations::new(
            link.clone(),
            Arc::new(Annotations::new(NoNotes, Default::default())),
            Sessions::shared(),
            LIFETIMES,
            DEFAULT_BYTES,
            Totals::default(),
            0,
        );
        Self {
            id,
            rules: Arc::new(rules.unwrap()),
            link,
            connected: false,
            under_way: VecDeque::new(),
            checks: Vec::new(),
            answers: VecDeque::new(),
        }
    }

    /// The connection to the store is found to be broken.
    pub(super) fn lose(&mut self) {
        self.connected = false;
        self.under_way.clear();
        SOURCES.into_iter().for_each(|source| self.rules.lost(source));
    }

    pub(super) fn connect(&mut self, now: Instant) {
        if !self.connected {
            self.lose();
            self.connected = true;
            SOURCES.into_iter().for_each(|source| self.rules.joined(source, now));
        }
    }

    pub(super) fn take(&self, message: Message) {
        match message {
            Message::Changed(group) => _ = self.rules.changed(group),
            Message::Beat(sent) => SOURCES.into_iter().for_each(|source| self.rules.heard(source, sent)),
        }
    }

    /// Whether no news of this server means no change.
    pub(super) fn vouches(&self) -> bool {
        self.rules.complete_for(Instant::now()).is_some()
    }

    /// Answers a check that was sent now.
    pub(super) fn check(&self, subject: &'static str) -> impl Future<Output = Answered> + Send + use<> {
        let (id, rules, asked) = (self.id, Arc::clone(&self.rules), Instant::now().into_std());
        async move {
            // As a batch is answered: the revision is read before the rules are.
            let (epoch, revision) = (rules.feed().epoch().into(), rules.revision());
            let claims: Claims = serde_json::from_str(r#"{"rt":"x"}"#).unwrap();
            let checked = rules.check(&claims, Some(subject), 0, load_deadline()).await;
            let (vouched, read_ago) = (checked.vouched, in_milliseconds(checked.read_ago));
            let result = CheckResult { vouched, read_ago, ..CheckResult::default() };
            let stamp = Stamp::of(&result, id, epoch, revision, asked);
            Answered { subject, verdict: checked.verdict, stamp }
        }
    }
}

//! The rules as checks, writers and readers meet them: the store behind, what is known of it in memory, and the feed of
//! its changes, in one order.

mod batch;
mod draft;
mod left;
mod limits;
mod reading;
mod reads;
mod replacing;
mod search;
mod trail;
mod trials;
mod undo;
mod writes;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use jose::Reject;
use revocation::events::{Events, Since};
use revocation::in_milliseconds;
use rules::Token;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::annotations::Annotations;
use crate::continuity::{Session, Sessions, Source, Untold};
use crate::feed::Feed;
use crate::rulebook::{Group, Lifetimes, Read, Rulebook, Totals, check};
use crate::store::{Condition, Cursor, EVERYBODY, Page, Store, StoreError, random_name};

pub use batch::Written;
pub use draft::{Act, Draft, Why};
use left::Left;
pub use limits::{MAX_RULES_OF_EVERYBODY, MAX_RULES_PER_GROUP};
pub use reading::LOAD_WAIT;
use reading::{LOAD_LIMIT, parse, within};
pub(crate) use replacing::{Beside, Replaced, Replacement};
pub use search::{Found, MAX_NAMES_LOOKED_AT, NamePart};
pub use trail::TrailFilter;
pub use undo::Undone;
pub use writes::Added;

/// Bytes of a group's name: a subject claim.
pub const MAX_GROUP_BYTES: usize = 512;

/// Groups that are read at once. After a start all subjects are asked about; were all read at once, all would be late, and a
/// read that takes longer than [`LOAD_LIMIT`] was for nothing.
const READS: usize = 32;

/// How long a reader of lists waits for the store; below the deadline of a request.
const STORE_LIMIT: Duration = Duration::from_secs(5);

/// The rules: durable in the store, and parsed in memory for the checks.
pub struct Revocations {
    store: Arc<dyn Store>,
    /// Notes, and rules on trial: they are written here.
    annotations: Arc<Annotations>,
    book: Rulebook,
    /// The rules of a token without a subject.
    subjectless: Arc<Group>,
    sessions: Sessions,
    untold: Untold,
    feed: Feed,
    /// Held by the one writer, until the memory has followed: in the order of the store, and with room for the rule that was
    /// looked for.
    writing: Mutex<()>,
    /// What the last of several rules that were written together left, in a store that others write to.
    left: Left,
    /// Turns of those who read groups.
    turns: Semaphore,
    /// Whether the last read was answered, and in the time that a check can wait.
    store_answers: AtomicBool,
    /// Reads and writes that go on even when no request waits for them any more.
    tasks: TaskTracker,
}

/// The verdict of the rules on a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RulesVerdict {
    /// Whether the token may be used: [`Reject::Revoked`], or [`Reject::Rules`] if the rules are not known or not
    /// understood.
    pub verdict: Result<(), Reject>,
    /// Whether the feed tells whatever would change the verdict, from the revision on that was the last when it was
    /// asked for.
    pub vouched: bool,
    /// How long ago the rules of its subject were read; zero where no other process writes.
    pub read_ago: Duration,
}

/// How many rules a group has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSize {
    /// The group's name.
    pub group: String,
    /// Rules, the unreadable ones included.
    pub rules: usize,
    /// Rules that are not understood.
    pub unreadable: usize,
    /// Why its rules are not known though the store answers.
    pub fault: Option<String>,
}

/// Until when a check that comes now waits for rules, if it has no less time.
pub fn load_deadline() -> Instant {
    Instant::now() + LOAD_WAIT
}

impl Revocations {
    /// Rules of a store of which nothing has been read yet, with what is known of them, kept in memory as [`Rulebook::new`] tells; the store's changes
    /// are numbered from `revision` on.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new(
        store: Arc<dyn Store>,
        annotations: Arc<Annotations>,
        sessions: Sessions,
        lifetimes: Lifetimes,
        cache_bytes: u64,
        totals: Totals,
        revision: u64,
    ) -> Result<Self, StoreError> {
        let (epoch, tasks) = (random_name()?, TaskTracker::new());
        let book = Rulebook::new(lifetimes, cache_bytes, totals.clone());
        book.show_revision(revision);
        Ok(Self {
            store,
            annotations,
            subjectless: Arc::new(Group::parse(Vec::new(), &totals)),
            book,
            sessions,
            untold: Untold::default(),
            feed: Feed::new(epoch, revision, totals.feed, tasks.clone()),
            writing: Mutex::default(),
            left: Left::default(),
            turns: Semaphore::new(READS),
            store_answers: AtomicBool::new(true),
            tasks,
        })
    }

    /// What is known of the rules.
    pub fn book(&self) -> &Rulebook {
        &self.book
    }

    /// The changes, numbered.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// The time by the store's own clock, unix seconds, if it has one and tells.
    pub fn store_now(&self) -> Option<i64> {
        self.store.now()
    }

    /// What may cost rules though the store answers.
    ///
    /// # Errors
    /// The store could not be examined.
    pub async fn examine(&self) -> Result<Condition, StoreError> {
        self.store.examine().await
    }

    /// The number of the last change that is known here.
    pub fn revision(&self) -> u64 {
        self.feed.revision()
    }

    /// The name of the store, for those who ask several servers; absent until it has been reached once.
    pub fn store_id(&self) -> Option<Arc<str>> {
        self.store.store_id()
    }

    /// How old the moment is up to which every change is known here; absent when changes may pass unheard.
    pub fn complete_for(&self, now: Instant) -> Option<Duration> {
        let session = self.sessions.current().filter(|session| session.vouches(now))?;
        Some(now.saturating_duration_since(session.as_of(now)))
    }

    /// What the feed tells a reader who is this far.
    ///
    /// # Errors
    /// [`StoreError::Unreached`]: the store has no name yet.
    pub fn events(&self, since: Option<&Since>, now: Instant) -> Result<Events, StoreError> {
        let store_id = self.store_id().ok_or(StoreError::Unreached)?.to_string();
        // Looked at before the log: a change that comes in between is told, and not yet vouched for.
        let complete_as_of = self.complete_for(now).map(in_milliseconds);
        let (revision, changes) = self.feed.after(since);
        let epoch = self.feed.epoch().to_owned();
        Ok(Events { store_id, epoch, revision, complete_as_of, changes })
    }

    /// The same as text, for a poll that came at `asked`.
    ///
    /// # Errors
    /// As [`events`](Self::events).
    pub fn answer(&self, since: Option<&Since>, asked: Instant, now: Instant) -> Result<Bytes, StoreError> {
        self.feed.answer(since, asked, now, || self.events(since, now))
    }

    /// Checks a token at `now` (unix seconds) by the rules of its subject and of everybody, which are read if need be.
    /// Waits for them until `until`, usually [`load_deadline`].
    ///
    /// A rule has ended when it has by this server's clock and by the store's: of clocks that differ, one is wrong.
    pub async fn check<'t>(
        self: &Arc<Self>,
        token: impl Into<Token<'t>>,
        subject: Option<&str>,
        now: i64,
        until: Instant,
    ) -> RulesVerdict {
        let token = token.into();
        let patience = until.saturating_duration_since(Instant::now());
        let session = self.sessions.current();
        let own = async {
            match subject.filter(|subject| *subject != EVERYBODY) {
                Some(subject) => self.read(subject, session.as_ref(), patience).await,
                None => {
                    let at = Instant::now();
                    Some(Read { group: Arc::clone(&self.subjectless), session: session.clone(), at })
                }
            }
        };
        let (everybody, own) = tokio::join!(self.read(EVERYBODY, session.as_ref(), patience), own);
        let now = self.store.now().map_or(now, |stores| stores.min(now));
        let verdict = check(group(everybody.as_ref()), group(own.as_ref()), token, now);
        // Asked last: a session that lives now has missed nothing since the caller looked at the revision.
        let vouched = session.is_some_and(|session| {
            is_of(everybody.as_ref(), &session)
                && is_of(own.as_ref(), &session)
                && session.vouches(Instant::now())
        });
        // Everybody's rules are read again by this server itself, not by the checks.
        let read_ago = match &own {
            Some(own) if !self.sessions.are_exclusive() => own.at.elapsed(),
            Some(_) | None => Duration::ZERO,
        };
        RulesVerdict { verdict, vouched, read_ago }
    }

    /// Reads everybody's rules if they are not known, so that no check has to; tells whether they are known now.
    pub async fn warm(self: &Arc<Self>) -> bool {
        self.read(EVERYBODY, self.sessions.current().as_ref(), LOAD_LIMIT).await.is_some()
    }

    /// Reads everybody's rules, however many, so that what needs them finds them.
    pub async fn load(self: &Arc<Self>) {
        self.read(EVERYBODY, self.sessions.current().as_ref(), self.load_limit()).await;
    }

    /// Up to `limit` rules of a group as the store has them, from the place `after` on.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn page(&self, group: &str, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        within(STORE_LIMIT, self.store.page(group, after, limit)).await
    }

    /// Up to `limit` groups in the order of their names, after the name `after`, and whether more follow.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn groups(
        self: &Arc<Self>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<GroupSize>, bool), StoreError> {
        let reading = async {
            let (names, more) = self.store.groups(after, limit).await?;
            Ok((self.sizes(names).await?, more))
        };
        within(STORE_LIMIT, reading).await
    }

    /// How many rules each of these groups has; one that has none any more is left out.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn sizes(&self, names: Vec<String>) -> Result<Vec<GroupSize>, StoreError> {
        let mut sizes = Vec::with_capacity(names.len());
        for name in names {
            let known = self.book.fresh(&name, Instant::now(), self.sessions.current().as_ref());
            let group = match known {
                Some(read) => read.group,
                None => match self.store.group(&name).await {
                    Ok(stored) => parse(stored, Totals::default(), Group::parse).await?,
                    // One group's fault must not hide the others.
                    Err(error @ StoreError::NotRules) => {
                        let fault = Some(error.to_string());
                        sizes.push(GroupSize { group: name, rules: 0, unreadable: 0, fault });
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            // One that vanished between the two reads is no group any more.
            if !group.is_empty() {
                let (rules, unreadable) = (group.len(), group.unreadable());
                sizes.push(GroupSize { group: name, rules, unreadable, fault: None });
            }
        }
        Ok(sizes)
    }

    /// A group was changed, here or elsewhere: what was read before is forgotten, and the feed tells it. A name that is too
    /// long for a group comes from a writer of something else than rules; it is told as a change of anything.
    pub fn changed(&self, group: &str) -> u64 {
        self.book.forget(group);
        self.untold.told(group);
        self.tell(group)
    }

    /// The same, and rules may be gone from it.
    pub fn shrank(&self, group: &str) -> u64 {
        self.left.doubt();
        self.changed(group)
    }

    /// Agents hear that a group changed.
    fn tell(&self, group: &str) -> u64 {
        let revision = if group.len() > MAX_GROUP_BYTES {
            self.feed.everything_changed()
        } else {
            self.feed.changed(group)
        };
        self.book.show_revision(revision);
        revision
    }

    /// Agents hear that groups changed together.
    fn tell_all(&self, groups: &[&str]) -> u64 {
        let revision = self.feed.changed_all(groups);
        self.book.show_revision(revision);
        revision
    }

    /// Whether a rule is in force, by its canonical text.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn contains(self: &Arc<Self>, group: &str, canonical: &str) -> Result<bool, StoreError> {
        Ok(self.known(group).await?.contains(canonical))
    }

    /// A source of changes tells all of them from `at` on; what was known before may be out of date.
    pub fn joined(&self, source: Source, at: Instant) {
        self.sessions.joined(source, at, || self.everything_changed());
    }

    /// A source has told every change up to `at`.
    pub fn heard(&self, source: Source, at: Instant) {
        self.sessions.heard(source, at);
        let groups = self.untold.convicted(&self.sessions, Instant::now());
        if groups > 0 {
            self.sessions.convict(|| self.everything_changed());
            self.book.totals().untold.inc_by(u64::try_from(groups).unwrap_or(u64::MAX));
            tracing::error!(
                groups,
                "rules were found in Redis that neither keyspace notifications nor Consul told of: one of them does not hear \
                 of all rules. Until this server starts again they are not relied on: rules are read again after \
                 TOKEN_SERVER__CACHE__TTL, and agents ask again after JWT_CACHE_TTL. See that TOKEN_SERVER__CONSUL__URL leads \
                 to the Consul that ms-users writes to, and that its ACL shows all keys"
            );
        }
    }

    /// A source may have missed changes.
    pub fn lost(&self, source: Source) {
        self.sessions.lost(source, || self.everything_changed());
    }

    fn everything_changed(&self) {
        self.book.show_revision(self.feed.everything_changed());
    }

    /// Waits for the reads and writes that are under way.
    pub async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn group(read: Option<&Read>) -> Option<&Group> {
    read.map(|read| &*read.group)
}

fn is_of(read: Option<&Read>, session: &Arc<Session>) -> bool {
    let own = read.and_then(|read| read.session.as_ref());
    own.is_some_and(|own| Arc::ptr_eq(own, session))
}

#[cfg(test)]
pub(crate) mod tests;

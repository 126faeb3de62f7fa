//! Since when, and until when, this server has seen every change of the store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::time::Instant;

/// How long a source may be silent before it no longer vouches. Sources say something twice a second.
pub const MAX_SILENCE: Duration = Duration::from_secs(3);

/// Something that tells of changes, and from which silence can be told from death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The channel on which token-servers publish what they write.
    OwnChannel,
    /// Redis keyspace notifications: every change of a rule's key, by any writer.
    Keyspace,
    /// Consul's keys, which ms-users writes after its rules.
    Consul,
}

/// A time without a gap: every change since its start has been heard, up to [`Session::as_of`].
///
/// What was read during a session is known to be right until `as_of`, also after the session has ended.
#[derive(Debug)]
pub struct Session(Mutex<Reach>);

#[derive(Debug, Clone, Copy)]
enum Reach {
    /// No other process can write.
    Unlimited,
    Live(Instant),
    Ended(Instant),
}

impl Session {
    /// The session of a store that no other process can write to.
    pub fn exclusive() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Reach::Unlimited)))
    }

    fn begun(at: Instant) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Reach::Live(at))))
    }

    /// Whether no other process can write, so that what is known changes only by what this process does.
    pub fn is_exclusive(&self) -> bool {
        matches!(*self.lock(), Reach::Unlimited)
    }

    /// Every change that was acknowledged before this moment has been heard.
    pub fn as_of(&self, now: Instant) -> Instant {
        match *self.lock() {
            Reach::Unlimited => now,
            Reach::Live(at) | Reach::Ended(at) => at,
        }
    }

    /// Whether the session goes on at `now`, so that no news means no change.
    pub fn vouches(&self, now: Instant) -> bool {
        match *self.lock() {
            Reach::Unlimited => true,
            Reach::Live(at) => now.saturating_duration_since(at) <= MAX_SILENCE,
            Reach::Ended(_) => false,
        }
    }

    fn extend(&self, to: Instant) {
        let mut reach = self.lock();
        if let Reach::Live(at) = &mut *reach {
            *at = (*at).max(to);
        }
    }

    fn end(&self) {
        let mut reach = self.lock();
        if let Reach::Live(at) = *reach {
            *reach = Reach::Ended(at);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Reach> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the sources together vouch for.
///
/// Our own writers are heard on the channel; writers that are not ours, by keyspace notifications or Consul. Without
/// the one or the other a change could pass unheard, and there is no session.
#[derive(Debug)]
pub struct Sessions {
    heard: Mutex<Heard>,
    current: ArcSwapOption<Session>,
}

/// Until when each source has told everything; absent while it is down.
#[derive(Debug, Default)]
struct Heard {
    own_channel: Option<Instant>,
    keyspace: Option<Instant>,
    consul: Option<Instant>,
    /// Sources that did not tell of a rule that was written while they vouched; they never vouch again.
    convicted: Vec<Source>,
}

impl Sessions {
    /// For a store that others write to.
    pub fn shared() -> Self {
        Self { heard: Mutex::default(), current: ArcSwapOption::empty() }
    }

    /// For a store that is ours alone.
    pub fn exclusive() -> Self {
        Self { heard: Mutex::default(), current: ArcSwapOption::new(Some(Session::exclusive())) }
    }

    /// Whether the store is ours alone.
    pub fn are_exclusive(&self) -> bool {
        self.current().is_some_and(|session| session.is_exclusive())
    }

    /// The session under which something that is read from now on will be known.
    pub fn current(&self) -> Option<Arc<Session>> {
        self.current.load_full()
    }

    /// A source tells every change from `at` on. What was before may have passed unheard: a new session begins, and
    /// `between` the old one and it there is none.
    pub fn joined(&self, source: Source, at: Instant, between: impl FnOnce()) {
        let mut heard = self.lock();
        *heard.of(source) = Some(at);
        self.begin_again(&heard, between);
    }

    /// A source has told every change until `at`.
    pub fn heard(&self, source: Source, at: Instant) {
        let mut heard = self.lock();
        if let Some(known) = heard.of(source) {
            *known = (*known).max(at);
        }
        if let (Some(session), Some(reach)) = (&*self.current.load(), heard.together()) {
            session.extend(reach);
        }
    }

    /// A source may have missed something. Those that are left may do for a session of their own.
    pub fn lost(&self, source: Source, between: impl FnOnce()) {
        let mut heard = self.lock();
        if heard.of(source).take().is_some() {
            self.begin_again(&heard, between);
        }
    }

    /// Those who vouch for foreign writers have missed something that they should have told. None of them vouches any more, as
    /// long as this program runs: what they missed once they may miss again.
    pub fn convict(&self, between: impl FnOnce()) {
        let mut heard = self.lock();
        for (source, at) in [(Source::Keyspace, heard.keyspace), (Source::Consul, heard.consul)] {
            if at.is_some() && !heard.convicted.contains(&source) {
                heard.convicted.push(source);
            }
        }
        self.begin_again(&heard, between);
    }

    fn begin_again(&self, heard: &Heard, between: impl FnOnce()) {
        if let Some(session) = self.current.swap(None) {
            session.end();
        }
        between();
        self.current.store(heard.together().map(Session::begun));
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn of(&mut self, source: Source) -> &mut Option<Instant> {
        match source {
            Source::OwnChannel => &mut self.own_channel,
            Source::Keyspace => &mut self.keyspace,
            Source::Consul => &mut self.consul,
        }
    }

    fn together(&self) -> Option<Instant> {
        let sources = [(Source::Keyspace, self.keyspace), (Source::Consul, self.consul)];
        let trusted = sources.into_iter().filter(|(source, _)| !self.convicted.contains(source));
        let others = trusted.filter_map(|(_, at)| at).max()?;
        Some(self.own_channel?.min(others))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn only_own_and_foreign_writers_together_make_a_session() {
        let (sessions, start) = (Sessions::shared(), Instant::now());
        sessions.joined(Source::OwnChannel, start, || ());
        assert!(sessions.current().is_none(), "a foreign writer would not be heard");
        sessions.joined(Source::Consul, after(start, 1), || ());
        let session = sessions.current().unwrap();
        assert_eq!(session.as_of(after(start, 9)), start, "as far as the source that is behind");
        sessions.heard(Source::OwnChannel, after(start, 2));
        assert_eq!(session.as_of(after(start, 9)), after(start, 1));
        assert!(session.vouches(after(start, 4)) && !session.vouches(after(start, 5)));

        sessions.lost(Source::Keyspace, || ());
        assert!(session.vouches(after(start, 4)), "it was not there");
        sessions.lost(Source::OwnChannel, || ());
        sessions.heard(Source::OwnChannel, after(start, 3));
        assert!(sessions.current().is_none() && !session.vouches(after(start, 2)));
        assert_eq!(session.as_of(after(start, 9)), after(start, 1), "what it covered stays known");
    }

    #[test]
    fn a_source_that_missed_a_rule_never_vouches_again_and_another_may() {
        let (sessions, start) = (Sessions::shared(), Instant::now());
        sessions.joined(Source::OwnChannel, start, || ());
        sessions.joined(Source::Consul, start, || ());
        let (session, mut gaps) = (sessions.current().unwrap(), 0);
        sessions.convict(|| gaps += 1);
        assert!(sessions.current().is_none() && !session.vouches(start) && gaps == 1);
        sessions.heard(Source::Consul, after(start, 1));
        sessions.lost(Source::Consul, || ());
        sessions.joined(Source::Consul, after(start, 2), || ());
        assert!(sessions.current().is_none(), "also after it was connected again");
        sessions.joined(Source::Keyspace, after(start, 3), || ());
        sessions.heard(Source::OwnChannel, after(start, 3));
        assert!(sessions.current().unwrap().vouches(after(start, 3)));
        sessions.convict(|| ());
        assert!(sessions.current().is_none());
    }

    #[test]
    fn a_source_that_comes_back_begins_a_session_of_its_own() {
        let (sessions, start) = (Sessions::shared(), Instant::now());
        sessions.joined(Source::OwnChannel, start, || ());
        sessions.joined(Source::Keyspace, start, || ());
        let first = sessions.current().unwrap();
        sessions.joined(Source::OwnChannel, after(start, 1), || ());
        assert!(!first.vouches(start));
        assert!(!Arc::ptr_eq(&first, &sessions.current().unwrap()));
    }

    #[test]
    fn a_session_over_a_store_of_ones_own_always_vouches() {
        let (session, now) = (Session::exclusive(), Instant::now());
        assert!(session.vouches(now));
        assert_eq!(session.as_of(now), now);
    }
}

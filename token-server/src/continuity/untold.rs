//! Rules that were found in the store though no source had told of them.
//!
//! Such a rule may have been written a moment ago, and its message may be under way. So it is only suspicious until the
//! sources have told every change from before it was found, and [`GRACE`] more: ms-users writes to Redis first and to Consul
//! then. If none of them has told of it by then, one of them vouches for what it does not hear.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::session::{Session, Sessions};

/// How long after a rule is in the store its writer may take to tell of it.
const GRACE: Duration = Duration::from_secs(1);

/// Groups that may be under suspicion; one conviction is enough.
const MAX_SUSPECTS: usize = 1_000;

/// Groups with rules that were found and not told of, yet.
#[derive(Debug, Default)]
pub struct Untold(Mutex<HashMap<Box<str>, Found>>);

#[derive(Debug)]
struct Found {
    at: Instant,
    session: Arc<Session>,
}

impl Untold {
    /// Rules of a group were found at this moment, in this session.
    pub fn found(&self, group: &str, at: Instant, session: Arc<Session>) {
        let mut suspects = self.lock();
        if suspects.len() < MAX_SUSPECTS || suspects.contains_key(group) {
            suspects.entry(group.into()).or_insert(Found { at, session });
        }
    }

    /// A source has told of a change of the group.
    pub fn told(&self, group: &str) {
        self.lock().remove(group);
    }

    /// How many groups were found in the current session that its sources should have told of by now. They are forgotten, as
    /// are those of earlier sessions: when one ends, all is read again.
    pub fn convicted(&self, sessions: &Sessions, now: Instant) -> usize {
        let mut suspects = self.lock();
        if suspects.is_empty() {
            return 0;
        }
        let current = sessions.current();
        let mut convicted: usize = 0;
        suspects.retain(|_, found| {
            let Some(current) = current.as_ref().filter(|current| Arc::ptr_eq(current, &found.session))
            else {
                return false;
            };
            let is_late = current.as_of(now).saturating_duration_since(found.at) >= GRACE;
            convicted = convicted.saturating_add(usize::from(is_late));
            !is_late
        });
        convicted
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Found>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::continuity::Source;

    #[test]
    fn what_is_told_within_the_grace_is_no_fault_and_what_is_not_told_is() {
        let (untold, sessions, start) = (Untold::default(), Sessions::shared(), Instant::now());
        sessions.joined(Source::OwnChannel, start, || ());
        sessions.joined(Source::Consul, start, || ());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let hear = |milliseconds| {
            sessions.heard(Source::OwnChannel, at(milliseconds));
            sessions.heard(Source::Consul, at(milliseconds));
        };
        let session = sessions.current().unwrap();
        untold.found("anna", at(100), Arc::clone(&session));
        untold.found("ben", at(100), Arc::clone(&session));
        hear(1_099);
        assert_eq!(untold.convicted(&sessions, at(5_000)), 0, "the sources have not come so far");
        untold.told("ben");
        sessions.heard(Source::OwnChannel, at(1_100));
        assert_eq!(untold.convicted(&sessions, at(5_000)), 0, "one of them has not");
        hear(1_100);
        assert_eq!(untold.convicted(&sessions, at(5_000)), 1);
        assert_eq!(untold.convicted(&sessions, at(5_000)), 0, "it is told once");

        untold.found("anna", at(1_100), session);
        sessions.joined(Source::OwnChannel, at(1_200), || ());
        hear(9_000);
        assert_eq!(untold.convicted(&sessions, at(9_000)), 0, "in another session all is read again");
    }

    #[test]
    fn the_suspects_are_bounded() {
        let (untold, sessions, start) = (Untold::default(), Sessions::shared(), Instant::now());
        sessions.joined(Source::OwnChannel, start, || ());
        sessions.joined(Source::Consul, start, || ());
        for number in 0..=MAX_SUSPECTS {
            untold.found(&number.to_string(), start, sessions.current().unwrap());
        }
        assert_eq!(untold.lock().len(), MAX_SUSPECTS);
    }
}

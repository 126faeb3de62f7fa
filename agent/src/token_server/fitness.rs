//! Whether what the token-servers say is fit to judge by: what the agent's readiness takes from their feeds.
//!
//! A server that is down is no reason to take the agent out: another one answers, or `E_BACKEND_UNAVAIL` with its cause
//! does. A server that judges by another profile, refuses our bearer token, or reads another store than its neighbour,
//! is: its answers would be wrong, not absent. And so is silence on all sides, since the start or for long: another agent
//! may hear what this one does not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use service::lease::ServerId;

/// How long no server may have been heard. Ten times what a feed takes to come back after a server's restart.
pub const MAX_SILENCE: Duration = Duration::from_secs(10);

/// What came of asking a server's feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It answered, from this store.
    Heard(String),
    /// Its answers cannot be used.
    Wrong(String),
    /// It did not answer.
    Silent,
}

/// The last report on each server.
#[derive(Debug, Default)]
pub struct Fitness {
    reports: BTreeMap<ServerId, Report>,
    last_heard: Option<Instant>,
}

impl Fitness {
    /// Takes a report that came `at` this moment.
    pub fn note(&mut self, server: ServerId, report: Report, at: Instant) {
        if matches!(report, Report::Heard(_)) {
            self.last_heard = Some(at);
        }
        self.reports.insert(server, report);
    }

    /// Forgets the servers that are not asked any more.
    pub fn retain(&mut self, is_asked: impl Fn(ServerId) -> bool) {
        self.reports.retain(|server, _| is_asked(*server));
    }

    /// Whether requests may be sent to this agent.
    ///
    /// # Errors
    ///
    /// Why not, for an operator.
    pub fn judge(&self, now: Instant) -> Result<(), &str> {
        let mut stores = BTreeSet::new();
        for report in self.reports.values() {
            match report {
                Report::Wrong(why) => return Err(why),
                Report::Heard(store) => {
                    stores.insert(store);
                }
                Report::Silent => {}
            }
        }
        if stores.len() > 1 {
            return Err("the servers read different stores; all servers of one agent must share one");
        }
        match self.last_heard {
            None => Err("no token-server has answered yet"),
            Some(at) if now.saturating_duration_since(at) > MAX_SILENCE => {
                Err("no token-server has been heard for more than 10 seconds")
            }
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ServerId = ServerId(0);
    const B: ServerId = ServerId(1);

    fn heard(store: &str) -> Report {
        Report::Heard(store.to_owned())
    }

    #[test]
    fn one_server_that_is_heard_is_enough() {
        let (mut fitness, start) = (Fitness::default(), Instant::now());
        assert!(fitness.judge(start).is_err());
        fitness.note(A, Report::Silent, start);
        assert!(fitness.judge(start).is_err());
        fitness.note(B, heard("s"), start);
        assert_eq!(fitness.judge(start + MAX_SILENCE), Ok(()));
        let late = start + MAX_SILENCE * 2;
        assert!(fitness.judge(late).unwrap_err().contains("10 seconds"), "MAX_SILENCE is {MAX_SILENCE:?}");
        fitness.note(A, heard("s"), late);
        assert_eq!(fitness.judge(late), Ok(()));
    }

    #[test]
    fn a_server_whose_answers_are_wrong_holds_the_agent_back_until_it_is_mended_or_gone() {
        let (mut fitness, now) = (Fitness::default(), Instant::now());
        fitness.note(A, heard("s"), now);
        for wrong in [heard("another"), Report::Wrong("another profile".to_owned())] {
            fitness.note(B, wrong.clone(), now);
            assert!(fitness.judge(now).is_err(), "{wrong:?}");
            fitness.note(B, Report::Silent, now);
            assert_eq!(fitness.judge(now), Ok(()));
            fitness.note(B, wrong, now);
            fitness.retain(|server| server == A);
            assert_eq!(fitness.judge(now), Ok(()));
        }
    }
}

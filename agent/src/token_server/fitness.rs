//! Which token-servers are fit to be asked, and whether one of them is: what their feeds tell.
//!
//! A server that is down is no reason to leave it out here: what becomes of checks tells that. A server that judges by
//! another profile, refuses our bearer token, or reads another store than most is left out, since its answers would be
//! absent or wrong. Only where none is left the agent is not ready, and where stores differ and none of them is that of
//! most servers. So it is in silence on all sides, since the start or for long: another agent may hear what this one does
//! not.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use revocation::lease::ServerId;

use super::standing::Cause;

/// How long no server may have been heard. Ten times what a feed takes to come back after a server's restart.
pub const MAX_SILENCE: Duration = Duration::from_secs(10);

/// What came of asking a server's feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It answered, from this store.
    Heard(String),
    /// It refuses us.
    Refused(Cause),
    /// It did not answer.
    Silent,
}

/// What is known of each server.
#[derive(Debug, Default)]
pub struct Fitness {
    servers: BTreeMap<ServerId, Known>,
}

#[derive(Debug)]
struct Known {
    /// Its name, for people.
    name: String,
    /// The store that it named last, whatever came after.
    store: Option<String>,
    /// When that was.
    heard: Option<Instant>,
    /// Why it refuses us.
    refusal: Option<Cause>,
}

impl Fitness {
    /// These servers are asked from now on, and no others.
    pub fn know(&mut self, servers: impl IntoIterator<Item = (ServerId, String)>) {
        let mut before = std::mem::take(&mut self.servers);
        for (id, name) in servers {
            let known = before.remove(&id).unwrap_or(Known { name, store: None, heard: None, refusal: None });
            self.servers.insert(id, known);
        }
    }

    /// Takes a report that came `at` this moment.
    pub fn note(&mut self, server: ServerId, report: Report, at: Instant) {
        let Some(known) = self.servers.get_mut(&server) else { return };
        match report {
            Report::Heard(store) => {
                known.store = Some(store);
                known.heard = Some(at);
                known.refusal = None;
            }
            Report::Refused(cause) => known.refusal = Some(cause),
            // What it said before may hold as well as not: a server that cannot be reached cannot take it back.
            Report::Silent => {}
        }
    }

    /// Each server, with why it is to be left out if it is.
    pub fn causes(&self) -> impl Iterator<Item = (ServerId, Option<Cause>)> {
        let shared = self.shared_store();
        self.servers.iter().map(move |(id, known)| (*id, known.cause(shared)))
    }

    /// Whether requests may be sent to this agent.
    ///
    /// # Errors
    ///
    /// Why not, for an operator.
    pub fn judge(&self, now: Instant) -> Result<(), String> {
        let shared = self.shared_store();
        let why = if self.stores_differ() && shared.is_none() {
            "the servers read different stores, and no store is that of most of them; all servers of one agent must share one"
        } else {
            let usable = self.servers.values().filter(|known| known.cause(shared).is_none());
            match usable.filter_map(|known| known.heard).max() {
                Some(at) if now.saturating_duration_since(at) <= MAX_SILENCE => return Ok(()),
                Some(_) => "no token-server has been heard for more than 10 seconds",
                None => "no token-server has answered yet",
            }
        };
        let left_out = self.servers.values().filter_map(|known| {
            known.cause(shared).map(|cause| format!("; {} is left out: {}", known.name, cause.explain()))
        });
        Err(left_out.fold(why.to_owned(), |told, one| told + &one))
    }

    fn stores_differ(&self) -> bool {
        let mut stores = self.servers.values().filter_map(|known| known.store.as_deref());
        let first = stores.next();
        stores.any(|store| Some(store) != first)
    }

    /// The store of more than half of the servers that named one. A server that is silent now still counts, so that its
    /// restart gives the others no majority.
    fn shared_store(&self) -> Option<&str> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for store in self.servers.values().filter_map(|known| known.store.as_deref()) {
            let count = counts.entry(store).or_default();
            *count = count.saturating_add(1);
        }
        let all: usize = counts.values().sum();
        counts.into_iter().find(|(_, count)| count.saturating_mul(2) > all).map(|(store, _)| store)
    }
}

impl Known {
    fn cause(&self, shared: Option<&str>) -> Option<Cause> {
        let foreign = shared.is_some() && self.store.is_some() && self.store.as_deref() != shared;
        self.refusal.max(foreign.then_some(Cause::Store))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ServerId = ServerId(0);
    const B: ServerId = ServerId(1);
    const C: ServerId = ServerId(2);

    fn heard(store: &str) -> Report {
        Report::Heard(store.to_owned())
    }

    fn refused(cause: Cause) -> Report {
        Report::Refused(cause)
    }

    /// Nothing is known of these servers yet.
    fn of(servers: &[ServerId]) -> Fitness {
        let mut fitness = Fitness::default();
        fitness.know(servers.iter().map(|id| (*id, format!("http://server-{}", id.0))));
        fitness
    }

    fn causes(fitness: &Fitness) -> Vec<Option<Cause>> {
        fitness.causes().map(|(_, cause)| cause).collect()
    }

    #[test]
    fn one_server_that_is_heard_is_enough() {
        let (mut fitness, start) = (of(&[A, B]), Instant::now());
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
    fn a_server_that_refuses_us_is_left_out_and_the_agent_is_ready_while_another_is_usable() {
        let (mut fitness, now) = (of(&[A, B]), Instant::now());
        fitness.note(A, heard("s"), now);
        for cause in [Cause::Credentials, Cause::Profile] {
            fitness.note(B, refused(cause), now);
            assert_eq!((causes(&fitness), fitness.judge(now)), (vec![None, Some(cause)], Ok(())));
            fitness.note(B, Report::Silent, now);
            assert_eq!(causes(&fitness), [None, Some(cause)], "silence mends nothing");
            fitness.note(A, refused(cause), now);
            let why = fitness.judge(now).unwrap_err();
            assert!(why.contains(cause.explain()) && why.contains("http://server-1"), "{why}");
            for server in [A, B] {
                fitness.note(server, heard("s"), now);
            }
            assert_eq!((causes(&fitness), fitness.judge(now)), (vec![None, None], Ok(())));
        }
    }

    #[test]
    fn a_server_of_another_store_than_most_is_left_out_also_while_one_of_them_is_silent() {
        let (mut fitness, now) = (of(&[A, B, C]), Instant::now());
        fitness.note(A, heard("s"), now);
        fitness.note(B, heard("s"), now);
        fitness.note(C, heard("another"), now);
        let foreign = [None, None, Some(Cause::Store)];
        assert_eq!((causes(&fitness), fitness.judge(now)), (foreign.to_vec(), Ok(())));
        fitness.note(A, Report::Silent, now);
        assert_eq!((causes(&fitness), fitness.judge(now)), (foreign.to_vec(), Ok(())));
        let late = now + MAX_SILENCE * 2;
        fitness.note(C, heard("another"), late);
        let why = fitness.judge(late).unwrap_err();
        assert!(why.contains("no token-server has been heard") && why.contains("another store"), "{why}");
        fitness.note(C, heard("s"), late);
        assert_eq!((causes(&fitness), fitness.judge(late)), (vec![None; 3], Ok(())));
    }

    #[test]
    fn where_no_store_is_that_of_most_servers_the_agent_is_not_ready_and_none_is_left_out() {
        let (mut fitness, now) = (of(&[A, B]), Instant::now());
        fitness.note(A, heard("s"), now);
        fitness.note(B, heard("another"), now);
        assert!(fitness.judge(now).unwrap_err().contains("different stores"));
        assert_eq!(causes(&fitness), [None, None]);
        fitness.know([(A, String::new())]);
        assert_eq!(fitness.judge(now), Ok(()), "the other is gone");
        fitness.note(B, heard("another"), now);
        assert_eq!(fitness.judge(now), Ok(()), "and its late report with it");
    }
}

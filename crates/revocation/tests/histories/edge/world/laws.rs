//! The laws, held after each step, and what HAProxy lets in.

use super::super::TOKENS;
use super::World;
use crate::EVERYBODY;

/// A time of day that moves by more is noticed.
const STEP: i64 = 500;

impl World {
    fn is_over(&self, token: usize) -> bool {
        TOKENS[token].end.is_some_and(|end| end <= self.now())
    }

    /// Whether HAProxy's newest process lets the token in without a question, under each name.
    pub(in super::super) fn admits(&self, token: usize) -> bool {
        let (process, now) = (self.processes.last().unwrap(), self.now().as_millis());
        self.keys[token].iter().all(|(_, key)| process.finds(key, now).is_some())
    }

    /// Whether it lets in every token that no rule is against.
    pub(in super::super) fn admits_all(&self) -> bool {
        let is_good = |token: &usize| {
            let groups = [Some(EVERYBODY), TOKENS[*token].subject];
            let is_revoked = groups.into_iter().flatten().any(|group| self.rules.contains_key(group));
            !is_revoked && !self.is_over(*token)
        };
        (0..TOKENS.len()).filter(is_good).all(|token| self.admits(token))
    }

    /// The laws, at every moment.
    pub(super) fn hold(&self) {
        let serving = self.processes.len().saturating_sub(2)..self.processes.len();
        for number in serving {
            for (token, keys) in self.keys.iter().enumerate() {
                for (_, key) in keys {
                    self.hold_for(number, token, key);
                }
            }
        }
    }

    fn hold_for(&self, process: usize, token: usize, key: &str) {
        let now = self.now().as_millis();
        let Some(found) = self.processes[process].finds(key, now) else { return };
        let given = &self.given[found.id.parse::<usize>().unwrap()];
        let renewal = self.renewals[&(found.lease.to_owned(), found.until)];
        let ahead = |shift: i64| u64::try_from(shift - self.shift).unwrap_or(0);
        // A time of day that was set back comes again, and the lease with it.
        let bound = self.ttl + ahead(renewal.shift);
        assert_eq!(given.token, token, "the verdict is another token's");
        assert_eq!(given.life, renewal.life, "the verdict is under another agent's lease");
        assert!(!self.is_over(token), "used after its end by HAProxy's own clock");
        let late = |since: u64| self.at.saturating_sub(since);
        for group in [Some(EVERYBODY), TOKENS[token].subject].into_iter().flatten() {
            if let Some(written) = self.rules.get(group) {
                assert!(late(*written) <= bound, "used {} ms after the rule of {group}", late(*written));
            }
        }
        if let Some(replaced) = self.replaced.get(&(given.life, given.keys)) {
            assert!(late(*replaced) <= bound, "used {} ms after its keys were replaced", late(*replaced));
        }
        let silent = late(self.heard[&given.server]);
        assert!(silent <= bound, "used when its server had been silent for {silent} ms");
        assert!(late(given.term) <= ahead(given.shift), "used {} ms after its term", late(given.term));
        let agent = self.agents.iter().find(|agent| agent.life == renewal.life);
        if let Some(agent) = agent
            && let (Some(connection), Some(told)) = (agent.connection, agent.told)
            && self.connections[connection].process == process
            && told > self.clock_was_set
        {
            let moved = renewal.shift - self.shift;
            assert!(moved.abs() <= STEP, "used although its agent has noticed that the clock was set");
        }
    }
}

//! How often a kept verdict is asked for.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// How long requests count together.
const WINDOW: Duration = Duration::from_secs(4);
/// Kept verdicts that are sent within it before HAProxy is given one, beside the request that found it.
const HITS: u32 = 2;

/// Counts the hits of one verdict. Threads that count at once may lose a hit, which costs a question and nothing else.
#[derive(Debug, Default)]
pub struct Heat {
    /// When the window began, in milliseconds since the agent did.
    since: AtomicU32,
    hits: AtomicU32,
    /// HAProxy had it: that it is asked about again shows that it is in use.
    was_given: AtomicBool,
}

impl Heat {
    /// Counts a hit so long after the agent's start; whether HAProxy should be given the verdict now.
    pub fn warm(&self, age: Duration) -> bool {
        let now = u32::try_from(age.as_millis()).unwrap_or(u32::MAX);
        let since = self.since.load(Ordering::Relaxed);
        let window = u32::try_from(WINDOW.as_millis()).unwrap_or(u32::MAX);
        let hits = if now.saturating_sub(since) > window {
            self.since.store(now, Ordering::Relaxed);
            1
        } else {
            self.hits.load(Ordering::Relaxed).saturating_add(1)
        };
        self.hits.store(hits, Ordering::Relaxed);
        hits >= HITS || self.was_given.load(Ordering::Relaxed)
    }

    /// HAProxy is given it.
    pub fn give(&self) {
        self.was_given.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_hot_when_it_is_asked_for_three_times_within_seconds_or_comes_back() {
        let seconds = Duration::from_secs;
        let heat = Heat::default();
        for (at, expected) in [(0, false), (5, false), (10, false), (13, true), (14, true), (20, false)] {
            assert_eq!(heat.warm(seconds(at)), expected, "at {at} s");
        }
        heat.give();
        assert!(heat.warm(seconds(90)), "it comes back");
    }
}

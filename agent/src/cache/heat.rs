//! How often a kept verdict is asked for.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// How long requests count together.
const WINDOW: Duration = Duration::from_secs(4);
/// Kept verdicts that are sent within it before HAProxy is given one, beside the request that found it.
const HITS: u32 = 2;
/// A verdict that was offered is not offered again for so long, whatever became of it: an offer costs more than a hit.
const PAUSE: Duration = Duration::from_millis(250);

/// Counts the hits of one verdict. Threads that count at once may lose a hit, which costs a question and nothing else.
#[derive(Debug, Default)]
pub struct Heat {
    /// When the window began, in milliseconds since the agent did.
    since: AtomicU32,
    hits: AtomicU32,
    /// When it may be offered again.
    after: AtomicU32,
    /// HAProxy had it: that it is asked about again shows that it is in use.
    was_given: AtomicBool,
}

impl Heat {
    /// Counts a hit so long after the agent's start; whether HAProxy should be given the verdict now.
    pub fn warm(&self, age: Duration) -> bool {
        let now = millis(age);
        if now < self.after.load(Ordering::Relaxed) {
            return false;
        }
        let since = self.since.load(Ordering::Relaxed);
        let hits = if now.saturating_sub(since) > millis(WINDOW) {
            self.since.store(now, Ordering::Relaxed);
            1
        } else {
            self.hits.load(Ordering::Relaxed).saturating_add(1)
        };
        self.hits.store(hits, Ordering::Relaxed);
        let is_hot = hits >= HITS || self.was_given.load(Ordering::Relaxed);
        if is_hot {
            self.after.store(now.saturating_add(millis(PAUSE)), Ordering::Relaxed);
        }
        is_hot
    }

    /// HAProxy is given it.
    pub fn give(&self) {
        self.was_given.store(true, Ordering::Relaxed);
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
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
        let after = |millis| seconds(90) + Duration::from_millis(millis);
        assert!(!heat.warm(after(249)) && heat.warm(after(250)), "it is offered four times a second at most");
    }
}

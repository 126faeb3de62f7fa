//! How often a source may be loaded because tokens ask for it, and what its last good load tells of a token.
//!
//! Pure: the moments are arguments.

use std::time::Duration;

use jose::UnixTime;
use tokio::time::Instant;

/// Early loads that may follow each other at once: a rotation in two steps, and one load that failed.
const EARLY_LOADS: u32 = 3;

/// How far an issuer's clock may be from ours, in milliseconds: a token that says it is older than that is older than our
/// last good load.
const SKEW_MILLIS: i64 = 30_000;

/// The early loads that one source has left: at most [`EARLY_LOADS`], and one more each `refill`.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    left: u32,
    /// Since when the next one has been on its way, while any is missing.
    since: Instant,
    refill: Duration,
}

impl Bucket {
    pub(crate) fn full(now: Instant, refill: Duration) -> Self {
        Self { left: EARLY_LOADS, since: now, refill }
    }

    /// Takes one early load, if there is one left.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        while self.left < EARLY_LOADS && now.saturating_duration_since(self.since) >= self.refill {
            self.left = self.left.saturating_add(1);
            self.since = self.since.checked_add(self.refill).unwrap_or(now);
        }
        if self.left == EARLY_LOADS {
            self.since = now;
        }
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        true
    }
}

/// When a good load began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Good {
    pub(crate) began: Instant,
    pub(crate) at: UnixTime,
}

impl Good {
    /// Whether a token that says it was issued then is surely older than the load, so that its key was there to be read.
    pub(crate) fn is_after(&self, issued: UnixTime) -> bool {
        issued.as_millis().saturating_add(SKEW_MILLIS) < self.at.as_millis()
    }
}

/// Whether a token may say so: one from the future says nothing.
pub(crate) fn is_credible(issued: UnixTime, now: UnixTime) -> bool {
    issued.as_millis() <= now.as_millis().saturating_add(SKEW_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFILL: Duration = Duration::from_secs(10);

    #[test]
    fn three_early_loads_follow_each_other_and_then_one_each_ten_seconds() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start, REFILL);
        let taken: Vec<u64> =
            (0..600).filter(|tenth| bucket.take(start + Duration::from_millis(tenth * 100))).collect();
        assert_eq!(taken, [0, 1, 2, 100, 200, 300, 400, 500]);
    }

    #[test]
    fn a_long_rest_fills_the_bucket_and_no_more() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start, REFILL);
        let mut at = |seconds: u64| bucket.take(start + Duration::from_secs(seconds));
        assert!(at(0) && at(0) && at(0) && !at(9));
        let nine_hours = 32_400;
        assert!(at(nine_hours) && at(nine_hours) && at(nine_hours) && !at(nine_hours) && !at(nine_hours + 9));
        assert!(at(nine_hours + 10));
    }

    #[test]
    fn only_a_token_that_is_surely_older_than_a_load_was_there_for_it() {
        let good = Good { began: Instant::now(), at: UnixTime::from_secs(1_000) };
        for (issued, after) in [(0, true), (969, true), (970, false), (1_000, false), (2_000, false)] {
            assert_eq!(good.is_after(UnixTime::from_secs(issued)), after, "{issued}");
        }
        for (issued, credible) in [(0, true), (1_030, true), (1_031, false), (i64::MAX, false)] {
            assert_eq!(
                is_credible(UnixTime::from_secs(issued), UnixTime::from_secs(1_000)),
                credible,
                "{issued}"
            );
        }
    }
}

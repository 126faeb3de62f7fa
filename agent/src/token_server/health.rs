//! Whether a server is asked: after several failures in a row it is left out for a while, and taken back once a probe
//! succeeds. No I/O and no clock.

use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row, and a server is left out. One alone may be a hiccup of the network.
const THRESHOLD: u32 = 3;
/// For how long at first.
const FIRST: Duration = Duration::from_millis(500);
/// And at most, after it was left out again and again. What returns is found out by a probe and costs no request.
const LONGEST: Duration = Duration::from_secs(10);

/// What a server's calls tell of it.
#[derive(Debug, Default)]
pub struct Health {
    failures: u32,
    /// How often it was left out, or failed a probe, since it last answered a check.
    relapses: u32,
    probe_at: Option<Instant>,
}

impl Health {
    /// A check was answered. Returns whether the server was left out, and is back.
    pub fn succeeded(&mut self) -> bool {
        let was_out = self.is_out();
        *self = Self::default();
        was_out
    }

    /// A check failed. Returns whether the server is left out from now on.
    pub fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.is_out() || self.failures < THRESHOLD {
            return false;
        }
        self.leave_out(now);
        true
    }

    /// A probe was answered: the server is back, on probation, so that the next failure counts at once.
    pub fn probe_succeeded(&mut self) {
        self.probe_at = None;
        self.failures = THRESHOLD.saturating_sub(1);
    }

    /// A probe failed: the next comes later.
    pub fn probe_failed(&mut self, now: Instant) {
        self.leave_out(now);
    }

    /// When to probe; absent while the server is asked anyway.
    pub fn probe_at(&self) -> Option<Instant> {
        self.probe_at
    }

    /// Whether the server is left out.
    pub fn is_out(&self) -> bool {
        self.probe_at.is_some()
    }

    fn leave_out(&mut self, now: Instant) {
        let pause = FIRST.saturating_mul(2_u32.saturating_pow(self.relapses)).min(LONGEST);
        self.relapses = self.relapses.saturating_add(1);
        self.probe_at = now.checked_add(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(health: &Health, now: Instant) -> Option<Duration> {
        health.probe_at().map(|at| at - now)
    }

    #[test]
    fn failures_in_a_row_leave_a_server_out() {
        let now = Instant::now();
        let mut health = Health::default();
        for _ in 0..10 {
            assert!(!health.failed(now) && !health.failed(now));
            assert!(!health.succeeded(), "a success between them starts anew");
        }
        assert_eq!([health.failed(now), health.failed(now), health.failed(now)], [false, false, true]);
        assert!(health.is_out() && !health.failed(now), "it is out already");
        assert_eq!(pause(&health, now), Some(FIRST), "later failures of calls under way prolong nothing");
        assert!(health.succeeded() && !health.is_out(), "an answer is a sign of life");
    }

    #[test]
    fn a_server_that_relapses_is_left_out_for_longer_and_never_for_ever() {
        let now = Instant::now();
        let mut health = Health::default();
        assert_eq!([health.failed(now), health.failed(now), health.failed(now)], [false, false, true]);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pauses.push(pause(&health, now).unwrap().as_millis());
            health.probe_failed(now);
        }
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        health.probe_succeeded();
        assert!(!health.is_out());
        assert!(health.failed(now), "on probation one failure is enough");
        assert_eq!(pause(&health, now), Some(LONGEST));
        health.probe_succeeded();
        health.succeeded();
        assert_eq!([health.failed(now), health.failed(now), health.failed(now)], [false, false, true]);
        assert_eq!(pause(&health, now), Some(FIRST), "an answered check ends the probation");
    }
}

//! Whether a server is asked, by what became of calls: after several failures in a row, or at once when it says that it
//! cannot answer, it is left out for a while, and taken back once a probe succeeds. No I/O and no clock.

use std::time::Duration;

use tokio::time::Instant;

use super::standing::Cause;

/// So many failures in a row, and a server is left out. One alone may be a hiccup of the network.
const THRESHOLD: u32 = 3;
/// For how long at first.
const FIRST: Duration = Duration::from_millis(500);
/// And at most, after it was left out again and again. What returns is found out by a probe and costs no request.
const LONGEST: Duration = Duration::from_secs(10);
/// How long after a refusal, each time: a server that refuses answers at once, and the probe costs it nothing.
const REFUSED: Duration = Duration::from_millis(500);

/// What a server's calls tell of it.
#[derive(Debug, Default)]
pub struct Health {
    failures: u32,
    /// How often it was left out, or failed a probe, since it last answered a check.
    relapses: u32,
    /// Why it is left out, and when to probe.
    out: Option<(Cause, Instant)>,
}

impl Health {
    /// A check was answered.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A check failed.
    pub fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.out.is_none() && self.failures >= THRESHOLD {
            self.leave_out(now);
        }
    }

    /// The server said, to a check or a probe, that it cannot answer, and why.
    pub fn refused(&mut self, cause: Cause, now: Instant) {
        self.out = now.checked_add(REFUSED).map(|at| (cause, at));
    }

    /// A probe was answered: the server is back, on probation, so that the next failure counts at once.
    pub fn probe_succeeded(&mut self) {
        self.out = None;
        self.failures = THRESHOLD.saturating_sub(1);
    }

    /// A probe failed: the next comes later.
    pub fn probe_failed(&mut self, now: Instant) {
        self.leave_out(now);
    }

    /// When to probe; absent while the server is asked anyway.
    pub fn probe_at(&self) -> Option<Instant> {
        self.out.map(|(_, at)| at)
    }

    /// Why the server is left out; absent while it is not.
    pub fn cause(&self) -> Option<Cause> {
        self.out.map(|(cause, _)| cause)
    }

    fn leave_out(&mut self, now: Instant) {
        let pause = FIRST.saturating_mul(2_u32.saturating_pow(self.relapses)).min(LONGEST);
        self.relapses = self.relapses.saturating_add(1);
        self.out = now.checked_add(pause).map(|at| (Cause::Failing, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(health: &Health, now: Instant) -> Option<Duration> {
        health.probe_at().map(|at| at - now)
    }

    /// Fails so often, and tells after each time whether the server is left out.
    fn fail<const N: usize>(health: &mut Health, now: Instant) -> [bool; N] {
        std::array::from_fn(|_| {
            health.failed(now);
            health.cause().is_some()
        })
    }

    #[test]
    fn failures_in_a_row_leave_a_server_out() {
        let now = Instant::now();
        let mut health = Health::default();
        for _ in 0..10 {
            assert_eq!(fail(&mut health, now), [false, false]);
            health.succeeded();
        }
        assert_eq!(fail(&mut health, now), [false, false, true]);
        assert_eq!(health.cause(), Some(Cause::Failing));
        health.failed(now + FIRST / 2);
        assert_eq!(pause(&health, now), Some(FIRST), "later failures of calls under way prolong nothing");
        health.succeeded();
        assert_eq!(health.cause(), None, "an answer is a sign of life");
    }

    #[test]
    fn a_server_that_relapses_is_left_out_for_longer_and_never_for_ever() {
        let now = Instant::now();
        let mut health = Health::default();
        assert_eq!(fail(&mut health, now), [false, false, true]);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pauses.push(pause(&health, now).unwrap().as_millis());
            health.probe_failed(now);
        }
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        health.probe_succeeded();
        assert_eq!(health.cause(), None);
        assert_eq!(fail(&mut health, now), [true], "on probation one failure is enough");
        assert_eq!(pause(&health, now), Some(LONGEST));
        health.probe_succeeded();
        health.succeeded();
        assert_eq!(fail(&mut health, now), [false, false, true]);
        assert_eq!(pause(&health, now), Some(FIRST), "an answered check ends the probation");
    }

    #[test]
    fn a_server_that_refuses_is_left_out_at_once_and_asked_soon_however_often_it_refuses() {
        let now = Instant::now();
        let mut health = Health::default();
        for cause in [Cause::Unread, Cause::Credentials, Cause::Credentials, Cause::Profile] {
            health.refused(cause, now);
            assert_eq!((health.cause(), pause(&health, now)), (Some(cause), Some(REFUSED)));
        }
        health.probe_succeeded();
        assert_eq!(health.cause(), None);
    }
}

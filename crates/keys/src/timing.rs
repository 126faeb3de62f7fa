//! When sources are loaded again: by the clock, and after failures with growing delays.

use std::time::Duration;

/// In this time a source may be loaded early once more. A flood of unknown `kid`s costs one fetch in it, when the few that
/// are free are spent, and a real rotation waits no longer for its own.
const COOL_DOWN: Duration = Duration::from_secs(10);
/// The delay after the first failure; it doubles up to the interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// When sources are loaded again.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The longest time between two loads.
    pub interval: Duration,
    /// The least time between two loads that a server's `max-age` asks for, and that in which tokens may ask for one more.
    pub cool_down: Duration,
}

impl Timing {
    /// With the usual cool-down.
    pub const fn every(interval: Duration) -> Self {
        Self { interval, cool_down: COOL_DOWN }
    }

    /// The time until the next load, after that many failures in a row, or while the last answer is fresh.
    pub(crate) fn delay(&self, failures: u32, fresh_for: Option<Duration>) -> Duration {
        match failures {
            0 => fresh_for.map_or(self.interval, |fresh| fresh.max(self.cool_down).min(self.interval)),
            failures => FIRST_RETRY
                .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))
                .min(self.interval.max(FIRST_RETRY)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_retried_sooner_than_the_interval_and_ever_later() {
        let timing = Timing::every(Duration::from_secs(300));
        let delays: Vec<_> = (0..12).map(|failures| timing.delay(failures, None).as_secs()).collect();
        assert_eq!(delays, [300, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(timing.delay(40, None), timing.interval);
        assert_eq!(Timing::every(Duration::from_millis(10)).delay(3, None), FIRST_RETRY);
    }

    #[test]
    fn a_servers_max_age_counts_within_bounds() {
        let timing = Timing::every(Duration::from_secs(300));
        for (max_age, expected) in [(0, 10), (9, 10), (60, 60), (300, 300), (86_400, 300)] {
            assert_eq!(timing.delay(0, Some(Duration::from_secs(max_age))).as_secs(), expected, "{max_age}");
        }
        let short = Timing::every(Duration::from_secs(1));
        assert_eq!(short.delay(0, Some(Duration::from_secs(60))), short.interval);
    }
}

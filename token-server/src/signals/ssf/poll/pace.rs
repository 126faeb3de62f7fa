//! When a transmitter is asked again, and for how many tokens. Pure.

use std::time::Duration;

/// The most tokens of one answer.
pub(super) const MAX_EVENTS: usize = 20;

/// After the first failure; it doubles with each.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest pause that is made by ourselves, unless the interval is longer.
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// The longest pause that a transmitter may ask for.
const LONGEST_WISH: Duration = Duration::from_secs(3_600);

/// When a transmitter is asked again.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    failures: u32,
    max_events: usize,
}

impl Pace {
    pub(super) const fn new(interval: Duration) -> Self {
        Self { interval, failures: 0, max_events: MAX_EVENTS }
    }

    /// How many tokens are asked for.
    pub(super) const fn max_events(&self) -> usize {
        self.max_events
    }

    /// The pause after an answer that came so long after its question began. Where something new was done, it is told at once,
    /// and what waits is fetched; where nothing was, a new question begins no sooner than the interval: a transmitter that holds
    /// a question until there is a token is asked again as soon as it answers.
    pub(super) fn answered(&mut self, took: Duration, progress: bool) -> Duration {
        self.failures = 0;
        self.max_events = self.max_events.saturating_mul(2).min(MAX_EVENTS);
        if progress { Duration::ZERO } else { self.interval.saturating_sub(took) }
    }

    /// The pause after a failure, or after tokens that could not be done; `share` spreads those of many servers.
    pub(super) fn failed(&mut self, wish: Option<Duration>, share: u8) -> Duration {
        let doubled = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        let own = doubled.min(LONGEST_RETRY.max(self.interval));
        let half = own / 2;
        let own = half.saturating_add(half.saturating_mul(u32::from(share)) / 255);
        own.max(wish.unwrap_or_default().min(LONGEST_WISH))
    }

    /// An answer was larger than is read: fewer tokens may fit.
    pub(super) fn too_large(&mut self) {
        self.max_events = (self.max_events / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn what_was_done_is_told_at_once_and_an_idle_transmitter_is_asked_by_the_interval() {
        let mut pace = Pace::new(TEN);
        for (took, progress, expected) in
            [(0, true, 0), (0, false, 10), (3, false, 7), (10, false, 0), (60, false, 0)]
        {
            let pause = pace.answered(Duration::from_secs(took), progress);
            assert_eq!(pause.as_secs(), expected, "{took} {progress}");
        }
    }

    #[test]
    fn pauses_after_failures_double_are_spread_and_end_with_an_answer() {
        let mut pace = Pace::new(TEN);
        let longest: Vec<_> = (0..9).map(|_| pace.failed(None, 255).as_millis()).collect();
        assert_eq!(longest, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
        pace.answered(TEN, true);
        assert_eq!(pace.failed(None, 0).as_millis(), 500);
        assert_eq!(Pace::new(TEN).failed(Some(Duration::from_secs(7)), 0).as_secs(), 7);
        assert_eq!(Pace::new(TEN).failed(Some(Duration::MAX), 0), LONGEST_WISH);
    }

    #[test]
    fn fewer_tokens_are_asked_for_after_an_answer_that_was_too_large() {
        let mut pace = Pace::new(TEN);
        let asked: Vec<_> = (0..6)
            .map(|_| {
                pace.too_large();
                pace.max_events()
            })
            .collect();
        assert_eq!(asked, [10, 5, 2, 1, 1, 1]);
        pace.answered(TEN, false);
        assert_eq!(pace.max_events(), 2);
    }
}

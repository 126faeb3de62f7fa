//! How old a message may be, and how far ahead of this clock.

use std::time::Duration;

use jose::UnixTime;

/// What the time at which a message was issued says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// It counts.
    Recent,
    /// It is older than messages may be.
    Old,
    /// Its time is to come.
    Future,
}

impl Age {
    /// Of a message that was issued then. `leeway` is how far two clocks may differ, in both directions.
    pub(super) fn of(issued: UnixTime, max_age: Duration, leeway: Duration, now: UnixTime) -> Self {
        let (issued, now) = (issued.as_millis(), now.as_millis());
        if issued > now.saturating_add(millis(leeway)) {
            Self::Future
        } else if issued < now.saturating_sub(millis(max_age)).saturating_sub(millis(leeway)) {
            Self::Old
        } else {
            Self::Recent
        }
    }
}

/// Whether what ends then has ended, for a clock that may be ahead by `leeway`.
pub(super) fn has_ended(ends: UnixTime, leeway: Duration, now: UnixTime) -> bool {
    ends.as_millis().saturating_add(millis(leeway)) <= now.as_millis()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_from_its_time_on_until_it_is_too_old_by_clocks_that_differ() {
        let (max_age, leeway) = (Duration::from_secs(300), Duration::from_secs(5));
        let now = UnixTime::from_secs(1_000_000);
        for (millis, age) in [
            (5_001, Age::Future),
            (5_000, Age::Recent),
            (0, Age::Recent),
            (-305_000, Age::Recent),
            (-305_001, Age::Old),
            (i64::MIN, Age::Old),
            (i64::MAX, Age::Future),
        ] {
            let issued = UnixTime::from_millis(now.as_millis().saturating_add(millis));
            assert_eq!(Age::of(issued, max_age, leeway, now), age, "{millis}");
        }
        for (millis, ended) in [(-5_000, true), (-4_999, false), (i64::MAX, false)] {
            let ends = UnixTime::from_millis(now.as_millis().saturating_add(millis));
            assert_eq!(has_ended(ends, leeway, now), ended, "{millis}");
        }
    }
}

//! Ages, as the two programs tell them: whole milliseconds. No time of day is told, since the clocks of two machines differ.

use std::time::Duration;

/// An age in whole milliseconds, rounded up: what is told may seem older than it is, never newer.
pub fn in_milliseconds(age: Duration) -> u64 {
    u64::try_from(age.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_seems_newer_than_it_is() {
        for (nanoseconds, told) in
            [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2), (2_500_000, 3)]
        {
            assert_eq!(in_milliseconds(Duration::from_nanos(nanoseconds)), told, "{nanoseconds} ns");
        }
        assert_eq!(in_milliseconds(Duration::MAX), u64::MAX);
    }
}

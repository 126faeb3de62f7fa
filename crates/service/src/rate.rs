//! How often something may be done: so many times in a second, and as many at once.

use std::time::Duration;

use tokio::time::Instant;

/// What one time costs, in the unit of a [`Bucket`].
const ONE: u64 = 1_000;

/// What is left to be done now: it holds as much as flows into it in a second.
#[derive(Debug)]
pub struct Bucket {
    /// In thousandths.
    left: u64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn full(per_second: u32, now: Instant) -> Self {
        Self { left: most(per_second), at: now }
    }

    /// Takes one time; `per_second` is at least 1.
    ///
    /// # Errors
    ///
    /// There is none; after this time there is.
    pub fn take(&mut self, per_second: u32, now: Instant) -> Result<(), Duration> {
        let rate = u64::from(per_second.max(1));
        let passed = now.saturating_duration_since(self.at);
        let milliseconds = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let flown = milliseconds.saturating_mul(rate);
        if flown > 0 {
            self.left = self.left.saturating_add(flown).min(most(per_second));
            self.at += Duration::from_millis(milliseconds);
        }
        match self.left.checked_sub(ONE) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Duration::from_millis(ONE.saturating_sub(self.left).div_ceil(rate))),
        }
    }
}

fn most(per_second: u32) -> u64 {
    u64::from(per_second.max(1)).saturating_mul(ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_done_in_a_second_as_is_allowed_and_then_one_by_one() {
        let start = Instant::now();
        let mut bucket = Bucket::full(2, start);
        for (at, expected) in [
            (0, Ok(())),
            (0, Ok(())),
            (0, Err(500)),
            (400, Err(100)),
            (500, Ok(())),
            (501, Err(499)),
            (9_000, Ok(())),
            (9_000, Ok(())),
            (9_000, Err(500)),
            // A clock that seems to go back.
            (8_000, Err(500)),
        ] {
            let taken = bucket.take(2, start + Duration::from_millis(at));
            assert_eq!(taken, expected.map_err(Duration::from_millis), "at {at}");
        }
        assert_eq!(bucket.take(1_000, start + Duration::from_millis(9_001)), Ok(()));
        assert_eq!(Bucket::full(0, start).take(0, start), Ok(()), "none at all would be no limit but an end");
    }
}

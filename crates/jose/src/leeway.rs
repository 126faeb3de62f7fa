//! How far the clocks of an issuer and of this machine may be apart.

use std::time::Duration;

/// Seconds granted where none are set to a token that begins later than now.
const START_SECONDS: u64 = 30;

/// The clock skew that is granted, apart for the beginning and the end of a token.
///
/// The default grants 30 seconds to a token of an issuer whose clock is ahead, which is no attack and would refuse new
/// tokens, and nothing to one that has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leeway {
    /// How far `nbf` and `iat` may lie ahead of now.
    pub start: Duration,
    /// How long a token is taken after `exp`.
    pub end: Duration,
}

impl Leeway {
    /// None at all.
    pub const NONE: Self = Self::both(Duration::ZERO);

    /// The same at both ends.
    pub const fn both(leeway: Duration) -> Self {
        Self { start: leeway, end: leeway }
    }

    /// At each end the larger of the two.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { start: self.start.max(other.start), end: self.end.max(other.end) }
    }
}

impl Default for Leeway {
    fn default() -> Self {
        Self { start: Duration::from_secs(START_SECONDS), end: Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_the_larger_counts_at_each_end() {
        let leeway = |start, end| Leeway { start: Duration::from_secs(start), end: Duration::from_secs(end) };
        for (one, other, larger) in
            [((5, 7), (6, 1), (6, 7)), ((60, 0), (0, 90), (60, 90)), ((1, 1), (1, 1), (1, 1))]
        {
            let (one, other, larger) =
                (leeway(one.0, one.1), leeway(other.0, other.1), leeway(larger.0, larger.1));
            assert_eq!((one.max(other), other.max(one)), (larger, larger));
        }
    }
}

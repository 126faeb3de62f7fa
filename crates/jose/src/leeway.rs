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

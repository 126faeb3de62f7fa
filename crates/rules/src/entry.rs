//! A rule with its end, as sets hold it.

use crate::Rule;

/// When a rule ends, in unix seconds. The store's number 0 stands for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpireAt {
    /// The rule holds until it is deleted.
    Never,
    /// The rule holds before this second.
    At(i64),
}

/// A rule and until when it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleEntry {
    /// The condition.
    pub rule: Rule,
    /// Its end.
    pub expire_at: ExpireAt,
}

impl ExpireAt {
    /// From the number that stores and the API use: unix seconds, 0 for never.
    pub const fn from_seconds(seconds: i64) -> Self {
        if seconds == 0 { Self::Never } else { Self::At(seconds) }
    }

    /// The number that stores and the API use.
    pub const fn as_seconds(self) -> i64 {
        match self {
            Self::Never => 0,
            Self::At(seconds) => seconds,
        }
    }

    /// Whether the end has come at `now` (unix seconds).
    pub const fn has_passed(self, now: i64) -> bool {
        match self {
            Self::Never => false,
            Self::At(seconds) => seconds <= now,
        }
    }
}

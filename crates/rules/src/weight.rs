//! What rules cost a token that is checked by them.

use crate::Rule;
use crate::error::InsertError;
use crate::limits::{MAX_BACKTRACKING_PATTERNS, MAX_PATTERNS};
use crate::operator::Test;

/// The tests in rules, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Tests of every kind.
    pub(crate) conditions: usize,
    /// Regular expressions among them.
    pub(crate) patterns: usize,
    /// Those of them that need backtracking.
    pub(crate) backtracking: usize,
}

impl Weight {
    pub(crate) fn of(rule: &Rule) -> Self {
        let mut weight = Self::default();
        rule.root.for_each_test(&mut |_, test| {
            weight.conditions += 1;
            if let Test::Matches(pattern) = test {
                weight.patterns += 1;
                weight.backtracking += usize::from(pattern.is_backtracking());
            }
        });
        weight
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            conditions: self.conditions.saturating_add(other.conditions),
            patterns: self.patterns.saturating_add(other.patterns),
            backtracking: self.backtracking.saturating_add(other.backtracking),
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            conditions: self.conditions.saturating_sub(other.conditions),
            patterns: self.patterns.saturating_sub(other.patterns),
            backtracking: self.backtracking.saturating_sub(other.backtracking),
        }
    }

    /// Whether one set may have so many regular expressions. A rule without any is always welcome, as no set has more.
    pub(crate) fn check_patterns(self, added: Self) -> Result<(), InsertError> {
        let sum = self.plus(added);
        if sum.patterns > MAX_PATTERNS {
            return Err(InsertError::TooManyPatterns);
        }
        if sum.backtracking > MAX_BACKTRACKING_PATTERNS {
            return Err(InsertError::TooManyBacktrackingPatterns);
        }
        Ok(())
    }
}

//! Why a text is not a rule. Each text names the place, none repeats a value: values are claims of tokens.

use crate::PatternError;
use crate::limits::{
    MAX_BACKTRACKING_PATTERNS, MAX_PATTERNS, MAX_RULES, MAX_SCANNED_CONDITIONS, MAX_SCANNED_RULES,
};
use crate::operator::OPERATORS;

/// What keeps a text from being a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// More than [`MAX_RULE_BYTES`](crate::MAX_RULE_BYTES).
    #[error("the rule has {len} bytes, more than the {max} that are allowed")]
    TooLong {
        /// Bytes found.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Not JSON.
    #[error("the rule is not JSON (line {line}, column {column})")]
    Json {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
    },
    /// JSON, but not an object.
    #[error("the rule is not a JSON object")]
    NotAnObject,
    /// More than [`MAX_DEPTH`](crate::MAX_DEPTH) levels.
    #[error("{path}: groups are nested deeper than {max} levels")]
    TooDeep {
        /// Where.
        path: String,
        /// The limit.
        max: usize,
    },
    /// More than [`MAX_CONDITIONS`](crate::MAX_CONDITIONS) comparisons.
    #[error("the rule has more than {max} conditions")]
    TooManyConditions {
        /// The limit.
        max: usize,
    },
    /// An operator that this version does not know.
    #[error("{path}: the operator is not supported; supported are {OPERATORS}")]
    UnsupportedOperator {
        /// Where: the field and the operator, such as `iat.like`.
        path: String,
    },
    /// What `regex` is given is no regular expression that can be held against claims.
    #[error("{path}: {error}")]
    Pattern {
        /// Where: the field and the operator, such as `sub.regex`.
        path: String,
        /// Why.
        #[source]
        error: PatternError,
    },
    /// A list where a value or an object of operators belongs.
    #[error(
        "{path}: a list can not be compared; write a string, a number, true, false, null or an object of operators"
    )]
    List {
        /// Where.
        path: String,
    },
    /// `_or` is neither `true` nor `false`.
    #[error("{path}: must be true or false")]
    OrFlag {
        /// Where.
        path: String,
    },
}

/// What keeps a rule out of a set: every match would cost more than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// The set has [`MAX_RULES`] rules.
    #[error("there are {max} rules, no more are allowed", max = MAX_RULES)]
    TooManyRules,
    /// [`MAX_SCANNED_RULES`] rules are looked at by every check.
    #[error(
        "{max} rules already have no equality that tells tokens apart; add one to this rule, or delete some of them",
        max = MAX_SCANNED_RULES
    )]
    TooManyScannedRules,
    /// [`MAX_SCANNED_CONDITIONS`] comparisons are made by every check.
    #[error(
        "the rules without an equality that tells tokens apart would have more than {max} conditions; add one to this \
         rule, or delete some of them",
        max = MAX_SCANNED_CONDITIONS
    )]
    TooManyScannedConditions,
    /// [`MAX_PATTERNS`] regular expressions are there.
    #[error("there would be more than {max} regular expressions; use sw or eq, or delete some", max = MAX_PATTERNS)]
    TooManyPatterns,
    /// [`MAX_BACKTRACKING_PATTERNS`] regular expressions that need backtracking are there.
    #[error(
        "there would be more than {max} regular expressions with lookarounds, back references or \\B; write this one \
         without, or delete some",
        max = MAX_BACKTRACKING_PATTERNS
    )]
    TooManyBacktrackingPatterns,
}

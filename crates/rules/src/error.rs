//! Why a text is not a rule. Each text names the place, none repeats a value: values are claims of somebody's tokens.

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
    #[error("{path}: the operator is not supported; supported are eq, ne, gt, gte, lt, lte")]
    UnsupportedOperator {
        /// Where: the field and the operator, such as `iat.like`.
        path: String,
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

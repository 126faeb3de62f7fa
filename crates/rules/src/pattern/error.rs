//! Why a text is not a regular expression that this crate can hold against claims.

use crate::limits::{MAX_PATTERN_ATOMS, MAX_PATTERN_BYTES, MAX_PATTERN_DEPTH};

/// What keeps a text from being a regular expression. Places count UTF-16 code units from 0, as JavaScript does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// More than [`MAX_PATTERN_BYTES`].
    #[error("the pattern has {len} bytes, more than the {max} that are allowed", max = MAX_PATTERN_BYTES)]
    TooLong {
        /// Bytes found.
        len: usize,
    },
    /// Groups are nested deeper than [`MAX_PATTERN_DEPTH`].
    #[error("the pattern nests groups deeper than {max} levels", max = MAX_PATTERN_DEPTH)]
    TooDeep,
    /// More than [`MAX_PATTERN_ATOMS`] with repetitions written out, or too large once compiled.
    #[error(
        "the pattern is too costly: repetitions written out, it may have {max} characters, fewer if they are classes",
        max = MAX_PATTERN_ATOMS
    )]
    TooCostly,
    /// `*`, `+`, `?` or `{1}` with nothing before it that can be repeated.
    #[error("nothing to repeat at {at}")]
    NothingToRepeat {
        /// Where.
        at: usize,
    },
    /// `a{2,1}` or `[b-a]`.
    #[error("a range is out of order at {at}")]
    OutOfOrder {
        /// Where.
        at: usize,
    },
    /// A bracket without its partner.
    #[error("a bracket has no partner at {at}")]
    Unbalanced {
        /// Where.
        at: usize,
    },
    /// A backslash with nothing after it.
    #[error("the pattern ends in a backslash")]
    TrailingBackslash,
    /// `(?` and something that JavaScript does not know.
    #[error("the group at {at} is of no known kind")]
    UnknownGroup {
        /// Where.
        at: usize,
    },
    /// Octal numbers, and control characters named by no letter: they mean different things in different engines.
    #[error("the escape at {at} is not supported; write \\xHH or \\uHHHH")]
    UnsupportedEscape {
        /// Where.
        at: usize,
    },
    /// A back reference to a group that is not closed before it, that need not have taken part in the match, or that
    /// is looked at from a lookbehind. JavaScript takes it for empty, other engines do not.
    #[error("the back reference at {at} is not supported: its group may be without a value there")]
    UnsupportedBackReference {
        /// Where.
        at: usize,
    },
    /// A repeated lookahead.
    #[error("the repeated lookahead at {at} is not supported")]
    RepeatedLookahead {
        /// Where.
        at: usize,
    },
    /// The engine that backtracks does not take it, such as a lookbehind of varying length.
    #[error("the pattern is not supported; lookbehinds must have one length")]
    Unsupported,
}

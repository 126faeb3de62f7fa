//! What one place of a request holds.

use std::borrow::Cow;

/// What one place holds.
pub(super) enum Found<'a> {
    Nothing,
    Other(Other),
    Token(Cow<'a, str>),
}

/// Credentials of another scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Other {
    /// Nothing that an application could take for a token.
    Plain,
    /// Something that a careless application would read as one.
    Resembling,
}

/// Without white space around it.
pub(crate) fn trimmed(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// Whether it is one of the accepted schemes.
pub(super) fn is_one(scheme: &str, schemes: &[String]) -> bool {
    schemes.iter().any(|accepted| accepted.eq_ignore_ascii_case(scheme))
}

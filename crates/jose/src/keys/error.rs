//! Why a source gives no keys.

use std::fmt;

use super::skip::SkippedKey;

/// A source gave no usable key. No message holds text of the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// The source is longer than is read.
    #[error("{len} bytes; at most {max} are read")]
    TooLarge {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The source is not UTF-8.
    #[error("not text in UTF-8")]
    NotText,
    /// The source looks like JSON and is not.
    #[error("not JSON: error at line {line}, column {column}")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// Objects and arrays are nested too deeply.
    #[error("nested deeper than {max} levels")]
    Nesting {
        /// The limit.
        max: usize,
    },
    /// The source is neither a JWK set, nor a JWK, nor PEM, nor the legacy list.
    #[error("neither a JWK set, nor PEM, nor a map of certificates, nor a list of secrets and certificates")]
    Form,
    /// An object has a member twice, so that two readers would take different ones.
    #[error("not one JSON object with unique members")]
    Repeated,
    /// The source holds no key at all.
    #[error("holds no key")]
    Empty,
    /// Every key was left out.
    #[error("holds no usable key: {}", Joined(.0))]
    NoneUsable(Vec<SkippedKey>),
}

/// Reasons in one line.
pub(crate) struct Joined<'a, R>(pub(crate) &'a [SkippedKey<R>]);

/// A message names so many keys; their number tells the rest.
const JOINED_KEYS: usize = 8;

impl<R: fmt::Display> fmt::Display for Joined<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.0.iter().take(JOINED_KEYS).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{key}")?;
        }
        match self.0.len().saturating_sub(JOINED_KEYS) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

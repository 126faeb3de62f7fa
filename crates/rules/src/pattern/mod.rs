//! Regular expressions as JavaScript reads them without flags (ECMA-262 section 22.2 with annex B.1.2), on engines that
//! cannot be made to run long.
//!
//! [`translate`] writes the expression anew in what Rust's engines read the same way, and refuses what they cannot be
//! made to read so. Most expressions go to `regex`, whose time is linear in the text. Lookarounds, back references and
//! `\B` go to `fancy-regex`, which steps back, with a limit on the steps and on the text.

mod error;
mod translate;
mod units;

pub use error::PatternError;

use crate::limits::{
    MAX_BACKTRACKED_BYTES, MAX_BACKTRACKS, MAX_PATTERN_BYTES, MAX_PROGRAM_BYTES, MAX_PROGRAM_CACHE_BYTES,
};
use crate::payload::Payload;
use translate::{Engine, Translation};

/// A compiled regular expression.
#[derive(Debug)]
pub(crate) struct Pattern {
    source: Box<str>,
    program: Program,
    /// Characters and classes, repetitions written out: what a byte of text costs at worst.
    atoms: u64,
}

#[derive(Debug)]
enum Program {
    Linear(regex::Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

impl Pattern {
    pub(crate) fn new(source: &str) -> Result<Self, PatternError> {
        if source.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong { len: source.len() });
        }
        let Translation { text, engine, atoms } = translate::translate(source)?;
        let program = match engine {
            Engine::Linear => Program::Linear(linear(&text)?),
            Engine::Backtracking => Program::Backtracking(Box::new(backtracking(&text)?)),
        };
        Ok(Self { source: source.into(), program, atoms })
    }

    pub(crate) fn is_backtracking(&self) -> bool {
        matches!(self.program, Program::Backtracking(_))
    }

    /// Whether the expression is empty, and so found in every text.
    pub(crate) fn is_empty(&self) -> bool {
        self.source.is_empty()
    }

    /// Whether the expression is found in the text. A limit that is hit counts as found: a rule revokes, and what it
    /// cannot judge it must not let through.
    pub(crate) fn is_found(&self, text: &str, payload: &Payload<'_>) -> bool {
        self.is_found_in_units(&units::as_units(text), payload)
    }

    /// The same for half of a character above U+FFFF.
    pub(crate) fn is_found_in_half(&self, unit: u16, payload: &Payload<'_>) -> bool {
        self.is_found_in_units(&units::of_unit(unit), payload)
    }

    fn is_found_in_units(&self, text: &str, payload: &Payload<'_>) -> bool {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if !payload.spend(length.saturating_add(1).saturating_mul(self.atoms)) {
            return true;
        }
        match &self.program {
            Program::Linear(regex) => regex.is_match(text),
            Program::Backtracking(regex) => {
                text.len() > MAX_BACKTRACKED_BYTES || regex.is_match(text).unwrap_or(true)
            }
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

fn linear(text: &str) -> Result<regex::Regex, PatternError> {
    regex::RegexBuilder::new(text)
        .size_limit(MAX_PROGRAM_BYTES)
        .dfa_size_limit(MAX_PROGRAM_CACHE_BYTES)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::TooCostly,
            _ => PatternError::Unsupported,
        })
}

fn backtracking(text: &str) -> Result<fancy_regex::Regex, PatternError> {
    fancy_regex::RegexBuilder::new(text)
        .backtrack_limit(MAX_BACKTRACKS)
        .delegate_size_limit(MAX_PROGRAM_BYTES)
        .delegate_dfa_size_limit(MAX_PROGRAM_CACHE_BYTES)
        // Its rewriting of expressions has had faults, and a match that is missed lets a revoked token in.
        .optimize(false)
        .build()
        .map_err(|_| PatternError::Unsupported)
}

#[cfg(test)]
mod tests;

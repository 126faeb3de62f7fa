//! Revocation rules: JSON in, parsed once; claims and a time go in, hit or not comes out.
//!
//! A rule describes tokens that are no longer welcome. The language is that of ms-users, down to JavaScript's
//! comparisons, since the rules that exist were written for it:
//!
//! - `{"rt":"x","iat":{"lt":5}}`: every member must hold; `"_or":true` on a level: any of that level.
//! - A bare value is strict equality; an object holds operators: `eq` `ne` `gt` `gte` `lt` `lte`, and on the
//!   claim as a string `sw` (starts with) and `regex`.
//! - A field is a claim's name or a path (`a.b[0].c`, `list.length`), as lodash's `get` reads it, to own properties alone. What
//!   is not there is `undefined`. Where a token has both, a condition holds if it holds for either; ms-users looks at the
//!   name alone then.
//! - An object inside an operator object is a group of its own, on the field of its own key.
//! - `{}` holds for every token.
//!
//! A [`RuleSet`] finds the rules that may match by the equalities in them, and looks only at those. What it cannot find
//! that way it scans, within limits, so that neither many rules nor a hostile token make a match dear.
//!
//! No I/O, no clock, no log.

mod condition;
mod entry;
mod error;
mod few;
mod field;
mod found;
mod index;
mod js;
mod limits;
mod operator;
mod parse;
mod path;
mod pattern;
mod payload;
mod rule;
mod set;
mod token;
mod unseen;
mod weight;

pub use entry::{ExpireAt, RuleEntry};
pub use error::{InsertError, RuleError};
pub use limits::{
    MAX_BACKTRACKED_BYTES, MAX_BACKTRACKING_PATTERNS, MAX_CONDITIONS, MAX_DEPTH, MAX_MATCH_STEPS,
    MAX_PATTERN_ATOMS, MAX_PATTERN_BYTES, MAX_PATTERN_DEPTH, MAX_PATTERNS, MAX_RULE_BYTES, MAX_RULES,
    MAX_SCANNED_CONDITIONS, MAX_SCANNED_RULES,
};
pub use pattern::PatternError;
pub use rule::Rule;
pub use set::RuleSet;
pub use token::{Issued, Token};
pub use unseen::UnseenFields;

/// The claims that a rule is held against: a token's payload.
pub type Claims = serde_json::Map<String, serde_json::Value>;

//! Revocation rules: JSON in, parsed once; claims and a time go in, hit or not comes out.
//!
//! A rule describes tokens that are no longer welcome. The language is that of ms-users, down to JavaScript's
//! comparisons, since the rules that exist were written for it:
//!
//! - `{"rt":"x","iat":{"lt":5}}`: every member must hold; `"_or":true` on a level: any of that level.
//! - A bare value is strict equality; an object holds operators: `eq` `ne` `gt` `gte` `lt` `lte`.
//! - A field is a claim's name, else a path (`a.b[0].c`). A claim that is not there is `undefined`.
//! - An object inside an operator object is a group of its own, on the field of its own key.
//! - `{}` holds for every token.
//!
//! No I/O, no clock, no log.

mod error;
mod field;
mod js;
mod limits;
mod operator;
mod parse;
mod rule;
mod set;

pub use error::RuleError;
pub use limits::{MAX_CONDITIONS, MAX_DEPTH, MAX_RULE_BYTES};
pub use rule::Rule;
pub use set::{ExpireAt, RuleEntry, RuleSet};

/// The claims that a rule is held against: a token's payload.
pub type Claims = serde_json::Map<String, serde_json::Value>;

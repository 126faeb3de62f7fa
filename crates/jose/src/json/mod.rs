//! JSON as a verifier must read it: bounded nesting, no member twice, every value kept as it was written.
//!
//! serde_json reads; this module adds what RFC 7515 section 4 and RFC 7519 section 4 ask for and serde_json leaves
//! open. Of two members with one name, different readers take different ones, and a token must not mean one thing here
//! and another in the backend.

mod layout;
mod object;

pub(crate) use layout::compact;
pub(crate) use object::{Object, name, string};

/// The text is not a JSON object that every reader understands alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

//! A token as rules are held against it.

use crate::Claims;

/// The claim that says when a token was issued (RFC 7519 section 4.1.6).
pub(crate) const ISSUED_AT: &str = "iat";

/// Whether a token says when it was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issued {
    /// Its `iat` is compared as it stands.
    AsTold,
    /// It has no `iat` that could be right, so it cannot be shown to be newer than a rule: an upper bound on `iat` holds,
    /// and where a level has one, the lower bounds beside it do too. A lower bound alone is compared as it stands.
    Unknown,
}

/// A token's claims, and whether they say when it was issued.
#[derive(Debug, Clone, Copy)]
pub struct Token<'a> {
    /// What it says.
    pub claims: &'a Claims,
    /// What is known of its age.
    pub issued: Issued,
}

/// Claims that are compared as they stand.
impl<'a> From<&'a Claims> for Token<'a> {
    fn from(claims: &'a Claims) -> Self {
        Self { claims, issued: Issued::AsTold }
    }
}

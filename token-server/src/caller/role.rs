//! What a caller may do.

use std::fmt;

/// What a caller may do; each may do what stands above it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Reads rules, explains, previews. Changes nothing.
    Read,
    /// Writes and deletes the rules of one subject at a time.
    Revoke,
    /// Everything: rules for everybody, imports.
    Admin,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Read, Self::Revoke, Self::Admin];

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Revoke => "revoke",
            Self::Admin => "admin",
        }
    }

    /// Whether it is this role or more.
    pub(crate) fn includes(self, other: Self) -> bool {
        self >= other
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

//! What was signed, and the version that it says it has.

use std::fmt;

use crate::jws::Jws;
use crate::{Claims, Reject};

/// What a good signature vouches for.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// The protected header as compact JSON.
    pub header: String,
    /// The claims.
    pub claims: Claims,
    /// The version of the token, in the words of ms-users.
    pub version: TokenVersion,
}

/// The version of a token, in the words of ms-users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenVersion {
    /// The claim `st` is truthy, as JavaScript sees it.
    Stateless,
    /// Any other token.
    Legacy,
}

/// What stands for the header of a token that has none.
const NO_HEADER: &str = "{}";

impl Signed {
    /// The claims of an opaque token, for which a token-server vouches.
    pub fn opaque(claims: Claims) -> Self {
        Self { header: NO_HEADER.to_owned(), claims, version: TokenVersion::Legacy }
    }

    /// The protected header; absent of an opaque token, which has none. That of any other names an algorithm at least.
    pub fn protected_header(&self) -> Option<&str> {
        (self.header != NO_HEADER).then_some(self.header.as_str())
    }

    /// Reads the claims of what a key has signed.
    pub(crate) fn read(jws: Jws) -> Result<Self, Reject> {
        let claims = Claims::parse(&jws.payload)?;
        Ok(Self { version: TokenVersion::of(&claims), header: jws.header, claims })
    }
}

impl TokenVersion {
    /// The version that the claims tell.
    pub fn of(claims: &Claims) -> Self {
        match claims.get("st") {
            Some(st) if st.is_truthy() => Self::Stateless,
            Some(_) | None => Self::Legacy,
        }
    }
}

/// A header tells little, but it is part of a token.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("claims", &self.claims)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

//! Tokens that are no JWT: whether their issuer, or a server that answers for it, is asked what they are worth (RFC 7662).

use std::str::FromStr;

/// What becomes of tokens of the form [`Opaque`](crate::TokenForm::Opaque).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Opaque {
    /// They are refused, as anything that is no compact JOSE token is.
    #[default]
    Refuse,
    /// A token-server is asked: it knows the API keys, and asks issuers about all others.
    Introspect,
}

impl Opaque {
    /// The names in configuration, in the order of the variants.
    pub const WORDS: &'static [&'static str] = &["refuse", "introspect"];
    /// The same, for error texts.
    pub const NAMES: &'static str = "refuse or introspect";
}

/// The text is not the name of an [`Opaque`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", Opaque::NAMES)]
pub struct UnknownOpaque;

impl FromStr for Opaque {
    type Err = UnknownOpaque;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "refuse" => Ok(Self::Refuse),
            "introspect" => Ok(Self::Introspect),
            _ => Err(UnknownOpaque),
        }
    }
}

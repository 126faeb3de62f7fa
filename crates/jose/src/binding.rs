//! Tokens that are bound to a key or a certificate of their client (`cnf`, RFC 7800): good only together with a proof
//! that the client holds it (RFC 8705 section 3, RFC 9449 section 7). Behind `Bearer`, one of them is stolen or misused.

use std::str::FromStr;

use crate::{Claim, Claims, Reject};

/// What becomes of a bound token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Binding {
    /// It is refused, since nothing here can prove the binding.
    #[default]
    IfBound,
    /// The binding is not looked at.
    Ignore,
}

impl Binding {
    /// The names in configuration, for error texts.
    pub const NAMES: &'static str = "if-bound (a bound token is refused) or ignore";

    /// Refuses a bound token. Any `cnf` but `null` binds, one that cannot be understood too.
    ///
    /// # Errors
    ///
    /// [`Reject::Binding`].
    pub fn validate(self, claims: &Claims) -> Result<(), Reject> {
        let is_bound = claims.get("cnf").is_some_and(|cnf| cnf != Claim::Null);
        match self {
            Self::IfBound if is_bound => Err(Reject::Binding),
            Self::IfBound | Self::Ignore => Ok(()),
        }
    }
}

/// The text is not the name of a [`Binding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", Binding::NAMES)]
pub struct UnknownBinding;

impl FromStr for Binding {
    type Err = UnknownBinding;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "if-bound" => Ok(Self::IfBound),
            "ignore" => Ok(Self::Ignore),
            _ => Err(UnknownBinding),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cnf_but_null_binds() {
        for (payload, expected) in [
            ("{}", Ok(())),
            (r#"{"cnf":null}"#, Ok(())),
            (r#"{"CNF":{"jkt":"x"}}"#, Ok(())),
            (r#"{"cnf":{"jkt":"x"}}"#, Err(Reject::Binding)),
            (r#"{"cnf":{"x5t#S256":"x"}}"#, Err(Reject::Binding)),
            (r#"{"\u0063nf":{"jwk":{}}}"#, Err(Reject::Binding)),
            (r#"{"cnf":{}}"#, Err(Reject::Binding)),
            (r#"{"cnf":[]}"#, Err(Reject::Binding)),
            (r#"{"cnf":""}"#, Err(Reject::Binding)),
            (r#"{"cnf":0}"#, Err(Reject::Binding)),
            (r#"{"cnf":false}"#, Err(Reject::Binding)),
        ] {
            let claims = Claims::parse(payload.as_bytes()).unwrap();
            assert_eq!(Binding::default().validate(&claims), expected, "{payload}");
            assert_eq!(Binding::Ignore.validate(&claims), Ok(()), "{payload}");
        }
    }

    #[test]
    fn only_its_two_names_are_understood() {
        assert_eq!("if-bound".parse(), Ok(Binding::IfBound));
        assert_eq!("ignore".parse(), Ok(Binding::Ignore));
        for name in ["", "Ignore", "if_bound", "off", "false", "required"] {
            assert_eq!(name.parse::<Binding>(), Err(UnknownBinding), "{name}");
        }
    }
}

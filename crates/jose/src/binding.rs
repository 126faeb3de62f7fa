//! Whether tokens must be bound to a key or a certificate of their client, and what becomes of those that are: good only
//! together with a proof that the client holds it (RFC 8705 section 3, RFC 9449 section 7). Without it, one of them is stolen
//! or misused.

use std::str::FromStr;

use crate::{Claims, Confirmation, Evidence, Reject};

/// What is asked of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Binding {
    /// A bound one has to be proved; others pass.
    #[default]
    IfBound,
    /// Each is bound to a key, and proved (DPoP, RFC 9449).
    Dpop,
    /// Each is bound to a certificate, and proved (RFC 8705).
    Mtls,
    /// Each is bound in one of these ways, and proved.
    Any,
    /// The binding is not looked at.
    Ignore,
}

impl Binding {
    /// The names in configuration, in the order of the variants.
    pub const WORDS: &'static [&'static str] = &["if-bound", "dpop", "mtls", "any", "ignore"];
    /// The same, for error texts.
    pub const NAMES: &'static str = "if-bound, dpop, mtls, any or ignore";

    /// What the client of a token with these claims has to show.
    ///
    /// # Errors
    ///
    /// [`Reject::Binding`] for a token that is not bound as is asked here, and for those that [`Confirmation::read`] refuses.
    pub fn confirmation(self, claims: &Claims) -> Result<Confirmation, Reject> {
        let read = || Confirmation::read(claims);
        let (confirmation, is_bound_so) = match self {
            Self::Ignore => (Confirmation::NONE, true),
            Self::IfBound => (read()?, true),
            Self::Dpop => read().map(|cnf| (cnf, cnf.key.is_some()))?,
            Self::Mtls => read().map(|cnf| (cnf, cnf.certificate.is_some()))?,
            Self::Any => read().map(|cnf| (cnf, !cnf.is_none()))?,
        };
        if is_bound_so { Ok(confirmation) } else { Err(Reject::Binding) }
    }

    /// Whether a token that is bound to a key alone may be good, where its issuer asks for this and a policy for that.
    pub fn takes_proofs(issuer: Self, policy: Option<Self>) -> bool {
        let asked = [Some(issuer), policy];
        !asked.contains(&Some(Self::Mtls)) && (issuer != Self::Ignore || policy.is_some())
    }

    /// Refuses tokens of which something has to be shown, where nothing is.
    ///
    /// # Errors
    ///
    /// [`Reject::Binding`].
    pub fn refuse_unproved(self, claims: &Claims) -> Result<(), Reject> {
        self.confirmation(claims)?.judge(&Evidence::NONE)
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
            "dpop" => Ok(Self::Dpop),
            "mtls" => Ok(Self::Mtls),
            "any" => Ok(Self::Any),
            "ignore" => Ok(Self::Ignore),
            _ => Err(UnknownBinding),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Binding; 5] = [Binding::IfBound, Binding::Dpop, Binding::Mtls, Binding::Any, Binding::Ignore];

    #[test]
    fn any_cnf_but_null_binds_and_a_token_must_be_bound_as_it_is_asked() {
        let hash = "A".repeat(43);
        let (key, certificate) = (format!(r#""jkt":"{hash}""#), format!(r#""x5t#S256":"{hash}""#));
        let refused = Err(Reject::Binding);
        for (payload, expected) in [
            ("{}".to_owned(), [Ok("none"), refused, refused, refused, Ok("none")]),
            (r#"{"cnf":null}"#.to_owned(), [Ok("none"), refused, refused, refused, Ok("none")]),
            (r#"{"CNF":{"jkt":"x"}}"#.to_owned(), [Ok("none"), refused, refused, refused, Ok("none")]),
            (format!(r#"{{"cnf":{{{key}}}}}"#), [Ok("dpop"), Ok("dpop"), refused, Ok("dpop"), Ok("none")]),
            (
                format!(r#"{{"cnf":{{{certificate}}}}}"#),
                [Ok("mtls"), refused, Ok("mtls"), Ok("mtls"), Ok("none")],
            ),
            (
                format!(r#"{{"cnf":{{{key},{certificate}}}}}"#),
                [Ok("dpop+mtls"), Ok("dpop+mtls"), Ok("dpop+mtls"), Ok("dpop+mtls"), Ok("none")],
            ),
            (r#"{"cnf":{"jwk":{}}}"#.to_owned(), [refused, refused, refused, refused, Ok("none")]),
            (r#"{"cnf":{}}"#.to_owned(), [refused, refused, refused, refused, Ok("none")]),
            (r#"{"cnf":false}"#.to_owned(), [refused, refused, refused, refused, Ok("none")]),
        ] {
            let claims = Claims::parse(payload.as_bytes()).unwrap();
            for (binding, expected) in ALL.into_iter().zip(expected) {
                let confirmation = binding.confirmation(&claims);
                assert_eq!(confirmation.map(|it| it.as_str()), expected, "{binding:?} {payload}");
                let unproved = if expected == Ok("none") { Ok(()) } else { refused.map(|_: &str| ()) };
                assert_eq!(binding.refuse_unproved(&claims), unproved, "{binding:?} {payload}");
            }
        }
    }

    #[test]
    fn a_key_alone_is_enough_unless_a_certificate_is_asked_for_or_nothing_is_looked_at() {
        for issuer in ALL {
            assert_eq!(
                Binding::takes_proofs(issuer, None),
                !matches!(issuer, Binding::Mtls | Binding::Ignore),
                "{issuer:?}"
            );
            assert!(!Binding::takes_proofs(issuer, Some(Binding::Mtls)), "{issuer:?}");
            assert_eq!(Binding::takes_proofs(issuer, Some(Binding::Dpop)), issuer != Binding::Mtls);
        }
    }

    #[test]
    fn only_its_names_are_understood() {
        for (name, binding) in Binding::WORDS.iter().zip(ALL) {
            assert_eq!(name.parse(), Ok(binding));
            assert!(Binding::NAMES.contains(name), "{name}");
        }
        for name in ["", "Ignore", "if_bound", "off", "false", "required", "mTLS"] {
            assert_eq!(name.parse::<Binding>(), Err(UnknownBinding), "{name}");
        }
    }
}

//! From a token to a verdict, one check after the other.

use crate::issuer::Owner;
use crate::jws::{Jws, Unverified};
use crate::{AlgorithmSet, Claims, IssuerPolicy, KeySet, Profile, Reject, Signed, TokenForm, UnixTime};

/// The answer about one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Signature and policy passed.
    Accept(Signed),
    /// The token is refused.
    Refuse(Refusal),
}

/// Why a token was refused, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reject: Reject,
    /// What was signed, as soon as the signature was good.
    pub signed: Option<Signed>,
}

/// Decides on a token: form, signature, claims, in this order. The caller bounds its length.
///
/// A token of five parts is [`Reject::Unsupported`]: who can have encrypted tokens decrypted asks for that first, by
/// [`TokenForm::of`]. Neither three nor five parts are [`Reject::Malformed`], but [`Reject::Legacy`] in the `ms-users`
/// profile, whose oldest tokens were no JOSE at all. An empty text is [`Reject::Missing`].
pub fn verify(token: &str, keys: &KeySet, policy: &IssuerPolicy, now: UnixTime) -> Verdict {
    let signed = open(token, policy.profile)
        .and_then(|unverified| unverified.verify(keys, &Owner::Issuer(&policy.issuers), policy.algorithms))
        .and_then(Signed::read);
    match signed {
        Ok(signed) => signed.validated(|signed| policy.validate_signed(signed, now)),
        Err(reject) => Verdict::Refuse(Refusal { reject, signed: None }),
    }
}

/// Takes a token apart if it has the form of a signed one.
pub(crate) fn open(token: &str, profile: Profile) -> Result<Unverified<'_>, Reject> {
    if token.is_empty() {
        return Err(Reject::Missing);
    }
    match (TokenForm::of(token), profile) {
        (TokenForm::Jws, _) => Unverified::parse(token),
        (TokenForm::Jwe, _) => Err(Reject::Unsupported),
        (TokenForm::Opaque | TokenForm::Other, Profile::Standard) => Err(Reject::Malformed),
        (TokenForm::Opaque | TokenForm::Other, Profile::MsUsers) => Err(Reject::Legacy),
    }
}

impl Signed {
    pub(crate) fn validated(self, validate: impl FnOnce(&Self) -> Result<(), Reject>) -> Verdict {
        match validate(&self) {
            Ok(()) => Verdict::Accept(self),
            Err(reject) => Verdict::Refuse(Refusal { reject, signed: Some(self) }),
        }
    }
}

/// Verifies the signature and reads the claims, without validating what they say.
///
/// # Errors
///
/// Those of [`Jws::verify`], then those of [`Claims::parse`].
pub fn verify_signature(token: &str, keys: &KeySet, algorithms: AlgorithmSet) -> Result<Signed, Reject> {
    Signed::read(Jws::verify(token, keys, algorithms)?)
}

/// The claims of a signed token whose signature is not verified: to look up what concerns them, never to believe them.
///
/// # Errors
///
/// Those of [`verify`] for the form of a token, and those of [`Claims::parse`].
pub fn unverified_claims(token: &str) -> Result<Claims, Reject> {
    Claims::parse(open(token, Profile::Standard)?.payload())
}

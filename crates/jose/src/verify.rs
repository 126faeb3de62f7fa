//! From a token to a verdict, one check after the other.

use crate::jws::Jws;
use crate::{AlgorithmSet, Claims, KeySet, Policy, Profile, Reject, TokenForm, UnixTime};

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

impl TokenVersion {
    /// The version that the claims tell.
    pub fn of(claims: &Claims) -> Self {
        match claims.get("st") {
            Some(st) if st.is_truthy() => Self::Stateless,
            Some(_) | None => Self::Legacy,
        }
    }
}

/// Judges a token: form, signature, claims, in this order. The caller bounds its length.
///
/// A token of five parts is [`Reject::Unsupported`]: who can have encrypted tokens decrypted asks for that first, by
/// [`TokenForm::of`]. Neither three nor five parts are [`Reject::Malformed`], but [`Reject::Legacy`] in the `ms-users`
/// profile, whose oldest tokens were no JOSE at all. An empty text is [`Reject::Missing`].
pub fn verify(token: &str, keys: &KeySet, policy: &Policy, now: UnixTime) -> Verdict {
    match signed(token, keys, policy) {
        Err(reject) => Verdict::Refuse(Refusal { reject, signed: None }),
        Ok(signed) => match policy.judge(&signed.claims, now) {
            Ok(()) => Verdict::Accept(signed),
            Err(reject) => Verdict::Refuse(Refusal { reject, signed: Some(signed) }),
        },
    }
}

fn signed(token: &str, keys: &KeySet, policy: &Policy) -> Result<Signed, Reject> {
    if token.is_empty() {
        return Err(Reject::Missing);
    }
    match (TokenForm::of(token), policy.profile) {
        (TokenForm::Jws, _) => verify_signature(token, keys, policy.algorithms),
        (TokenForm::Jwe, _) => Err(Reject::Unsupported),
        (TokenForm::Other, Profile::Standard) => Err(Reject::Malformed),
        (TokenForm::Other, Profile::MsUsers) => Err(Reject::Legacy),
    }
}

/// Verifies the signature and reads the claims, without judging what they say.
///
/// # Errors
///
/// Those of [`Jws::verify`], then those of [`Claims::parse`].
pub fn verify_signature(token: &str, keys: &KeySet, algorithms: AlgorithmSet) -> Result<Signed, Reject> {
    let Jws { header, payload } = Jws::verify(token, keys, algorithms)?;
    let claims = Claims::parse(&payload)?;
    Ok(Signed { version: TokenVersion::of(&claims), header, claims })
}

/// A header tells little, but it is part of a token.
impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed")
            .field("claims", &self.claims)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

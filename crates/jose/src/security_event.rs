//! Security events (RFC 8417): signed tokens that tell something of a subject and open no door, such as logout tokens (OpenID
//! Connect Back-Channel Logout 1.0) and those of shared signals (OpenID SSF 1.0).
//!
//! The signature is verified as that of an access token is: by the keys of one issuer, each bound to its algorithms. What is
//! told, to whom, and when is read here; whether that is to be believed is the caller's.

use crate::issuer::Owner;
use crate::json::{Object, string};
use crate::jws::Unverified;
use crate::purpose::is_same_type;
use crate::verify::open;
use crate::{
    AlgorithmSet, Claim, Claims, Hint, IssuerName, KeySet, Profile, Reject, TokenForm, UnixTime,
    unverified_claims,
};

/// By whose keys an event is verified.
#[derive(Debug, Clone, Copy)]
pub struct EventIssuer<'a> {
    /// The names that it may have in `iss`. Empty: none.
    pub names: &'a [IssuerName],
    /// Its keys.
    pub keys: &'a KeySet,
    /// Accepted algorithms.
    pub algorithms: AlgorithmSet,
}

/// An event that a key of its issuer has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityEvent {
    /// The header's `typ`, if there is one.
    pub typ: Option<String>,
    /// All claims.
    pub claims: Claims,
    /// `iss`: one of the issuer's names.
    pub issuer: String,
    /// `aud`, a text or a list of them; empty without the claim.
    pub audiences: Vec<String>,
    /// `iat`.
    pub issued: UnixTime,
    /// `exp`, if there is one.
    pub expires: Option<UnixTime>,
    /// `jti`, if there is one.
    pub jti: Option<String>,
    /// The members of `events`: the type of an event, and what it holds as JSON.
    pub events: Vec<(String, String)>,
}

/// Why a token is no event of this issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventFault {
    /// As an access token is refused.
    #[error("{}", .0.detail())]
    Refused(Reject),
    /// The header's `typ` is no text.
    #[error("the header's typ is no text")]
    Type,
    /// A claim is missing, or is of another type than RFC 8417 says.
    #[error("the claim {0} is missing, or of another type than it must be")]
    Claim(&'static str),
}

impl From<Reject> for EventFault {
    fn from(reject: Reject) -> Self {
        Self::Refused(reject)
    }
}

impl SecurityEvent {
    /// Verifies the signature, then reads what an event has.
    ///
    /// # Errors
    ///
    /// Those of an access token, of which [`Reject::suggests_newer_keys`] tells whether newer keys might help; then the first claim
    /// that is not as RFC 8417 has it.
    pub fn verify(token: &str, issuer: &EventIssuer<'_>) -> Result<Self, EventFault> {
        if TokenForm::of(token) != TokenForm::Jws {
            return Err(Reject::Malformed.into());
        }
        let unverified = open(token, Profile::Standard)?;
        let unproven = Claims::parse(unverified.payload())?;
        if !issuer.names.iter().any(|name| name.is_told_by(&unproven)) {
            return Err(Reject::Issuer.into());
        }
        let header = Header::of(&unverified)?;
        let owner = Owner::of(issuer.names, &unproven);
        let verified = unverified.verify(issuer.keys, &owner, issuer.algorithms)?;
        Self::read(header, Claims::parse(&verified.payload)?)
    }

    fn read(header: Header, claims: Claims) -> Result<Self, EventFault> {
        let text = |name: &'static str| match claims.get(name) {
            None => Ok(None),
            Some(Claim::String(text)) => Ok(Some(text.into_owned())),
            Some(_) => Err(EventFault::Claim(name)),
        };
        let date = |name: &'static str| claims.numeric_date(name).map_err(|_| EventFault::Claim(name));
        Ok(Self {
            typ: header.typ,
            issuer: text("iss")?.ok_or(EventFault::Claim("iss"))?,
            audiences: audiences(&claims)?,
            issued: date("iat")?.ok_or(EventFault::Claim("iat"))?,
            expires: date("exp")?,
            jti: text("jti")?,
            events: events(&claims)?,
            claims,
        })
    }

    /// What the event of this type holds, as JSON.
    pub fn event(&self, kind: &str) -> Option<&str> {
        self.events.iter().find(|(name, _)| name == kind).map(|(_, holds)| holds.as_str())
    }

    /// Whether the header's `typ` is this media type: letter case and a leading `application/` do not count.
    pub fn has_type(&self, media_type: &str) -> bool {
        self.typ.as_deref().is_some_and(|typ| is_same_type(typ, media_type))
    }

    /// Whether it was made for one of these.
    pub fn is_for(&self, accepted: &[String]) -> bool {
        self.audiences.iter().any(|audience| accepted.contains(audience))
    }
}

/// What an event that no key has verified says of itself, for a search for newer keys among the set of that number.
pub fn event_hint(token: &str, keys: usize) -> Hint {
    let claims = unverified_claims(token).ok();
    let issued = claims.and_then(|claims| claims.numeric_date("iat").ok().flatten());
    Hint { keys: Some(keys), issued, kid: None }
}

struct Header {
    typ: Option<String>,
}

impl Header {
    fn of(unverified: &Unverified<'_>) -> Result<Self, EventFault> {
        let header = Object::members_of(&unverified.header().json).ok_or(Reject::Malformed)?;
        let typ = header.get("typ").map(|typ| string(typ).ok_or(EventFault::Type)).transpose()?;
        Ok(Self { typ: typ.map(|typ| typ.into_owned()) })
    }
}

fn audiences(claims: &Claims) -> Result<Vec<String>, EventFault> {
    match claims.get("aud") {
        None => Ok(Vec::new()),
        Some(Claim::String(audience)) => Ok(vec![audience.into_owned()]),
        Some(Claim::Json(json)) => serde_json::from_str(json).map_err(|_| EventFault::Claim("aud")),
        Some(_) => Err(EventFault::Claim("aud")),
    }
}

/// The members of `events`, which is an object with at least one.
fn events(claims: &Claims) -> Result<Vec<(String, String)>, EventFault> {
    let fault = EventFault::Claim("events");
    let Some(Claim::Json(json)) = claims.get("events") else { return Err(fault) };
    let object = Object::members_of(json).ok_or(fault.clone())?;
    let members: Vec<_> =
        object.into_members().map(|(name, value)| (name.into_owned(), value.to_owned())).collect();
    if members.is_empty() { Err(fault) } else { Ok(members) }
}

#[cfg(test)]
mod tests;

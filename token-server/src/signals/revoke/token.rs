//! What the revocation of one token becomes: a rule that hits it, and as few others as its claims allow.
//!
//! With `jti` it hits that token alone. Without, it is told from others by what else its claims say of it: when it was issued, until
//! when, for whom and for what. Two tokens that an issuer made in one second, the same in all of this, cannot be told apart.

use std::time::Duration;

use jose::{Claim, Claims, Reject, Signed, Trust, UnixTime};
use serde_json::{Number, Value};

use super::asking::Client;
use crate::config::Signals as Settings;
use crate::signals::told::{End, Group, Kind, Told, Weight, Which};
use crate::store::Mode;

/// By which claims a token without `jti` is told from others. The first two are needed: one of them at least.
const TELLING: [&str; 14] = [
    "iat",
    "exp",
    "nbf",
    "client_id",
    "azp",
    "aud",
    "sid",
    "scope",
    "nonce",
    "at_hash",
    "auth_time",
    "typ",
    "token_use",
    "uti",
];

/// Bytes of a text in a rule: a rule has at most 8 KiB.
const MAX_TEXT_BYTES: usize = 1024;

/// What a token is judged by.
pub(super) struct Issued<'a> {
    pub(super) in_use: &'a Settings,
    pub(super) now: UnixTime,
}

/// Why a token is not revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unrevoked {
    /// It is refused anyway.
    Useless,
    /// It was not issued to the client that asks.
    NotYours,
    /// It is nothing that can be revoked here.
    Unsupported(&'static str),
}

impl Issued<'_> {
    /// What a client tells of a token that is believed.
    pub(super) fn told(&self, signed: &Signed, client: &Client) -> Result<Told, Unrevoked> {
        let trust = self.in_use.trust.as_ref().ok_or(Unrevoked::Useless)?;
        let claims = &signed.claims;
        let policy = trust.issuer_policy(signed).map_err(|_| Unrevoked::Useless)?;
        if policy.refuse_misuse(Some(&signed.header), claims) == Err(Reject::Type) {
            return Err(Unrevoked::Unsupported("the token is no access token"));
        }
        if !client.owns(issued_to(trust, signed).as_deref()) {
            return Err(Unrevoked::NotYours);
        }
        let window = policy.window(claims).map_err(|_| Unrevoked::Useless)?;
        if window.until.is_some_and(|until| until <= self.now) {
            return Err(Unrevoked::Useless);
        }
        let subject = claims.revocable_subject(policy.profile).map_err(|_| Unrevoked::Useless)?;
        let issuer = text(claims, "iss").ok_or(Unrevoked::Unsupported("the token names no issuer"))?;
        // A key may be trusted for one issuer alone, and then the name is not looked at before.
        if !policy.issuers.is_empty() && !policy.issuers.iter().any(|name| name.is_told_by(claims)) {
            return Err(Unrevoked::Useless);
        }
        let which = which(claims)?;
        let hold = window.until.map_or(self.in_use.hold, |until| self.left(until));
        let named = policy.name().unwrap_or(&issuer);
        let provider = self.in_use.providers.iter().find(|provider| &*provider.issuer == named);
        let shadow = provider.is_some_and(|provider| provider.mode == Mode::Shadow);
        Ok(Told {
            kind: Kind::Revoke,
            sender: match client {
                Client::Known(id) => id.clone(),
                Client::Bearer(_) => named.into(),
            },
            by: issuer.as_str().into(),
            // The request has none: asked again, it is to be done again.
            jti: None,
            ends: vec![End {
                issuers: vec![issuer],
                group: subject.map_or(Group::Everybody, Group::Subject),
                which,
                hold,
            }],
            weight: if shadow { Weight::Shadow } else { Weight::Enforce },
        })
    }

    /// How long a rule is needed, to the second above.
    fn left(&self, until: UnixTime) -> Duration {
        let millis = until.as_millis().saturating_sub(self.now.as_millis());
        Duration::from_millis(u64::try_from(millis).unwrap_or(0).saturating_add(1_000))
    }
}

/// To which client a token was issued, as far as it says so.
fn issued_to(trust: &Trust, signed: &Signed) -> Option<String> {
    let names = trust.policy(None).map(|policy| trust.claim_names(policy, signed));
    let name = names.as_ref().map_or("client_id".into(), |names| names.path("client_id"));
    text(&signed.claims, &name).or_else(|| text(&signed.claims, "azp"))
}

fn which(claims: &Claims) -> Result<Which, Unrevoked> {
    if let Some(jti) = value(claims, "jti").filter(|jti| *jti != "") {
        return Ok(Which::Token(vec![("jti".to_owned(), jti)]));
    }
    let told: Vec<_> =
        TELLING.iter().filter_map(|name| Some(((*name).to_owned(), value(claims, name)?))).collect();
    if told.iter().any(|(name, _)| name == "iat" || name == "exp") {
        Ok(Which::Token(told))
    } else {
        Err(Unrevoked::Unsupported("nothing tells the token from others: it has neither jti nor iat nor exp"))
    }
}

fn text(claims: &Claims, name: &str) -> Option<String> {
    match claims.get(name)? {
        Claim::String(text) if !text.is_empty() => Some(text.into_owned()),
        _ => None,
    }
}

/// What a rule can compare.
fn value(claims: &Claims, name: &str) -> Option<Value> {
    match claims.get(name)? {
        Claim::String(text) if text.len() <= MAX_TEXT_BYTES => Some(Value::String(text.into_owned())),
        Claim::Int(number) => Some(Value::Number(number.into())),
        Claim::Number(literal) => literal.parse().ok().and_then(Number::from_f64).map(Value::Number),
        Claim::Bool(is) => Some(Value::Bool(is)),
        Claim::String(_) | Claim::Null | Claim::Json(_) => None,
    }
}

#[cfg(test)]
mod tests;

//! A request's bearer token that its issuer has signed, as Okta's Universal Logout shows one: `typ` is
//! `global-token-revocation+jwt`, and `aud` the URL of this endpoint, which stands among the `audiences` of the `[[signals]]` table.
//!
//! Its signature is good. An access token, a logout token or an ID token of the same issuer is not believed: the type is required.

use std::sync::Arc;

use jose::{Claim, Claims, Signed, UnixTime};
use serde_json::Value;

use crate::config::Signals as Settings;
use crate::signals::age::{Age, has_ended};

const TYPE: &str = "global-token-revocation+jwt";

/// Who asks, and the name of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asserted {
    /// The issuer, by the name that it has there.
    pub(super) issuer: Arc<str>,
    /// `jti`
    pub(super) jti: String,
}

impl Asserted {
    pub(super) fn read(signed: &Signed, settings: &Settings, now: UnixTime) -> Result<Self, &'static str> {
        let claims = &signed.claims;
        if !has_type(&signed.header) {
            return Err(
                "the bearer token is signed, and its typ is another than global-token-revocation+jwt",
            );
        }
        let told = |names: &[jose::IssuerName]| names.iter().any(|name| name.is_told_by(claims));
        let provider = settings.providers.iter().find(|provider| told(&provider.names));
        let provider = provider.ok_or("the bearer token's iss has no [[signals]] table")?;
        if !audiences(claims).iter().any(|audience| provider.audiences.contains(audience)) {
            return Err("the bearer token's aud is none of the audiences of its [[signals]] table");
        }
        let date = |name| claims.numeric_date(name).ok().flatten();
        if date("exp").is_none_or(|exp| has_ended(exp, provider.leeway.end, now)) {
            return Err("the bearer token has expired, or no exp");
        }
        let issued = date("iat").ok_or("the bearer token has no iat")?;
        let age = |time| Age::of(time, settings.max_age, provider.leeway.start, now);
        if age(issued) != Age::Recent || date("nbf").is_some_and(|from| age(from) == Age::Future) {
            return Err(
                "the bearer token is of another time: older than TOKEN_SERVER__SIGNALS__MAX_AGE, or of the future",
            );
        }
        match (claims.get("jti"), claims.get("iss")) {
            (Some(Claim::String(jti)), Some(Claim::String(issuer))) if !jti.is_empty() => {
                Ok(Self { issuer: issuer.as_ref().into(), jti: jti.into_owned() })
            }
            _ => Err("the bearer token has no jti"),
        }
    }
}

fn has_type(header: &str) -> bool {
    let header: Value = serde_json::from_str(header).unwrap_or_default();
    let typ = header.get("typ").and_then(Value::as_str).map(str::to_ascii_lowercase);
    typ.is_some_and(|typ| typ.strip_prefix("application/").unwrap_or(&typ) == TYPE)
}

fn audiences(claims: &Claims) -> Vec<String> {
    match claims.get("aud") {
        Some(Claim::String(audience)) => vec![audience.into_owned()],
        Some(Claim::Json(json)) => serde_json::from_str(json).unwrap_or_default(),
        _ => Vec::new(),
    }
}

//! What the claims of a token must say (RFC 7519 section 4.1), validated after its signature.

use std::time::Duration;

use crate::{
    AlgorithmSet, Binding, Claim, Claims, IssuerName, Leeway, Policy, Profile, Reject, Requirements, Signed,
    TokenKind, TokenVersion, UnixTime, purpose,
};

/// What a token must look like to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerPolicy {
    /// The name that requests and logs use.
    pub name: String,
    /// The preset that decides which checks apply.
    pub profile: Profile,
    /// The signature algorithms that are accepted.
    pub algorithms: AlgorithmSet,
    /// Accepted values of `iss`; empty: not validated. The `ms-users` profile never validates it.
    pub issuers: Vec<IssuerName>,
    /// Accepted values of `aud`; empty: not validated. The `ms-users` profile never validates it.
    pub audiences: Vec<String>,
    /// How far clocks may be apart: a token is taken so much longer after `exp` and before `nbf`.
    pub leeway: Leeway,
    /// Whether tokens must be bound to a key or a certificate, and proved.
    pub binding: Binding,
    /// What kind of tokens they must be.
    pub kind: TokenKind,
    /// What else the token must say; by default nothing.
    pub requirements: Requirements,
}

impl IssuerPolicy {
    /// The default one, which asks no more than its profile does, and grants no clock skew.
    pub fn of(profile: Profile) -> Self {
        Self {
            name: Policy::DEFAULT.to_owned(),
            profile,
            algorithms: AlgorithmSet::ALL,
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Leeway::NONE,
            binding: Binding::default(),
            kind: TokenKind::default(),
            requirements: Requirements::default(),
        }
    }

    /// What operators know the issuer by: the first of its configured names.
    pub fn name(&self) -> Option<&str> {
        self.issuers.first().map(IssuerName::as_str)
    }

    /// Validates what was signed, of a client that proves nothing: what the token was made for, its claims, then header and
    /// claims by the requirements.
    ///
    /// # Errors
    ///
    /// Those of [`validate`](Self::validate), where [`Reject::Type`] is told by the header too; then those of
    /// [`Requirements::validate`], and [`Reject::Acr`] and [`Reject::AuthTime`].
    pub fn validate_signed(&self, signed: &Signed, now: UnixTime) -> Result<(), Reject> {
        self.validate_signed_for(&[], signed, now)?;
        self.binding.refuse_unproved(&signed.claims)?;
        self.requirements.step_up.validate(&signed.claims, now, self.leeway)
    }

    /// The same without the login and without the proof of a bound token, where a policy on top of this one names `types` that
    /// it accepts.
    pub(crate) fn validate_signed_for(
        &self,
        types: &[String],
        signed: &Signed,
        now: UnixTime,
    ) -> Result<(), Reject> {
        let Signed { header, claims, version } = signed;
        self.refuse_refresh_token(claims, *version)?;
        purpose::validate(header, claims, self.requirements.types.iter().chain(types))?;
        self.kind.validate(signed)?;
        self.binding.confirmation(claims)?;
        self.validate_claims(claims, *version, now)?;
        self.requirements.validate(signed)
    }

    /// Validates all claims, without a header.
    ///
    /// # Errors
    ///
    /// The first check that fails: [`refuse_refresh_token`](Self::refuse_refresh_token); [`Reject::Type`] for a security event;
    /// [`Reject::Binding`]; those of [`validate_time`](Self::validate_time); then in `standard` [`Reject::Issuer`] and
    /// [`Reject::Audience`] for a value that is absent or not accepted, [`Reject::ClaimType`] for an `iss` that is no
    /// string and an `aud` that is neither a string nor an array of strings; in `ms-users` [`Reject::Legacy`].
    pub fn validate(&self, claims: &Claims, now: UnixTime) -> Result<(), Reject> {
        let version = TokenVersion::of(claims);
        self.refuse_refresh_token(claims, version)?;
        self.refuse_misuse(None, claims)?;
        self.validate_claims(claims, version, now)
    }

    /// Refuses a refresh token of ms-users (stateless, with `irt`), which opens no door but its own. That is said before
    /// anything else is, as ms-users says it: its callers fetch an access token then, where on any other word they end the
    /// session.
    ///
    /// # Errors
    ///
    /// [`Reject::RefreshToken`], in `ms-users` only.
    pub fn refuse_refresh_token(&self, claims: &Claims, version: TokenVersion) -> Result<(), Reject> {
        let is_refresh = || claims.get("irt").is_some_and(|claim| claim.is_truthy());
        match (self.profile, version) {
            (Profile::MsUsers, TokenVersion::Stateless) if is_refresh() => Err(Reject::RefreshToken),
            (Profile::MsUsers, TokenVersion::Stateless | TokenVersion::Legacy) | (Profile::Standard, _) => {
                Ok(())
            }
        }
    }

    /// Refuses what was made for something else than access, by its claims and by its header where that is known, and what
    /// is bound to a client that proves nothing. For those who validate claims bit by bit: [`validate`](Self::validate)
    /// and [`validate_signed`](Self::validate_signed) do it too.
    ///
    /// # Errors
    ///
    /// [`Reject::Type`], [`Reject::Binding`]; [`Reject::Malformed`] for a header that is no JSON object.
    pub fn refuse_misuse(&self, header: Option<&str>, claims: &Claims) -> Result<(), Reject> {
        match header {
            Some(header) => purpose::validate(header, claims, self.requirements.types.iter())?,
            None => purpose::validate_events(claims)?,
        }
        self.binding.refuse_unproved(claims)
    }

    fn validate_claims(&self, claims: &Claims, version: TokenVersion, now: UnixTime) -> Result<(), Reject> {
        self.validate_time(claims, now)?;
        match (self.profile, version) {
            (Profile::Standard, _) => {
                validate_issuer(claims, &self.issuers)?;
                validate_audience(claims, &self.audiences)
            }
            (Profile::MsUsers, TokenVersion::Legacy) => Err(Reject::Legacy),
            (Profile::MsUsers, TokenVersion::Stateless) => Ok(()),
        }
    }

    /// Validates `exp`, `nbf` and the type of `iat` only: what changes while a verdict is kept.
    ///
    /// # Errors
    ///
    /// [`Reject::ClaimType`] if one of them is no NumericDate, [`Reject::MissingExpiry`] (`standard` only),
    /// [`Reject::Expired`] from the very second of `exp` on, [`Reject::NotYetValid`] before `nbf`.
    pub fn validate_time(&self, claims: &Claims, now: UnixTime) -> Result<(), Reject> {
        self.window(claims)?.validate(now)
    }

    /// From when until when a token may be used, the clock skew granted; the login aside, which policies ask for too.
    ///
    /// # Errors
    ///
    /// [`Reject::ClaimType`] and [`Reject::MissingExpiry`], as [`validate_time`](Self::validate_time) gives them.
    pub fn window(&self, claims: &Claims) -> Result<Window, Reject> {
        let expiry = self.date(claims, "exp")?;
        let not_before = self.date(claims, "nbf")?;
        self.date(claims, "iat")?;
        if expiry.is_none() && self.profile == Profile::Standard {
            return Err(Reject::MissingExpiry);
        }
        Ok(Window {
            from: not_before
                .map(|from| UnixTime::from_millis(from.saturating_sub(millis(self.leeway.start)))),
            until: expiry.map(|until| UnixTime::from_millis(until.saturating_add(millis(self.leeway.end)))),
            login_until: None,
        })
    }

    /// When the token expires by its own word, whatever unit the profile lets it be written in.
    ///
    /// # Errors
    ///
    /// [`Reject::ClaimType`] if `exp` is no NumericDate.
    pub fn expiry(&self, claims: &Claims) -> Result<Option<UnixTime>, Reject> {
        Ok(self.date(claims, "exp")?.map(UnixTime::from_millis))
    }

    /// When the token was issued by its own word; absent where it does not say so in a way that can be read.
    pub(crate) fn issued(&self, claims: &Claims) -> Option<UnixTime> {
        self.date(claims, "iat").ok().flatten().map(UnixTime::from_millis)
    }

    /// Milliseconds of a date claim, as the profile reads it.
    fn date(&self, claims: &Claims, name: &str) -> Result<Option<i64>, Reject> {
        let millis = claims.numeric_date(name)?.map(UnixTime::as_millis);
        Ok(match self.profile {
            Profile::Standard => millis,
            Profile::MsUsers => {
                millis.map(|millis| if millis >= MILLISECONDS_FROM { millis / 1000 } else { millis })
            }
        })
    }
}

/// When a token may be used: what has to be validated again each time that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Not earlier.
    pub from: Option<UnixTime>,
    /// Not at this moment, nor later.
    pub until: Option<UnixTime>,
    /// The same for the login that it tells of, where its age matters.
    pub login_until: Option<UnixTime>,
}

impl Window {
    /// What does not depend on time.
    pub const ALWAYS: Self = Self { from: None, until: None, login_until: None };

    /// When it ends, whatever ends it.
    pub fn end(&self) -> Option<UnixTime> {
        self.until.into_iter().chain(self.login_until).min()
    }

    /// The seconds from this moment to its end, rounded up; absent: it has none.
    pub fn seconds_left(&self, now: UnixTime) -> Option<i64> {
        let left = self.end()?.as_millis().saturating_sub(now.as_millis()).max(0);
        Some(left.saturating_add(999) / 1000)
    }

    /// Whether the token may be used at this moment.
    ///
    /// # Errors
    ///
    /// [`Reject::Expired`], [`Reject::NotYetValid`] or [`Reject::AuthTime`].
    pub fn validate(&self, now: UnixTime) -> Result<(), Reject> {
        if self.until.is_some_and(|until| until <= now) {
            return Err(Reject::Expired);
        }
        if self.from.is_some_and(|from| from > now) {
            return Err(Reject::NotYetValid);
        }
        if self.login_until.is_some_and(|until| until <= now) {
            return Err(Reject::AuthTime);
        }
        Ok(())
    }
}

/// An older ms-users wrote dates in milliseconds. Read as seconds, 1e11 is the year 5138; read as milliseconds, it is
/// 1973. Here in thousandths of the written number.
const MILLISECONDS_FROM: i64 = 100_000_000_000 * 1000;

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn validate_issuer(claims: &Claims, accepted: &[IssuerName]) -> Result<(), Reject> {
    if accepted.is_empty() {
        return Ok(());
    }
    match claims.get("iss") {
        Some(Claim::String(issuer)) if accepted.iter().any(|name| name.accepts(&issuer, claims)) => Ok(()),
        Some(Claim::String(_)) | None => Err(Reject::Issuer),
        Some(Claim::Null | Claim::Bool(_) | Claim::Int(_) | Claim::Number(_) | Claim::Json(_)) => {
            Err(Reject::ClaimType)
        }
    }
}

pub(crate) fn validate_audience(claims: &Claims, accepted: &[String]) -> Result<(), Reject> {
    if accepted.is_empty() {
        return Ok(());
    }
    let is_accepted = |audience: &str| accepted.iter().any(|name| name == audience);
    let meant = match claims.get("aud") {
        Some(Claim::String(audience)) => is_accepted(&audience),
        Some(Claim::Json(json)) => {
            let audiences: Vec<String> = serde_json::from_str(json).map_err(|_| Reject::ClaimType)?;
            audiences.iter().any(|audience| is_accepted(audience))
        }
        None => false,
        Some(Claim::Null | Claim::Bool(_) | Claim::Int(_) | Claim::Number(_)) => {
            return Err(Reject::ClaimType);
        }
    };
    if meant { Ok(()) } else { Err(Reject::Audience) }
}

#[cfg(test)]
pub(crate) mod tests;

//! How a user must have logged in (RFC 9470): in an accepted way, and not too long ago.
//!
//! Access tokens tell it by the claims `acr` and `auth_time` (RFC 9068 section 2.2.1). A token that does not tell is refused
//! where it is asked.

use std::num::NonZeroU32;

use crate::{Claim, Claims, Leeway, ListedValue, Reject, UnixTime};

/// What is asked of the login; the default asks nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepUp {
    /// Accepted `acr`, the preferred one first; empty: not validated.
    pub acr_values: Vec<ListedValue>,
    /// The most seconds since `auth_time`; absent: not validated.
    pub max_age: Option<NonZeroU32>,
}

impl StepUp {
    /// Validates the login that a token tells of.
    ///
    /// # Errors
    ///
    /// [`Reject::ClaimType`] for an `acr` that is no string and an `auth_time` that is no NumericDate or lies further ahead
    /// than `leeway` grants; [`Reject::Acr`] and [`Reject::AuthTime`] for one that is absent or not accepted.
    pub(crate) fn validate(&self, claims: &Claims, now: UnixTime, leeway: Leeway) -> Result<(), Reject> {
        self.validate_acr(claims)?;
        let Some(login) = self.login(claims)? else {
            return Ok(());
        };
        if login.began > now.after(leeway.start) {
            return Err(Reject::ClaimType);
        }
        if login.counts_until <= now { Err(Reject::AuthTime) } else { Ok(()) }
    }

    /// Until when the login counts: not at that moment, nor later. Absent where its age does not matter.
    ///
    /// # Errors
    ///
    /// [`Reject::ClaimType`] and [`Reject::AuthTime`], as above.
    pub(crate) fn until(&self, claims: &Claims) -> Result<Option<UnixTime>, Reject> {
        Ok(self.login(claims)?.map(|login| login.counts_until))
    }

    fn validate_acr(&self, claims: &Claims) -> Result<(), Reject> {
        if self.acr_values.is_empty() {
            return Ok(());
        }
        match claims.get("acr") {
            Some(Claim::String(acr)) if self.acr_values.iter().any(|value| value.as_str() == acr) => Ok(()),
            Some(Claim::String(_)) | None => Err(Reject::Acr),
            Some(Claim::Null | Claim::Bool(_) | Claim::Int(_) | Claim::Number(_) | Claim::Json(_)) => {
                Err(Reject::ClaimType)
            }
        }
    }

    fn login(&self, claims: &Claims) -> Result<Option<Login>, Reject> {
        let Some(max_age) = self.max_age else {
            return Ok(None);
        };
        let began = claims.numeric_date("auth_time")?.ok_or(Reject::AuthTime)?;
        let max_age = std::time::Duration::from_secs(max_age.get().into());
        Ok(Some(Login { began, counts_until: began.after(max_age) }))
    }
}

/// When a user logged in, and until when that counts.
struct Login {
    began: UnixTime,
    counts_until: UnixTime,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    fn validate(step_up: &StepUp, payload: &str) -> Result<(), Reject> {
        let claims = Claims::parse(payload.as_bytes()).unwrap();
        let leeway = Leeway { start: Duration::from_secs(30), end: Duration::from_secs(60) };
        step_up.validate(&claims, NOW, leeway)
    }

    #[test]
    fn nothing_is_asked_where_nothing_is_set() {
        for payload in ["{}", r#"{"acr":7,"auth_time":"now"}"#, r#"{"auth_time":9e15}"#] {
            assert_eq!(validate(&StepUp::default(), payload), Ok(()), "{payload}");
        }
    }

    #[test]
    fn the_way_of_the_login_must_be_one_of_those_letter_for_letter() {
        let acr_values = ["urn:mfa", "2"].iter().map(|value| value.parse().unwrap()).collect();
        let asked = StepUp { acr_values, ..StepUp::default() };
        for (payload, expected) in [
            (r#"{"acr":"2"}"#, Ok(())),
            (r#"{"acr":"urn:mfa"}"#, Ok(())),
            (r#"{"\u0061cr":"\u0032"}"#, Ok(())),
            (r#"{"acr":"1"}"#, Err(Reject::Acr)),
            (r#"{"acr":"URN:MFA"}"#, Err(Reject::Acr)),
            (r#"{"acr":"2 urn:mfa"}"#, Err(Reject::Acr)),
            (r#"{"acr":"urn:mfa 2"}"#, Err(Reject::Acr)),
            (r#"{"acr":""}"#, Err(Reject::Acr)),
            (r#"{"ACR":"2"}"#, Err(Reject::Acr)),
            ("{}", Err(Reject::Acr)),
            (r#"{"acr":2}"#, Err(Reject::ClaimType)),
            (r#"{"acr":null}"#, Err(Reject::ClaimType)),
            (r#"{"acr":["2"]}"#, Err(Reject::ClaimType)),
        ] {
            assert_eq!(validate(&asked, payload), expected, "{payload}");
        }
    }

    #[test]
    fn a_login_counts_for_so_many_seconds_whatever_the_leeway() {
        let asked = StepUp { max_age: NonZeroU32::new(300), ..StepUp::default() };
        for (payload, expected) in [
            (r#"{"auth_time":1700000000}"#, Ok(())),
            (r#"{"auth_time":1.7e9}"#, Ok(())),
            (r#"{"auth_time":1699999701}"#, Ok(())),
            (r#"{"auth_time":1699999700.5}"#, Ok(())),
            (r#"{"auth_time":1699999700}"#, Err(Reject::AuthTime)),
            (r#"{"auth_time":1699999699}"#, Err(Reject::AuthTime)),
            (r#"{"auth_time":0}"#, Err(Reject::AuthTime)),
            (r#"{"auth_time":-9e15}"#, Err(Reject::AuthTime)),
            ("{}", Err(Reject::AuthTime)),
            // A clock that is ahead by less than is granted.
            (r#"{"auth_time":1700000030}"#, Ok(())),
            (r#"{"auth_time":1700000031}"#, Err(Reject::ClaimType)),
            (r#"{"auth_time":1700000000000}"#, Err(Reject::ClaimType)),
            (r#"{"auth_time":9e300}"#, Err(Reject::ClaimType)),
            (r#"{"auth_time":"1700000000"}"#, Err(Reject::ClaimType)),
            (r#"{"auth_time":null}"#, Err(Reject::ClaimType)),
            (r#"{"auth_time":true}"#, Err(Reject::ClaimType)),
        ] {
            assert_eq!(validate(&asked, payload), expected, "{payload}");
        }
        let longest = StepUp { max_age: NonZeroU32::new(u32::MAX), ..StepUp::default() };
        assert_eq!(validate(&longest, r#"{"auth_time":1}"#), Ok(()));
    }
}

//! Whose token it is.

use super::decimal::Decimal;
use super::{Claim, Claims};
use crate::{Profile, Reject};

/// The group of rules that are for everybody: no subject can have this name for itself.
pub const EVERYBODY: &str = "g";

/// Bytes of the name of a group of rules: a subject that is longer has none.
pub const MAX_GROUP_BYTES: usize = 512;

impl Claims {
    /// Whose token it is, by the profile's subject claim: a string, or the one text that stands for a number's value
    /// (42, 42.0 and 4.2e1 are all `42`). `None` without such a claim, and for any other type.
    pub fn subject(&self, profile: Profile) -> Option<String> {
        match self.get(profile.subject_claim())? {
            Claim::String(subject) => Some(subject.into_owned()),
            Claim::Int(number) => Some(number.to_string()),
            Claim::Number(literal) => Decimal::parse(literal).map(|number| number.to_string()),
            Claim::Null | Claim::Bool(_) | Claim::Json(_) => None,
        }
    }

    /// The [`subject`](Self::subject), where rules decide: no rule may be unable to name a token's owner alone. Without
    /// the claim there is no owner, and the rules for everybody apply.
    ///
    /// # Errors
    ///
    /// [`Reject::ClaimType`] for a claim that is neither a string nor a number. In the `standard` profile also for one
    /// that is empty, longer than [`MAX_GROUP_BYTES`], or [`EVERYBODY`]: rules for it cannot be written, or would be
    /// everybody's. An ms-users writes its groups itself, under any name, and reads those of `g` for everybody: there
    /// such subjects are judged as ever.
    pub fn revocable_subject(&self, profile: Profile) -> Result<Option<String>, Reject> {
        if self.get(profile.subject_claim()).is_none() {
            return Ok(None);
        }
        let subject = self.subject(profile).ok_or(Reject::ClaimType)?;
        let is_nameable = !subject.is_empty() && subject.len() <= MAX_GROUP_BYTES && subject != EVERYBODY;
        match profile {
            Profile::Standard if !is_nameable => Err(Reject::ClaimType),
            Profile::Standard | Profile::MsUsers => Ok(Some(subject)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Profile::{MsUsers, Standard};

    fn claims(payload: &str) -> Claims {
        Claims::parse(payload.as_bytes()).unwrap()
    }

    #[test]
    fn the_subject_comes_from_the_profiles_claim() {
        let claims = claims(r#"{"sub":"a","username":42}"#);
        assert_eq!(claims.subject(Standard).unwrap(), "a");
        assert_eq!(claims.subject(MsUsers).unwrap(), "42");
    }

    #[test]
    fn a_number_is_one_subject_however_it_is_written() {
        for (sub, subject) in [
            ("42", Some("42")),
            ("42.0", Some("42")),
            ("4.2e1", Some("42")),
            ("\"42.0\"", Some("42.0")),
            ("-0.0", Some("0")),
            ("12345678901234567", Some("12345678901234567")),
            ("12345678901234567890.0", Some("12345678901234567890")),
            ("0.5", Some("0.5")),
            ("1e99999999999999999999", None),
            ("null", None),
            ("true", None),
            ("[42]", None),
            ("{}", None),
        ] {
            let claims = claims(&format!(r#"{{"sub":{sub}}}"#));
            assert_eq!(claims.subject(Standard).as_deref(), subject, "{sub}");
        }
    }

    #[test]
    fn where_rules_decide_a_subject_can_be_named_alone() {
        let longest = "ä".repeat(MAX_GROUP_BYTES / 2);
        let long = format!("{longest}x");
        for (payload, standard, ms_users) in [
            (r#"{"sub":"anna"}"#.to_owned(), Ok(Some("anna")), Ok(None)),
            (r#"{"sub":42.0,"username":4.2e1}"#.into(), Ok(Some("42")), Ok(Some("42"))),
            ("{}".into(), Ok(None), Ok(None)),
            (r#"{"sub":"","username":""}"#.into(), Err(Reject::ClaimType), Ok(Some(""))),
            (r#"{"sub":"g","username":"g"}"#.into(), Err(Reject::ClaimType), Ok(Some("g"))),
            (r#"{"sub":"\u0067"}"#.into(), Err(Reject::ClaimType), Ok(None)),
            (r#"{"sub":"G"}"#.into(), Ok(Some("G")), Ok(None)),
            (r#"{"sub":" "}"#.into(), Ok(Some(" ")), Ok(None)),
            (format!(r#"{{"sub":"{longest}"}}"#), Ok(Some(longest.as_str())), Ok(None)),
            (
                format!(r#"{{"sub":"{long}","username":"{long}"}}"#),
                Err(Reject::ClaimType),
                Ok(Some(long.as_str())),
            ),
            (r#"{"sub":null,"username":null}"#.into(), Err(Reject::ClaimType), Err(Reject::ClaimType)),
            (r#"{"sub":["a"],"username":{}}"#.into(), Err(Reject::ClaimType), Err(Reject::ClaimType)),
            (r#"{"sub":1e99999999999999999999}"#.into(), Err(Reject::ClaimType), Ok(None)),
        ] {
            for (profile, expected) in [(Standard, standard), (MsUsers, ms_users)] {
                let subject = claims(&payload).revocable_subject(profile);
                assert_eq!(
                    subject,
                    expected.map(|subject| subject.map(str::to_owned)),
                    "{payload} {profile}"
                );
            }
        }
    }
}

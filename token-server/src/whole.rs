//! Rules that revoke a subject whole: every token, or every one that was issued before some time. They are what `revoke`
//! writes and `restore` removes. Others concern some of the tokens, as those that ms-users writes when a session ends.

use jose::{Profile, UnixTime};
use serde_json::{Map, Value};

/// From here on an `iat` counts milliseconds; in seconds it is the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Bytes of the longest of these rules, with white space to spare.
const MAX_BYTES: usize = 128;

/// Which tokens of a subject a rule revokes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whole {
    /// Those that were issued before.
    IssuedBefore(UnixTime),
    /// Those of later logins too.
    Every,
}

impl Whole {
    /// What a rule's JSON says; absent where it looks at anything but an upper bound on `iat`.
    pub fn of(json: &str) -> Option<Self> {
        if json.len() > MAX_BYTES {
            return None;
        }
        let mut members: Map<String, Value> = serde_json::from_str(json).ok()?;
        let Some(iat) = members.remove("iat") else { return members.is_empty().then_some(Self::Every) };
        let Value::Object(bounds) = iat else { return None };
        let mut bounds = bounds.into_iter();
        let (Some((operator, bound)), None, true) = (bounds.next(), bounds.next(), members.is_empty()) else {
            return None;
        };
        let bound = bound.as_i64()?;
        let before = match operator.as_str() {
            "lt" => bound,
            "lte" => bound.checked_add(1)?,
            _ => return None,
        };
        let at = if before >= MILLISECONDS_FROM {
            UnixTime::from_millis(before)
        } else {
            UnixTime::from_secs(before)
        };
        Some(Self::IssuedBefore(at))
    }
}

/// The rule that revokes what was issued before, in the unit in which the profile's tokens count `iat`. A bound within a
/// second is that second's end: what cannot be told apart is revoked.
pub fn issued_before(at: UnixTime, profile: Profile) -> String {
    let millis = at.as_millis();
    let bound = match profile {
        Profile::Standard => millis.div_euclid(1000).saturating_add(i64::from(millis.rem_euclid(1000) > 0)),
        Profile::MsUsers => millis,
    };
    format!(r#"{{"iat":{{"lt":{bound}}}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_looks_at_an_upper_bound_on_iat_alone_revokes_a_subject_whole() {
        let before = |millis| Some(Whole::IssuedBefore(UnixTime::from_millis(millis)));
        for (json, whole) in [
            ("{}", Some(Whole::Every)),
            (r#"{"iat":{"lt":1700000001}}"#, before(1_700_000_001_000)),
            (r#"{ "iat" : { "lte" : 1700000000 } }"#, before(1_700_000_001_000)),
            (r#"{"iat":{"lt":1700000000001}}"#, before(1_700_000_000_001)),
            (r#"{"iat":{"lte":1700000000000}}"#, before(1_700_000_000_001)),
            (r#"{"iat":{"lt":1700000001,"gt":5}}"#, None),
            (r#"{"iat":{"gt":5}}"#, None),
            (r#"{"iat":{"lt":"1700000001"}}"#, None),
            (r#"{"iat":{"lte":9223372036854775807}}"#, None),
            (r#"{"iat":{}}"#, None),
            (r#"{"iat":5}"#, None),
            (r#"{"iat":{"lte":1700000000000},"rt":"x"}"#, None),
            (r#"{"_or":true,"iat":{"lt":5}}"#, None),
            (r#"{"_or":true}"#, None),
            (r#"{"_or":true,"cs":"1","rt":"1"}"#, None),
            ("[]", None),
            ("no JSON", None),
        ] {
            assert_eq!(Whole::of(json), whole, "{json}");
        }
    }

    #[test]
    fn a_revocation_is_written_in_the_unit_of_the_profile_and_reaches_all_that_was_issued_before() {
        for (millis, standard, ms_users) in [
            (1_700_000_000_000, 1_700_000_000, 1_700_000_000_000_i64),
            (1_700_000_000_001, 1_700_000_001, 1_700_000_000_001),
            (1_700_000_000_999, 1_700_000_001, 1_700_000_000_999),
        ] {
            let at = UnixTime::from_millis(millis);
            for (profile, bound) in [(Profile::Standard, standard), (Profile::MsUsers, ms_users)] {
                let rule = issued_before(at, profile);
                assert_eq!(rule, format!(r#"{{"iat":{{"lt":{bound}}}}}"#));
                assert!(matches!(Whole::of(&rule), Some(Whole::IssuedBefore(told)) if told >= at), "{rule}");
            }
        }
    }
}

//! The verdict of the rules on one token.

use jose::Reject;
use rules::Token;

use super::Group;

/// The verdict of the rules that concern one token: of its subject, and of everybody. Absent: not known.
///
/// A rule of the subject that is not understood makes the answer [`Reject::Rules`], as does ignorance of any rules.
/// One of everybody is left out, so that it cannot shut out everybody. More rules than checks may cost make it
/// [`Reject::Rules`] in both: which tokens they mean was understood, and is not looked at.
///
/// # Errors
/// [`Reject::Revoked`] or [`Reject::Rules`].
pub fn check<'t>(
    everybody: Option<&Group>,
    subject: Option<&Group>,
    token: impl Into<Token<'t>>,
    now: i64,
) -> Result<(), Reject> {
    let token = token.into();
    if [everybody, subject].into_iter().flatten().any(|group| group.revokes(token, now)) {
        return Err(Reject::Revoked);
    }
    match (everybody, subject) {
        (Some(everybody), Some(subject))
            if !everybody.is_overfull(now) && !subject.is_overfull(now) && !subject.is_doubtful(now) =>
        {
            Ok(())
        }
        (Some(_) | None, Some(_) | None) => Err(Reject::Rules),
    }
}

#[cfg(test)]
mod tests {
    use rules::{InsertError, Rule};

    use super::super::group::tests::{claims, group};
    use super::*;

    #[test]
    fn a_token_is_judged_by_its_subjects_rules_and_by_everybodys() {
        let (everybody, anna, none) =
            (group(&[(r#"{"iss":"old"}"#, 0)]), group(&[(r#"{"rt":"x"}"#, 9)]), group(&[]));
        for (subject, json, now, answer) in [
            (Some(&anna), r#"{"rt":"x"}"#, 0, Err(Reject::Revoked)),
            (Some(&anna), r#"{"rt":"x"}"#, 9, Ok(())),
            (Some(&none), r#"{"rt":"x"}"#, 0, Ok(())),
            (Some(&none), r#"{"iss":"old"}"#, 0, Err(Reject::Revoked)),
            (None, r#"{"iss":"old"}"#, 0, Err(Reject::Revoked)),
            (None, "{}", 0, Err(Reject::Rules)),
        ] {
            assert_eq!(check(Some(&everybody), subject, &claims(json), now), answer, "{json} at {now}");
        }
        assert_eq!(check(None, Some(&none), &claims("{}"), 0), Err(Reject::Rules));
        assert_eq!(check(None, Some(&anna), &claims(r#"{"rt":"x"}"#), 0), Err(Reject::Revoked));
    }

    #[test]
    fn an_unreadable_rule_blocks_its_subject_but_not_everybody() {
        let (bad, none) = (group(&[(r#"{"iat":{"like":1}}"#, 100), (r#"{"rt":"x"}"#, 0)]), group(&[]));
        assert_eq!(check(Some(&none), Some(&bad), &claims("{}"), 99), Err(Reject::Rules));
        assert_eq!(check(Some(&none), Some(&bad), &claims(r#"{"rt":"x"}"#), 99), Err(Reject::Revoked));
        assert_eq!(check(Some(&none), Some(&bad), &claims("{}"), 100), Ok(()), "the bad rule has ended");
        assert_eq!(check(Some(&bad), Some(&none), &claims("{}"), 0), Ok(()));
        assert_eq!(check(Some(&none), Some(&group(&[("{", 0)])), &claims("{}"), 0), Err(Reject::Rules));
    }

    #[test]
    fn a_rule_beyond_what_checks_may_cost_blocks_all_whom_it_concerns_and_is_not_admitted() {
        let lookahead = |number: usize| format!(r#"{{"sub":{{"regex":"(?={number})"}}}}"#);
        let count = rules::MAX_BACKTRACKING_PATTERNS;
        let texts: Vec<_> = (0..=count).map(lookahead).collect();
        let rules: Vec<_> = texts.iter().map(|text| (text.as_str(), 0)).collect();
        let (none, full, over) = (group(&[]), group(&rules[..count]), group(&rules));
        let claims = claims(r#"{"sub":"x"}"#);
        assert_eq!(check(Some(&none), Some(&full), &claims, 0), Ok(()));
        assert_eq!(check(Some(&none), Some(&over), &claims, 0), Err(Reject::Rules));
        assert_eq!(check(Some(&over), Some(&none), &claims, 0), Err(Reject::Rules), "everybody's too");
        assert_eq!((over.len(), over.unreadable()), (count + 1, 1));

        let more = Rule::parse(&lookahead(count)).unwrap();
        assert_eq!(full.admits(&more), Err(InsertError::TooManyBacktrackingPatterns));
        assert_eq!(full.admits(&Rule::parse(&lookahead(0)).unwrap()), Ok(()), "it is there already");
        assert_eq!(none.admits(&more), Ok(()));
    }

    #[test]
    fn many_rules_that_end_push_out_none_that_holds_longer() {
        let range = |number: usize| format!(r#"{{"iat":{{"lt":{number}}}}}"#);
        let texts: Vec<_> = (0..rules::MAX_SCANNED_RULES).map(range).collect();
        let many: Vec<_> = texts.iter().map(|text| (text.as_str(), 1_000)).collect();
        let permanent = (r#"{"exp":{"gt":50}}"#, 0);
        let (claims, other) = (claims(r#"{"iat":20000,"exp":60}"#), claims(r#"{"iat":20000,"exp":40}"#));
        for position in [0, many.len()] {
            let mut stored = many.clone();
            stored.insert(position, permanent);
            let (over, none) = (group(&stored), group(&[]));
            assert_eq!((over.len(), over.unreadable()), (rules::MAX_SCANNED_RULES + 1, 1));
            for (everybody, subject) in [(&over, &none), (&none, &over)] {
                assert_eq!(check(Some(everybody), Some(subject), &claims, 0), Err(Reject::Revoked));
                assert_eq!(check(Some(everybody), Some(subject), &other, 999), Err(Reject::Rules));
                assert_eq!(check(Some(everybody), Some(subject), &other, 1_000), Ok(()), "they have ended");
                assert_eq!(check(Some(everybody), Some(subject), &claims, 1_000), Err(Reject::Revoked));
            }
        }
    }
}

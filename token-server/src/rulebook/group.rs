//! The rules of one group, parsed.

use jose::Reject;
use prometheus_client::metrics::gauge::Gauge;
use rules::{Claims, ExpireAt, InsertError, Rule, RuleEntry, RuleSet};

use crate::store::StoredRule;

/// Bytes that a group costs beside its rules; also the price of knowing that a subject has none.
const GROUP_BYTES: usize = 256;

/// Bytes that a parsed rule costs for each byte of its text, and beside it.
const BYTES_PER_BYTE: usize = 3;
const RULE_BYTES: usize = 256;

/// The rules of one subject, or of everybody, as they were read at one moment.
#[derive(Debug)]
pub struct Group {
    rules: RuleSet,
    /// Texts in the store that are no rules, as an edit by hand leaves them, and rules beyond what a group may cost.
    unreadable: Vec<(Box<str>, ExpireAt)>,
    bytes: usize,
    totals: Totals,
}

/// How much the groups in memory hold together, and as of when. Clones count into the same gauges.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Groups with at least one rule.
    pub groups: Gauge,
    /// Rules, the unreadable ones included.
    pub rules: Gauge,
    /// Rules that are not understood.
    pub unreadable: Gauge,
    /// The number of the last change that was heard of.
    pub revision: Gauge,
}

impl Group {
    /// Parses what a store holds. What is not understood is kept as such: it can refuse, but not vanish. A rule that
    /// would make checks too dear is not looked at, and so is treated as one that is not understood.
    pub fn parse(mut stored: Vec<StoredRule>, totals: &Totals) -> Self {
        // Others write one rule in several texts with ends of their own; what is read last sets the end.
        stored.sort_by_key(|stored| match stored.expire_at {
            ExpireAt::At(seconds) => seconds,
            ExpireAt::Never => i64::MAX,
        });
        let mut rules = RuleSet::default();
        let mut unreadable = Vec::new();
        let mut bytes = GROUP_BYTES;
        for StoredRule { json, expire_at, .. } in stored {
            bytes =
                bytes.saturating_add(RULE_BYTES).saturating_add(json.len().saturating_mul(BYTES_PER_BYTE));
            let rule = match Rule::parse(&json) {
                Ok(rule) => rule,
                Err(error) => {
                    tracing::debug!(%error, "a rule in the store is not understood");
                    unreadable.push((json.into(), expire_at));
                    continue;
                }
            };
            if let Err(error) = rules.insert(RuleEntry { rule, expire_at }) {
                tracing::debug!(%error, "a rule in the store is beyond the limits");
                unreadable.push((json.into(), expire_at));
            }
        }
        let group = Self { rules, unreadable, bytes, totals: totals.clone() };
        if !group.unreadable.is_empty() {
            let rules = group.unreadable.len();
            tracing::error!(
                rules,
                "rules in the store are not understood or beyond the limits; GET /v1/rules tells their groups"
            );
        }
        if !group.is_empty() {
            totals.groups.inc();
        }
        totals.rules.inc_by(as_gauge(group.len()));
        totals.unreadable.inc_by(as_gauge(group.unreadable.len()));
        group
    }

    /// Whether one of the rules revokes a token of these claims at `now` (unix seconds).
    pub fn revokes(&self, claims: &Claims, now: i64) -> bool {
        self.rules.first_match(claims, now).is_some()
    }

    /// Whether it holds what is no rule and has not ended at `now`: nobody knows which tokens that meant.
    pub fn is_doubtful(&self, now: i64) -> bool {
        self.unreadable.iter().any(|(_, end)| !end.has_passed(now))
    }

    /// Whether it may have one more rule where `max` are allowed; a rule that is there already needs no room.
    pub fn has_room(&self, rule: &Rule, max: usize) -> bool {
        self.len() < max || self.rules.contains(rule.canonical())
    }

    /// Whether it may take this rule without costing its checks more than is allowed.
    ///
    /// # Errors
    /// As [`RuleSet::insert`].
    pub fn admits(&self, rule: &Rule) -> Result<(), InsertError> {
        self.rules.admits(rule)
    }

    /// Rules, the unreadable ones included.
    pub fn len(&self) -> usize {
        self.rules.len() + self.unreadable.len()
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rules that are not understood.
    pub fn unreadable(&self) -> usize {
        self.unreadable.len()
    }

    /// About what it costs in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_empty() {
            self.totals.groups.dec();
        }
        self.totals.rules.dec_by(as_gauge(self.len()));
        self.totals.unreadable.dec_by(as_gauge(self.unreadable.len()));
    }
}

/// The verdict of the rules that concern one token: of its subject, and of everybody. Absent: not known.
///
/// A rule of the subject that is not understood makes the answer [`Reject::Rules`], as does ignorance of any rules.
/// One of everybody is left out, so that it cannot shut out everybody.
///
/// # Errors
/// [`Reject::Revoked`] or [`Reject::Rules`].
pub fn judge(
    everybody: Option<&Group>,
    subject: Option<&Group>,
    claims: &Claims,
    now: i64,
) -> Result<(), Reject> {
    if [everybody, subject].into_iter().flatten().any(|group| group.revokes(claims, now)) {
        return Err(Reject::Revoked);
    }
    match (everybody, subject) {
        (Some(_), Some(subject)) if !subject.is_doubtful(now) => Ok(()),
        (Some(_) | None, Some(_) | None) => Err(Reject::Rules),
    }
}

pub(super) fn as_gauge(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(rules: &[(&str, i64)]) -> Group {
        let stored = rules.iter().map(|(json, expire_at)| StoredRule {
            group: "anna".into(),
            json: (*json).into(),
            expire_at: ExpireAt::from_seconds(*expire_at),
            revision: None,
        });
        Group::parse(stored.collect(), &Totals::default())
    }

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).unwrap()
    }

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
            assert_eq!(judge(Some(&everybody), subject, &claims(json), now), answer, "{json} at {now}");
        }
        assert_eq!(judge(None, Some(&none), &claims("{}"), 0), Err(Reject::Rules));
        assert_eq!(judge(None, Some(&anna), &claims(r#"{"rt":"x"}"#), 0), Err(Reject::Revoked));
    }

    #[test]
    fn an_unreadable_rule_blocks_its_subject_but_not_everybody() {
        let (bad, none) = (group(&[(r#"{"iat":{"like":1}}"#, 100), (r#"{"rt":"x"}"#, 0)]), group(&[]));
        assert_eq!(judge(Some(&none), Some(&bad), &claims("{}"), 99), Err(Reject::Rules));
        assert_eq!(judge(Some(&none), Some(&bad), &claims(r#"{"rt":"x"}"#), 99), Err(Reject::Revoked));
        assert_eq!(judge(Some(&none), Some(&bad), &claims("{}"), 100), Ok(()), "the bad rule has ended");
        assert_eq!(judge(Some(&bad), Some(&none), &claims("{}"), 0), Ok(()));
        assert_eq!(judge(Some(&none), Some(&group(&[("{", 0)])), &claims("{}"), 0), Err(Reject::Rules));
    }

    #[test]
    fn a_rule_in_several_texts_holds_until_the_last_of_them_ends() {
        let claims = claims(r#"{"a":1,"rt":"x"}"#);
        let (one, other) = (r#"{"a":1,"rt":"x"}"#, r#"{"rt":"x","a":1.0}"#);
        for (ends, last) in [([0, 100], i64::MAX), ([100, 0], i64::MAX), ([200, 100], 199), ([100, 200], 199)]
        {
            let group = group(&[(one, ends[0]), (other, ends[1])]);
            assert!(group.revokes(&claims, last), "{ends:?}");
            assert!(last == i64::MAX || !group.revokes(&claims, last + 1), "{ends:?}");
        }
    }

    #[test]
    fn a_rule_beyond_what_checks_may_cost_blocks_its_subject_and_is_not_admitted() {
        let lookahead = |number: usize| format!(r#"{{"sub":{{"regex":"(?={number})"}}}}"#);
        let count = rules::MAX_BACKTRACKING_PATTERNS;
        let texts: Vec<_> = (0..=count).map(lookahead).collect();
        let rules: Vec<_> = texts.iter().map(|text| (text.as_str(), 0)).collect();
        let (none, full, over) = (group(&[]), group(&rules[..count]), group(&rules));
        let claims = claims(r#"{"sub":"x"}"#);
        assert_eq!(judge(Some(&none), Some(&full), &claims, 0), Ok(()));
        assert_eq!(judge(Some(&none), Some(&over), &claims, 0), Err(Reject::Rules));
        assert_eq!(judge(Some(&over), Some(&none), &claims, 0), Ok(()));
        assert_eq!((over.len(), over.unreadable()), (count + 1, 1));

        let more = Rule::parse(&lookahead(count)).unwrap();
        assert_eq!(full.admits(&more), Err(InsertError::TooManyBacktrackingPatterns));
        assert_eq!(full.admits(&Rule::parse(&lookahead(0)).unwrap()), Ok(()), "it is there already");
        assert_eq!(none.admits(&more), Ok(()));
    }

    #[test]
    fn totals_follow_the_groups_that_are_held() {
        let totals = Totals::default();
        let stored = |json: &str| StoredRule {
            group: "a".into(),
            json: json.into(),
            expire_at: ExpireAt::Never,
            revision: None,
        };
        let first = Group::parse(vec![stored(r#"{"x":1}"#), stored("broken")], &totals);
        let empty = Group::parse(vec![], &totals);
        let shown = || (totals.groups.get(), totals.rules.get(), totals.unreadable.get());
        assert_eq!(shown(), (1, 2, 1));
        assert!(first.bytes() > empty.bytes());
        drop((first, empty));
        assert_eq!(shown(), (0, 0, 0));
    }

    #[test]
    fn a_full_group_takes_only_what_it_has() {
        let group = group(&[(r#"{"x":1}"#, 0), ("unreadable", 0)]);
        let rule = |json: &str| Rule::parse(json).unwrap();
        assert!(group.has_room(&rule(r#"{"x":2}"#), 3));
        assert!(!group.has_room(&rule(r#"{"x":2}"#), 2));
        assert!(group.has_room(&rule(r#"{"x":1}"#), 2), "it only gets another end");
    }
}

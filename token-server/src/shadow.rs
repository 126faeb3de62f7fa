//! Rules that are only tried: they are held against what is checked, counted when they would revoke, and revoke nothing.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use prometheus_client::metrics::gauge::Gauge;
use rules::{ExpireAt, InsertError, Rule, RuleEntry, RuleSet, Token};

use jose::EVERYBODY;

/// Shadow rules of one group: each check of its subject looks at all of them.
pub const MAX_SHADOW_RULES_PER_GROUP: usize = 64;

/// Shadow rules of all groups.
pub const MAX_SHADOW_RULES: usize = 10_000;

/// All shadow rules, with what they would have revoked since they were loaded.
#[derive(Debug, Default)]
pub struct Shadows {
    groups: RwLock<Groups>,
    /// So that a check takes no lock while nothing is tried.
    len: AtomicUsize,
    shown: Gauge,
}

type Groups = BTreeMap<Box<str>, Vec<Shadow>>;

#[derive(Debug)]
struct Shadow {
    rule: Rule,
    expire_at: ExpireAt,
    hits: AtomicU64,
}

impl Shadows {
    /// None yet; `shown` follows their number.
    pub fn new(shown: Gauge) -> Self {
        Self { shown, ..Self::default() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a group may get this rule; one that it has already needs no room.
    pub fn has_room(&self, group: &str, canonical: &str) -> bool {
        self.has_room_without(0, group, canonical)
    }

    /// The same, where so many of the group's rules go.
    pub(crate) fn has_room_without(&self, going: usize, group: &str, canonical: &str) -> bool {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let of_group = groups.get(group);
        of_group.is_some_and(|rules| rules.iter().any(|shadow| shadow.rule.canonical() == canonical))
            || (self.len().saturating_sub(going) < MAX_SHADOW_RULES
                && of_group
                    .is_none_or(|rules| rules.len().saturating_sub(going) < MAX_SHADOW_RULES_PER_GROUP))
    }

    /// Whether this rule is tried at `now` (unix seconds).
    pub fn tries(&self, group: &str, canonical: &str, now: i64) -> bool {
        if self.is_empty() {
            return false;
        }
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let mut of_group = groups.get(group).into_iter().flatten();
        of_group.any(|shadow| shadow.rule.canonical() == canonical && !shadow.expire_at.has_passed(now))
    }

    /// Whether a group may try this rule without costing its checks more than rules that revoke may cost.
    ///
    /// # Errors
    /// As [`RuleSet::insert`].
    pub fn admits(&self, group: &str, rule: &Rule) -> Result<(), InsertError> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let mut tried = RuleSet::default();
        for Shadow { rule, expire_at, .. } in groups.get(group).into_iter().flatten() {
            tried.insert(RuleEntry { rule: rule.clone(), expire_at: *expire_at })?;
        }
        tried.admits(rule)
    }

    /// These rules and no others; those that were there keep their counts.
    pub fn replace(&self, with: Self) {
        let mut fresh = with.groups.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        for (group, rules) in &mut fresh {
            let known = groups.get(group).map_or(&[][..], Vec::as_slice);
            for shadow in rules {
                let same = known.iter().find(|known| known.rule.canonical() == shadow.rule.canonical());
                if let Some(same) = same {
                    shadow.hits.store(same.hits.load(Ordering::Relaxed), Ordering::Relaxed);
                }
            }
        }
        self.show(fresh.values().map(Vec::len).sum());
        *groups = fresh;
    }

    /// Adds a rule; the same one written before keeps its count.
    pub fn put(&self, group: &str, rule: Rule, expire_at: ExpireAt) {
        self.change(group, |rules| {
            match rules.iter_mut().find(|shadow| shadow.rule.canonical() == rule.canonical()) {
                Some(known) => known.expire_at = expire_at,
                None => rules.push(Shadow { rule, expire_at, hits: AtomicU64::new(0) }),
            }
        });
    }

    /// Removes one rule, if it is there.
    pub fn remove(&self, group: &str, canonical: &str) {
        if self.is_empty() {
            return;
        }
        self.change(group, |rules| rules.retain(|shadow| shadow.rule.canonical() != canonical));
    }

    /// Removes all rules of a group.
    pub fn remove_group(&self, group: &str) {
        self.change(group, Vec::clear);
    }

    /// How often a rule would have revoked a token, since this program runs.
    pub fn hits(&self, group: &str, canonical: &str) -> u64 {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups
            .get(group)
            .and_then(|rules| rules.iter().find(|shadow| shadow.rule.canonical() == canonical))
            .map_or(0, |shadow| shadow.hits.load(Ordering::Relaxed))
    }

    /// Up to `limit` groups and the number of their rules, in the order of their names, after the name `after`.
    pub fn sizes(&self, after: Option<&str>, limit: usize) -> Vec<(String, usize)> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = groups.range::<str, _>((from, Bound::Unbounded)).take(limit);
        range.map(|(group, rules)| (group.to_string(), rules.len())).collect()
    }

    /// The rules of one group, by their texts and ends.
    pub fn ends(&self, group: &str) -> Vec<(String, ExpireAt)> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let of_group = groups.get(group).into_iter().flatten();
        of_group.map(|shadow| (shadow.rule.canonical().to_owned(), shadow.expire_at)).collect()
    }

    /// The texts of the rules of one group.
    pub fn texts(&self, group: &str) -> Vec<String> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let of_group = groups.get(group).into_iter().flatten();
        of_group.map(|shadow| shadow.rule.canonical().to_owned()).collect()
    }

    /// The number of rules of one group.
    pub fn size(&self, group: &str) -> usize {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups.get(group).map_or(0, Vec::len)
    }

    /// Holds every rule of a token's groups against it at `now` (unix seconds); tells how many would revoke it.
    pub fn count<'t>(&self, token: impl Into<Token<'t>>, subject: Option<&str>, now: i64) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let own = subject.filter(|subject| *subject != EVERYBODY);
        let tried = [Some(EVERYBODY), own].into_iter().flatten().filter_map(|name| groups.get(name));
        let token = token.into();
        let mut hits = 0;
        for shadow in tried.flatten() {
            if !shadow.expire_at.has_passed(now) && shadow.rule.matches(token) {
                shadow.hits.fetch_add(1, Ordering::Relaxed);
                hits += 1;
            }
        }
        hits
    }

    fn change(&self, group: &str, change: impl FnOnce(&mut Vec<Shadow>)) {
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        let mut rules = groups.remove(group).unwrap_or_default();
        let before = rules.len();
        change(&mut rules);
        self.show(self.len().saturating_add(rules.len()).saturating_sub(before));
        if !rules.is_empty() {
            groups.insert(group.into(), rules);
        }
    }

    fn show(&self, len: usize) {
        self.len.store(len, Ordering::Relaxed);
        self.shown.set(i64::try_from(len).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rules::{Claims, Issued};

    fn rule(json: &str) -> Rule {
        Rule::parse(json).unwrap()
    }

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_rule_that_would_revoke_is_counted_until_it_ends() {
        let shadows = Shadows::default();
        shadows.put("g", rule(r#"{"iss":"old"}"#), ExpireAt::Never);
        shadows.put("anna", rule(r#"{"rt":"x"}"#), ExpireAt::At(100));
        shadows.put("anna", rule(r#"{"iss":"old"}"#), ExpireAt::Never);
        for (payload, subject, now, hits) in [
            (r#"{"iss":"old","rt":"x"}"#, Some("anna"), 99, 3),
            (r#"{"iss":"old","rt":"x"}"#, Some("anna"), 100, 2),
            (r#"{"iss":"old","rt":"x"}"#, Some("ben"), 0, 1),
            (r#"{"iss":"old"}"#, Some("g"), 0, 1),
            (r#"{"iss":"old"}"#, None, 0, 1),
            (r#"{"iss":"new"}"#, Some("anna"), 0, 0),
        ] {
            assert_eq!(shadows.count(&claims(payload), subject, now), hits, "{payload} of {subject:?}");
        }
        assert_eq!(shadows.hits("g", r#"{"iss":"old"}"#), 5);
        assert_eq!(shadows.hits("anna", r#"{"rt":"x"}"#), 1);
        shadows.put("anna", rule(r#"{"rt":"x"}"#), ExpireAt::Never);
        assert_eq!(shadows.hits("anna", r#"{"rt":"x"}"#), 1, "written again, it keeps its count");
        assert_eq!(shadows.sizes(None, 9), [("anna".to_owned(), 2), ("g".to_owned(), 1)]);
        assert_eq!(shadows.sizes(Some("anna"), 9), [("g".to_owned(), 1)]);
        shadows.remove("g", r#"{"iss":"old"}"#);
        assert_eq!((shadows.len(), shadows.size("g"), shadows.size("anna")), (2, 0, 2));
    }

    #[test]
    fn an_upper_bound_on_iat_is_counted_for_a_token_that_does_not_say_when_it_was_issued() {
        let shadows = Shadows::default();
        shadows.put("g", rule(r#"{"iat":{"gt":1,"lt":5}}"#), ExpireAt::Never);
        for (payload, issued, hits) in [
            ("{}", Issued::Unknown, 1),
            (r#"{"iat":1700000000000}"#, Issued::Unknown, 1),
            (r#"{"iat":4}"#, Issued::AsTold, 1),
            (r#"{"iat":6}"#, Issued::AsTold, 0),
        ] {
            let token = Token { claims: &claims(payload), issued };
            assert_eq!(shadows.count(token, None, 0), hits, "{payload}");
        }
    }

    #[test]
    fn rules_that_are_read_again_keep_their_counts_and_those_that_are_gone_are_gone() {
        let shadows = Shadows::default();
        shadows.put("g", rule(r#"{"a":1}"#), ExpireAt::Never);
        shadows.put("g", rule(r#"{"b":1}"#), ExpireAt::Never);
        assert_eq!(shadows.count(&claims(r#"{"a":1,"b":1}"#), None, 0), 2);
        let read = Shadows::default();
        read.put("g", rule(r#"{"a":1}"#), ExpireAt::Never);
        read.put("anna", rule(r#"{"b":1}"#), ExpireAt::Never);
        shadows.replace(read);
        assert_eq!((shadows.len(), shadows.size("g"), shadows.size("anna")), (2, 1, 1));
        assert_eq!(shadows.hits("g", r#"{"a":1}"#), 1);
        assert_eq!(shadows.hits("g", r#"{"b":1}"#), 0);
        shadows.replace(Shadows::default());
        assert!(shadows.is_empty() && shadows.shown.get() == 0);
    }

    #[test]
    fn the_number_of_rules_is_limited() {
        let shadows = Shadows::default();
        for number in 0..MAX_SHADOW_RULES_PER_GROUP {
            let rule = rule(&format!(r#"{{"rt":{number}}}"#));
            assert!(shadows.has_room("anna", rule.canonical()));
            shadows.put("anna", rule, ExpireAt::Never);
        }
        assert!(!shadows.has_room("anna", r#"{"rt":"x"}"#));
        assert!(shadows.has_room("anna", r#"{"rt":5}"#), "it is there");
        assert!(shadows.has_room("ben", r#"{"rt":"x"}"#));
    }

    #[test]
    fn a_rule_that_makes_checks_too_dear_is_not_even_tried() {
        let shadows = Shadows::default();
        let lookahead = |number: usize| rule(&format!(r#"{{"sub":{{"regex":"(?={number})"}}}}"#));
        for number in 0..rules::MAX_BACKTRACKING_PATTERNS {
            assert_eq!(shadows.admits("anna", &lookahead(number)), Ok(()));
            shadows.put("anna", lookahead(number), ExpireAt::Never);
        }
        let refused = Err(InsertError::TooManyBacktrackingPatterns);
        assert_eq!(shadows.admits("anna", &lookahead(99)), refused);
        assert_eq!(shadows.admits("anna", &lookahead(0)), Ok(()), "it is there");
        assert_eq!(shadows.admits("anna", &rule(r#"{"rt":"x"}"#)), Ok(()));
        assert_eq!(shadows.admits("ben", &lookahead(99)), Ok(()));
    }
}

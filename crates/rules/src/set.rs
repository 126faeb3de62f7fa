//! The rules of one group: of one subject, or of everybody.

use crate::{Claims, Rule};

/// When a rule ends, in unix seconds. The store's number 0 stands for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpireAt {
    /// The rule holds until it is deleted.
    Never,
    /// The rule holds before this second.
    At(i64),
}

/// A rule and until when it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleEntry {
    /// The condition.
    pub rule: Rule,
    /// Its end.
    pub expire_at: ExpireAt,
}

/// Rules of which one match is enough.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleSet {
    entries: Vec<RuleEntry>,
}

impl ExpireAt {
    /// From the number that stores and the API use: unix seconds, 0 for never.
    pub const fn from_seconds(seconds: i64) -> Self {
        if seconds == 0 { Self::Never } else { Self::At(seconds) }
    }

    /// The number that stores and the API use.
    pub const fn as_seconds(self) -> i64 {
        match self {
            Self::Never => 0,
            Self::At(seconds) => seconds,
        }
    }

    /// Whether the end has come at `now` (unix seconds).
    pub const fn has_passed(self, now: i64) -> bool {
        match self {
            Self::Never => false,
            Self::At(seconds) => seconds <= now,
        }
    }
}

impl RuleSet {
    /// The rule that revokes a token of these claims at `now` (unix seconds), if one does. Rules that have ended do not.
    pub fn first_match(&self, claims: &Claims, now: i64) -> Option<&RuleEntry> {
        self.entries.iter().find(|entry| !entry.expire_at.has_passed(now) && entry.rule.matches(claims))
    }

    /// Adds a rule; the same rule written before gets the new end.
    pub fn insert(&mut self, entry: RuleEntry) {
        match self.entries.iter_mut().find(|known| known.rule.canonical() == entry.rule.canonical()) {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
    }

    /// Whether the rule of this canonical text is in the set.
    pub fn contains(&self, canonical: &str) -> bool {
        self.entries.iter().any(|entry| entry.rule.canonical() == canonical)
    }

    /// Removes the rule of this canonical text; tells whether it was there.
    pub fn remove(&mut self, canonical: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.rule.canonical() != canonical);
        self.entries.len() < before
    }

    /// Removes the rules whose end has come at `now` (unix seconds).
    pub fn remove_ended(&mut self, now: i64) {
        self.entries.retain(|entry| !entry.expire_at.has_passed(now));
    }

    /// Rules in the set, ended ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the set has no rule.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl FromIterator<RuleEntry> for RuleSet {
    fn from_iter<I: IntoIterator<Item = RuleEntry>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str, expire_at: i64) -> RuleEntry {
        RuleEntry { rule: Rule::parse(json).expect("a rule"), expire_at: ExpireAt::from_seconds(expire_at) }
    }

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).expect("claims")
    }

    #[test]
    fn the_matching_rule_is_told_and_ended_rules_do_not_match() {
        let set: RuleSet = [
            entry(r#"{"rt":"a"}"#, 100),
            entry(r#"{"rt":"b"}"#, 0),
            entry(r#"{"_or":true,"rt":"a","cs":"a"}"#, 200),
        ]
        .into_iter()
        .collect();
        let hit =
            |json, now| set.first_match(&claims(json), now).map(|entry| entry.rule.canonical().to_owned());

        assert_eq!(hit(r#"{"rt":"a"}"#, 99).as_deref(), Some(r#"{"rt":"a"}"#));
        assert_eq!(hit(r#"{"rt":"a"}"#, 100).as_deref(), Some(r#"{"_or":true,"cs":"a","rt":"a"}"#));
        assert_eq!(hit(r#"{"rt":"a"}"#, 200), None);
        assert_eq!(hit(r#"{"rt":"b"}"#, i64::MAX).as_deref(), Some(r#"{"rt":"b"}"#));
        assert_eq!(hit(r#"{"rt":"c"}"#, 0), None);
    }

    #[test]
    fn a_rule_written_again_only_changes_its_end() {
        let mut set = RuleSet::default();
        set.insert(entry(r#"{"a":1,"b":2}"#, 100));
        set.insert(entry(r#"{"b":2,"a":1.0}"#, 0));
        assert_eq!(set.len(), 1);
        assert!(set.first_match(&claims(r#"{"a":1,"b":2}"#), 100).is_some());
        assert!(set.contains(r#"{"a":1,"b":2}"#) && !set.contains(r#"{"a":1}"#));
        assert!(!set.remove(r#"{"a":1}"#));
        assert!(set.remove(r#"{"a":1,"b":2}"#));
        assert!(set.is_empty());
    }

    #[test]
    fn ended_rules_can_be_removed() {
        let mut set: RuleSet = [entry(r#"{"a":1}"#, 100), entry(r#"{"a":2}"#, 101), entry(r#"{"a":3}"#, 0)]
            .into_iter()
            .collect();
        set.remove_ended(100);
        assert_eq!(set.len(), 2);
        assert!(!set.remove(r#"{"a":1}"#));
    }
}

//! The rules of one group: of one subject, or of everybody.

use crate::Rule;
use crate::entry::{ExpireAt, RuleEntry};
use crate::error::InsertError;
use crate::few::Few;
use crate::index::Index;
use crate::token::Token;

/// Rules of which one match is enough.
#[derive(Debug, Default)]
pub struct RuleSet(Rules);

#[derive(Debug)]
enum Rules {
    Few(Few),
    Many(Box<Index>),
}

impl RuleSet {
    /// Whether a rule revokes a token at `now` (unix seconds). Rules that have ended do not.
    pub fn matches<'a>(&self, token: impl Into<Token<'a>>, now: i64) -> bool {
        match &self.0 {
            Rules::Few(few) => few.first_match(token.into(), now).is_some(),
            Rules::Many(index) => index.matches(token.into(), now),
        }
    }

    /// The canonical text of a rule that does so, if there is one; of several any.
    pub fn first_match<'a>(&self, token: impl Into<Token<'a>>, now: i64) -> Option<&str> {
        match &self.0 {
            Rules::Few(few) => few.first_match(token.into(), now),
            Rules::Many(index) => index.first_match(token.into(), now),
        }
    }

    /// Calls `visit` with each rule that does so, by its canonical text and its end; with some of them more than once.
    pub fn visit_matches<'a>(
        &self,
        token: impl Into<Token<'a>>,
        now: i64,
        mut visit: impl FnMut(&str, ExpireAt),
    ) {
        match &self.0 {
            Rules::Few(few) => few.visit_matches(token.into(), now, &mut visit),
            Rules::Many(index) => index.visit_matches(token.into(), now, &mut visit),
        }
    }

    /// Whether [`insert`](Self::insert) would take this rule.
    ///
    /// # Errors
    /// As `insert`.
    pub fn admits(&self, rule: &Rule) -> Result<(), InsertError> {
        if self.contains(rule.canonical()) {
            return Ok(());
        }
        match &self.0 {
            Rules::Few(few) => few.admits(rule),
            Rules::Many(index) => index.admits(rule),
        }
    }

    /// Adds a rule; the same rule written before gets the new end.
    ///
    /// # Errors
    /// What [`InsertError`] lists: with this rule a match could cost more than is allowed. Then nothing changed.
    pub fn insert(&mut self, entry: RuleEntry) -> Result<(), InsertError> {
        if self.set_end(entry.rule.canonical(), entry.expire_at) {
            return Ok(());
        }
        let few = match &mut self.0 {
            Rules::Many(index) => return index.add(entry),
            Rules::Few(few) => few,
        };
        few.admits(&entry.rule)?;
        if !few.is_full() {
            few.add(entry);
            return Ok(());
        }
        let mut index = Index::default();
        // So few are within every limit but that of regular expressions, which was looked at above.
        for entry in few.take().into_iter().chain([entry]) {
            index.add(entry)?;
        }
        self.0 = Rules::Many(Box::new(index));
        Ok(())
    }

    /// Whether the rule of this canonical text is in the set.
    pub fn contains(&self, canonical: &str) -> bool {
        match &self.0 {
            Rules::Few(few) => few.contains(canonical),
            Rules::Many(index) => index.contains(canonical),
        }
    }

    /// Removes the rule of this canonical text; tells whether it was there.
    pub fn remove(&mut self, canonical: &str) -> bool {
        match &mut self.0 {
            Rules::Few(few) => few.remove(canonical),
            Rules::Many(index) => index.remove(canonical),
        }
    }

    /// Removes up to `max` of the rules whose end has come at `now` (unix seconds); tells how many. Each costs about a
    /// microsecond, and a match waits meanwhile: `max` is how long.
    pub fn remove_ended(&mut self, now: i64, max: usize) -> usize {
        match &mut self.0 {
            Rules::Few(few) => few.remove_ended(now, max),
            Rules::Many(index) => index.remove_ended(now, max),
        }
    }

    /// Rules in the set, ended ones included.
    pub fn len(&self) -> usize {
        match &self.0 {
            Rules::Few(few) => few.len(),
            Rules::Many(index) => index.len(),
        }
    }

    /// Whether the set has no rule.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rules that every match looks at: those that no equality leads to, and in a set of up to eight all.
    pub fn scanned_len(&self) -> usize {
        match &self.0 {
            Rules::Few(few) => few.len(),
            Rules::Many(index) => index.scanned_len(),
        }
    }

    fn set_end(&mut self, canonical: &str, expire_at: ExpireAt) -> bool {
        match &mut self.0 {
            Rules::Few(few) => few.set_end(canonical, expire_at),
            Rules::Many(index) => index.set_end(canonical, expire_at),
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::Few(Few::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Claims;
    use crate::limits::{MAX_BACKTRACKING_PATTERNS, MAX_PATTERNS};

    fn entry(json: &str, expire_at: i64) -> RuleEntry {
        RuleEntry { rule: Rule::parse(json).expect("a rule"), expire_at: ExpireAt::from_seconds(expire_at) }
    }

    fn set(entries: impl IntoIterator<Item = RuleEntry>) -> RuleSet {
        let mut set = RuleSet::default();
        for entry in entries {
            set.insert(entry).expect("room");
        }
        set
    }

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).expect("claims")
    }

    #[test]
    fn the_matching_rule_is_told_and_ended_rules_do_not_match() {
        let set = set([
            entry(r#"{"rt":"a"}"#, 100),
            entry(r#"{"rt":"b"}"#, 0),
            entry(r#"{"_or":true,"rt":"a","cs":"a"}"#, 200),
        ]);
        let hit = |json, now| set.first_match(&claims(json), now).map(str::to_owned);

        assert_eq!(hit(r#"{"rt":"a"}"#, 99).as_deref(), Some(r#"{"rt":"a"}"#));
        assert_eq!(hit(r#"{"rt":"a"}"#, 100).as_deref(), Some(r#"{"_or":true,"cs":"a","rt":"a"}"#));
        assert_eq!(hit(r#"{"rt":"a"}"#, 200), None);
        assert_eq!(hit(r#"{"rt":"b"}"#, i64::MAX).as_deref(), Some(r#"{"rt":"b"}"#));
        assert_eq!(hit(r#"{"rt":"c"}"#, 0), None);
    }

    #[test]
    fn each_matching_rule_is_visited_among_few_and_among_many() {
        let own = [
            entry(r#"{"iss":"a","iat":{"lte":5}}"#, 0),
            entry(r#"{"iss":"a","iat":{"lte":9}}"#, 100),
            entry(r#"{"iat":{"lte":7}}"#, 0),
            entry(r#"{"iss":"b","iat":{"lte":9}}"#, 0),
            entry(r#"{"iss":"a","iat":{"lte":8}}"#, 10),
        ];
        for others in [0, 500] {
            let others = (0..others).map(|number| entry(&format!(r#"{{"jti":"{number}","iss":"a"}}"#), 0));
            let set = set(own.clone().into_iter().chain(others));
            let mut visited = std::collections::BTreeMap::new();
            set.visit_matches(&claims(r#"{"iss":"a","iat":0}"#), 10, |text, end| {
                visited.insert(text.to_owned(), end);
            });
            let expected = [
                (r#"{"iat":{"lte":5},"iss":"a"}"#, ExpireAt::Never),
                (r#"{"iat":{"lte":7}}"#, ExpireAt::Never),
                (r#"{"iat":{"lte":9},"iss":"a"}"#, ExpireAt::At(100)),
            ];
            assert_eq!(visited, expected.map(|(text, end)| (text.to_owned(), end)).into());
        }
    }

    #[test]
    fn a_rule_written_again_only_changes_its_end() {
        let mut set = RuleSet::default();
        set.insert(entry(r#"{"a":1,"b":2}"#, 100)).expect("room");
        set.insert(entry(r#"{"b":2,"a":1.0}"#, 0)).expect("room");
        assert_eq!(set.len(), 1);
        assert!(set.first_match(&claims(r#"{"a":1,"b":2}"#), 100).is_some());
        assert!(set.contains(r#"{"a":1,"b":2}"#) && !set.contains(r#"{"a":1}"#));
        assert!(!set.remove(r#"{"a":1}"#));
        assert!(set.remove(r#"{"a":1,"b":2}"#));
        assert!(set.is_empty());
    }

    #[test]
    fn ended_rules_can_be_removed() {
        let mut set = set([entry(r#"{"a":1}"#, 100), entry(r#"{"a":2}"#, 101), entry(r#"{"a":3}"#, 0)]);
        assert_eq!(set.remove_ended(100, usize::MAX), 1);
        assert_eq!(set.len(), 2);
        assert!(!set.is_empty());
        assert!(!set.remove(r#"{"a":1}"#));
    }

    #[test]
    fn a_few_rules_are_looked_at_one_by_one_and_of_more_those_that_may_hit() {
        for (count, scanned) in [(0, 0), (1, 1), (8, 8), (9, 0), (20, 0)] {
            let set = set((0..count).map(|number| entry(&format!(r#"{{"a":{number}}}"#), 0)));
            assert_eq!((set.len(), set.scanned_len()), (count, scanned));
            for number in 0..count {
                let claims = claims(&format!(r#"{{"a":{number}}}"#));
                assert!(set.first_match(&claims, 0).is_some(), "{number} of {count}");
            }
        }
    }

    #[test]
    fn regular_expressions_are_limited_among_a_few_rules_too() {
        let patterns = |rule: usize, count: usize, pattern: &str| {
            let members = (0..count).map(|number| format!(r#""c{rule}x{number}":{{"regex":"{pattern}"}}"#));
            entry(&format!("{{{}}}", members.collect::<Vec<_>>().join(",")), 0)
        };
        for (pattern, rules, each, most, error) in [
            ("(?=x)", 2, 4, MAX_BACKTRACKING_PATTERNS, InsertError::TooManyBacktrackingPatterns),
            ("x", 8, 32, MAX_PATTERNS, InsertError::TooManyPatterns),
        ] {
            assert_eq!(rules * each, most);
            let mut set = set((0..rules).map(|rule| patterns(rule, each, pattern)));
            let more = patterns(rules, 1, pattern);
            assert_eq!(set.admits(&more.rule), Err(error));
            assert_eq!(set.insert(more.clone()), Err(error));
            assert!(!set.contains(more.rule.canonical()) && set.len() == rules, "{pattern}");
            assert_eq!(set.insert(entry(r#"{"a":1}"#, 0)), Ok(()), "it has no regular expression");
            assert_eq!(set.insert(patterns(0, each, pattern)), Ok(()), "it is there already");
            assert!(set.remove(patterns(0, each, pattern).rule.canonical()));
            assert_eq!(set.insert(more), Ok(()), "{pattern}: there is room again");
        }
    }

    #[test]
    fn however_many_have_ended_no_more_are_removed_at_once_than_was_asked_for() {
        for rules in [7_usize, 1_000] {
            let ended = (0..rules).map(|number| entry(&format!(r#"{{"a":{number}}}"#), 100));
            let mut set = set(ended.chain([entry(r#"{"a":"stays"}"#, 101)]));
            for left in (0..rules.div_ceil(3)).map(|step| rules.saturating_sub(3 * (step + 1))) {
                let before = set.len();
                assert_eq!(set.remove_ended(100, 3), before - 1 - left, "{rules} rules");
                assert_eq!(set.len(), 1 + left, "{rules} rules");
            }
            assert_eq!(set.remove_ended(100, 3), 0);
        }
    }
}

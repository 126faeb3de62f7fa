//! The rules in memory, ready to judge: what the store holds, parsed.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jose::Reject;
use rules::{Claims, ExpireAt, InsertError, Rule, RuleEntry, RuleSet};

use crate::store::{EVERYBODY, StoredRule};

/// All groups at one revision of the store.
#[derive(Debug, Default)]
pub struct Rulebook {
    book: RwLock<Book>,
}

#[derive(Debug, Default)]
struct Book {
    revision: u64,
    groups: BTreeMap<Box<str>, Group>,
    totals: Totals,
}

/// How much a rulebook holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Groups with at least one rule.
    pub groups: usize,
    /// Rules, the unreadable ones included.
    pub rules: usize,
    /// Rules that are not understood.
    pub unreadable: usize,
}

/// The rules of one subject, or of everybody.
#[derive(Debug, Default)]
pub struct Group {
    rules: RuleSet,
    /// Texts in the store that are no rules, as an edit by hand leaves them, and rules beyond what a group may cost.
    unreadable: Vec<(Box<str>, ExpireAt)>,
}

/// How many rules a group has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSize {
    /// The group's name.
    pub group: String,
    /// Rules, the unreadable ones included.
    pub rules: usize,
    /// Rules that are not understood.
    pub unreadable: usize,
}

impl Rulebook {
    /// Parses what a store holds. What is not understood is kept as such: it can refuse, but not vanish.
    pub fn new(revision: u64, stored: Vec<StoredRule>) -> Self {
        let mut groups: BTreeMap<Box<str>, Group> = BTreeMap::new();
        for StoredRule { group, json, expire_at, .. } in stored {
            let group = groups.entry(group.into()).or_default();
            match Rule::parse(&json) {
                Ok(rule) => group.put(RuleEntry { rule, expire_at }),
                Err(error) => {
                    tracing::debug!(%error, "a rule in the store is not understood");
                    group.unreadable.push((json.into(), expire_at));
                }
            }
        }
        let mut book = Book { revision, groups: BTreeMap::new(), totals: Totals::default() };
        for (name, group) in groups {
            book.totals.add(&group);
            book.groups.insert(name, group);
        }
        if book.totals.unreadable > 0 {
            let rules = book.totals.unreadable;
            tracing::error!(rules, "rules in the store are not understood; GET /v1/rules tells their groups");
        }
        Self { book: RwLock::new(book) }
    }

    /// The revision of the store that these are the rules of.
    pub fn revision(&self) -> u64 {
        self.read().revision
    }

    /// How much is in it.
    pub fn totals(&self) -> Totals {
        self.read().totals
    }

    /// Whether a group of at most `max` rules has room for this one; a rule that is there already needs none.
    pub fn has_room(&self, group: &str, rule: &Rule, max: usize) -> bool {
        let book = self.read();
        book.groups.get(group).is_none_or(|group| group.len() < max || group.rules.contains(rule.canonical()))
    }

    /// Whether a group may take this rule without costing its checks more than is allowed.
    ///
    /// # Errors
    /// As [`RuleSet::insert`].
    pub fn admits(&self, group: &str, rule: &Rule) -> Result<(), InsertError> {
        self.read().groups.get(group).map_or(Ok(()), |group| group.rules.admits(rule))
    }

    /// Up to `limit` groups in the order of their names, after the name `after`, and whether more follow.
    pub fn sizes(&self, after: Option<&str>, limit: usize) -> (Vec<GroupSize>, bool) {
        let book = self.read();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut groups = book.groups.range::<str, _>((from, Bound::Unbounded));
        let page = groups
            .by_ref()
            .take(limit)
            .map(|(name, group)| GroupSize {
                group: name.to_string(),
                rules: group.len(),
                unreadable: group.unreadable.len(),
            })
            .collect();
        (page, groups.next().is_some())
    }

    /// Whether a rule revokes a token of these claims and this subject at `now` (unix seconds).
    ///
    /// A rule of the subject that is not understood makes the answer [`Reject::Rules`], since nobody knows which of his
    /// tokens it meant. One of everybody is left out, so that it cannot shut out everybody.
    ///
    /// # Errors
    /// [`Reject::Revoked`] or [`Reject::Rules`].
    pub fn judge(&self, claims: &Claims, subject: Option<&str>, now: i64) -> Result<(), Reject> {
        let book = self.read();
        let everybody = book.groups.get(EVERYBODY);
        let own =
            subject.filter(|subject| *subject != EVERYBODY).and_then(|subject| book.groups.get(subject));
        let revokes = |group: &Group| group.rules.first_match(claims, now).is_some();
        if everybody.is_some_and(revokes) || own.is_some_and(revokes) {
            return Err(Reject::Revoked);
        }
        if own.is_some_and(|group| group.unreadable.iter().any(|(_, end)| !end.has_passed(now))) {
            return Err(Reject::Rules);
        }
        Ok(())
    }

    /// Follows a rule that the store has written.
    pub(crate) fn put(&self, revision: u64, group: &str, entry: RuleEntry) {
        self.change(group, Some(revision), |group| {
            group.unreadable.retain(|(json, _)| **json != *entry.rule.canonical());
            group.put(entry);
        });
    }

    /// Follows a rule that the store has removed.
    pub(crate) fn remove(&self, revision: u64, group: &str, json: &str) {
        self.change(group, Some(revision), |group| {
            group.rules.remove(json);
            group.unreadable.retain(|(unreadable, _)| **unreadable != *json);
        });
    }

    /// Follows a group that the store has removed.
    pub(crate) fn remove_group(&self, revision: u64, group: &str) {
        // Many rules take a while to drop, which is done after the checks have got their turn.
        drop(self.change(group, Some(revision), std::mem::take));
    }

    /// Follows a purge of rules that had ended at `now`.
    pub(crate) fn remove_ended(&self, group: &str, now: i64) {
        self.change(group, None, |group| {
            group.rules.remove_ended(now);
            group.unreadable.retain(|(_, end)| !end.has_passed(now));
        });
    }

    /// The one place that writes: group, totals and revision change together.
    fn change<T>(&self, name: &str, revision: Option<u64>, change: impl FnOnce(&mut Group) -> T) -> T {
        let mut book = self.write();
        let mut group = book.groups.remove(name).unwrap_or_default();
        book.totals.remove(&group);
        let changed = change(&mut group);
        book.totals.add(&group);
        if group.len() > 0 {
            book.groups.insert(name.into(), group);
        }
        if let Some(revision) = revision {
            book.revision = revision;
        }
        changed
    }

    fn read(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Book> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    /// A rule that would make checks too dear is not looked at, and so is treated as one that is not understood.
    fn put(&mut self, entry: RuleEntry) {
        let (text, end) = (entry.rule.canonical().into(), entry.expire_at);
        if let Err(error) = self.rules.insert(entry) {
            tracing::debug!(%error, "a rule in the store is beyond the limits");
            self.unreadable.push((text, end));
        }
    }

    fn len(&self) -> usize {
        self.rules.len() + self.unreadable.len()
    }
}

impl Totals {
    fn add(&mut self, group: &Group) {
        self.groups += usize::from(group.len() > 0);
        self.rules += group.len();
        self.unreadable += group.unreadable.len();
    }

    fn remove(&mut self, group: &Group) {
        self.groups -= usize::from(group.len() > 0);
        self.rules -= group.len();
        self.unreadable -= group.unreadable.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(group: &str, json: &str, expire_at: i64) -> StoredRule {
        StoredRule {
            group: group.into(),
            json: json.into(),
            expire_at: ExpireAt::from_seconds(expire_at),
            revision: 1,
        }
    }

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).unwrap()
    }

    fn entry(json: &str) -> RuleEntry {
        RuleEntry { rule: Rule::parse(json).unwrap(), expire_at: ExpireAt::Never }
    }

    #[test]
    fn a_subject_is_judged_by_his_own_rules_and_by_everybodys() {
        let book =
            Rulebook::new(7, vec![stored("g", r#"{"iss":"old"}"#, 0), stored("anna", r#"{"rt":"x"}"#, 0)]);
        for (json, subject, answer) in [
            (r#"{"rt":"x"}"#, Some("anna"), Err(Reject::Revoked)),
            (r#"{"rt":"x"}"#, Some("ben"), Ok(())),
            (r#"{"rt":"x"}"#, None, Ok(())),
            (r#"{"iss":"old"}"#, Some("ben"), Err(Reject::Revoked)),
            (r#"{"iss":"old"}"#, None, Err(Reject::Revoked)),
            (r#"{"iss":"old"}"#, Some("g"), Err(Reject::Revoked)),
        ] {
            assert_eq!(book.judge(&claims(json), subject, 0), answer, "{json} of {subject:?}");
        }
        assert_eq!(book.revision(), 7);
    }

    #[test]
    fn an_unreadable_rule_blocks_its_subject_but_not_everybody() {
        let bad = r#"{"iat":{"like":1}}"#;
        let book = Rulebook::new(
            1,
            vec![
                stored("g", bad, 0),
                stored("anna", bad, 100),
                stored("anna", r#"{"rt":"x"}"#, 0),
                stored("ben", "{", 0),
            ],
        );
        assert_eq!(book.judge(&claims("{}"), Some("anna"), 99), Err(Reject::Rules));
        assert_eq!(book.judge(&claims(r#"{"rt":"x"}"#), Some("anna"), 99), Err(Reject::Revoked));
        assert_eq!(book.judge(&claims("{}"), Some("anna"), 100), Ok(()), "the bad rule has ended");
        assert_eq!(book.judge(&claims("{}"), Some("ben"), 0), Err(Reject::Rules));
        assert_eq!(book.judge(&claims("{}"), Some("carl"), 0), Ok(()));
        assert_eq!(book.totals(), Totals { groups: 3, rules: 4, unreadable: 3 });
    }

    #[test]
    fn a_rule_beyond_what_checks_may_cost_blocks_its_subject_and_is_not_admitted() {
        let lookahead = |number: usize| format!(r#"{{"sub":{{"regex":"(?={number})"}}}}"#);
        let count = rules::MAX_BACKTRACKING_PATTERNS;
        let rules = |count: usize| (0..count).map(|number| stored("anna", &lookahead(number), 0)).collect();
        let full = Rulebook::new(1, rules(count));
        assert_eq!(full.judge(&claims(r#"{"sub":"x"}"#), Some("anna"), 0), Ok(()));
        let more = Rule::parse(&lookahead(count)).unwrap();
        assert_eq!(full.admits("anna", &more), Err(InsertError::TooManyBacktrackingPatterns));
        assert_eq!(full.admits("ben", &more), Ok(()));

        let over = Rulebook::new(1, rules(count + 1));
        assert_eq!(over.judge(&claims(r#"{"sub":"x"}"#), Some("anna"), 0), Err(Reject::Rules));
        assert_eq!(over.totals(), Totals { groups: 1, rules: count + 1, unreadable: 1 });
        over.remove(2, "anna", &lookahead(count));
        assert_eq!(over.judge(&claims(r#"{"sub":"x"}"#), Some("anna"), 0), Ok(()));
    }

    #[test]
    fn totals_and_pages_follow_every_change() {
        let book = Rulebook::default();
        book.put(1, "a", entry(r#"{"x":1}"#));
        book.put(2, "a", entry(r#"{"x":2}"#));
        book.put(3, "b", entry(r#"{"x":1}"#));
        book.put(4, "b", entry(r#"{"x":1}"#));
        assert_eq!(book.totals(), Totals { groups: 2, rules: 3, unreadable: 0 });
        assert_eq!(book.revision(), 4);

        let names = |after, limit| {
            let (page, more) = book.sizes(after, limit);
            (page.into_iter().map(|size| (size.group, size.rules)).collect::<Vec<_>>(), more)
        };
        assert_eq!(names(None, 1), (vec![("a".into(), 2)], true));
        assert_eq!(names(Some("a"), 1), (vec![("b".into(), 1)], false));
        assert_eq!(names(Some("b"), 1), (vec![], false));

        book.remove(5, "a", r#"{"x":1}"#);
        book.remove_group(6, "b");
        assert_eq!(book.totals(), Totals { groups: 1, rules: 1, unreadable: 0 });
        assert_eq!(book.revision(), 6);
    }

    #[test]
    fn a_full_group_takes_only_what_it_has() {
        let book = Rulebook::new(2, vec![stored("a", r#"{"x":1}"#, 0), stored("a", "unreadable", 0)]);
        let rule = |json: &str| Rule::parse(json).unwrap();
        assert!(book.has_room("a", &rule(r#"{"x":2}"#), 3));
        assert!(!book.has_room("a", &rule(r#"{"x":2}"#), 2));
        assert!(book.has_room("a", &rule(r#"{"x":1}"#), 2), "it only gets another end");
        assert!(book.has_room("b", &rule(r#"{"x":1}"#), 2));
    }
}

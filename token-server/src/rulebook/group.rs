//! The rules of one group, parsed.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use rules::{ExpireAt, InsertError, Rule, RuleEntry, RuleSet, Token};

use super::totals::{Counts, Totals};
use crate::store::StoredRule;

/// Bytes that a group costs beside its rules; also the price of knowing that a subject has none.
const GROUP_BYTES: usize = 256;

/// Bytes that a parsed rule costs for each byte of its text, and beside it.
const BYTES_PER_BYTE: usize = 3;
const RULE_BYTES: usize = 256;

/// Rules that are parsed, and freed, where that does not hold up other requests.
pub const MANY_RULES: usize = 1_000;

/// The rules of one subject, or of everybody, as they were read at one moment and changed since.
#[derive(Debug)]
pub struct Group {
    content: RwLock<Content>,
    /// What stood in a store that others write to when it was read, sorted.
    stood: Box<[Fingerprint]>,
    totals: Totals,
}

/// A rule and its end as they stand in a store; enough to tell whether they were there before.
type Fingerprint = u64;

#[derive(Debug)]
struct Content {
    rules: RuleSet,
    /// Texts in the store that are no rules, as an edit by hand leaves them.
    unreadable: Vec<(Box<str>, ExpireAt)>,
    /// Rules beyond what a group may cost: they are known to hold, and not for which tokens.
    beyond: Vec<(Box<str>, ExpireAt)>,
    bytes: usize,
    /// Whether each rule stands in the store once, in its canonical text, and all of them are here. Else a change cannot
    /// be made here alone: another text of the same rule may go on holding.
    plain: bool,
}

impl Group {
    /// Parses what a store holds that others write to as well, and remembers what stood there.
    pub fn parse_shared(stored: Vec<StoredRule>, totals: &Totals) -> Self {
        let mut stood: Vec<_> = stored.iter().map(fingerprint).collect();
        stood.sort_unstable();
        Self::parsed(stored, stood.into(), totals)
    }

    /// Whether it holds a rule, or an end of one, that did not stand in the store when `before` was read.
    pub(super) fn has_what_was_not_in(&self, before: &Self) -> bool {
        self.stood.iter().any(|rule| before.stood.binary_search(rule).is_err())
    }

    /// Parses what a store holds. What is not understood is kept as such: it can refuse, but not vanish. Nor can a rule that
    /// would make checks too dear. What ends last is kept first, so that rules for some minutes, however many, do not push
    /// out one for ever.
    pub fn parse(stored: Vec<StoredRule>, totals: &Totals) -> Self {
        Self::parsed(stored, Box::default(), totals)
    }

    fn parsed(mut stored: Vec<StoredRule>, stood: Box<[Fingerprint]>, totals: &Totals) -> Self {
        stored.sort_by_key(|stored| match stored.expire_at {
            ExpireAt::Never => Reverse(i64::MAX),
            ExpireAt::At(seconds) => Reverse(seconds),
        });
        let mut content = Content {
            rules: RuleSet::default(),
            unreadable: Vec::new(),
            beyond: Vec::new(),
            bytes: GROUP_BYTES,
            plain: true,
        };
        for StoredRule { json, expire_at, .. } in stored {
            content.bytes = content.bytes.saturating_add(bytes_of(&json));
            let rule = match Rule::parse(&json) {
                Ok(rule) => rule,
                Err(error) => {
                    tracing::debug!(%error, "a rule in the store is not understood");
                    content.unreadable.push((json.into(), expire_at));
                    continue;
                }
            };
            content.plain &= rule.canonical() == json;
            // Others write one rule in several texts with ends of their own; it holds until the last of them.
            if content.rules.contains(rule.canonical()) {
                continue;
            }
            if let Err(error) = content.rules.insert(RuleEntry { rule, expire_at }) {
                tracing::debug!(%error, "a rule in the store is beyond the limits");
                content.plain = false;
                content.beyond.push((json.into(), expire_at));
            }
        }
        if !content.beyond.is_empty() {
            let rules = content.beyond.len();
            tracing::error!(
                rules,
                "rules in the store are beyond the limits of their group: tokens that it concerns are answered \
                 E_BACKEND_UNAVAIL until some are deleted or end; GET /v1/rules tells the group"
            );
        }
        if !content.unreadable.is_empty() {
            let rules = content.unreadable.len();
            tracing::error!(rules, "rules in the store are not understood; GET /v1/rules tells their groups");
        }
        totals.came(content.counts());
        Self { content: RwLock::new(content), stood, totals: totals.clone() }
    }

    /// Whether one of the rules revokes a token at `now` (unix seconds).
    pub fn revokes<'t>(&self, token: impl Into<Token<'t>>, now: i64) -> bool {
        self.read().rules.matches(token, now)
    }

    /// Whether it holds what is no rule and has not ended at `now`: which tokens that meant is not known.
    pub fn is_doubtful(&self, now: i64) -> bool {
        self.read().unreadable.iter().any(|(_, end)| !end.has_passed(now))
    }

    /// Whether it holds more rules than checks may cost, of which one that is not looked at has not ended at `now`.
    pub fn is_overfull(&self, now: i64) -> bool {
        self.read().beyond.iter().any(|(_, end)| !end.has_passed(now))
    }

    /// Whether it may have one more rule where `max` are allowed; a rule that is there already needs no room.
    pub fn has_room(&self, rule: &Rule, max: usize) -> bool {
        self.has_room_without(0, rule, max)
    }

    /// The same, where so many of its rules go.
    pub(crate) fn has_room_without(&self, going: usize, rule: &Rule, max: usize) -> bool {
        let content = self.read();
        content.len().saturating_sub(going) < max || content.rules.contains(rule.canonical())
    }

    /// Whether it may take this rule without costing its checks more than is allowed.
    ///
    /// # Errors
    /// As [`RuleSet::insert`].
    pub fn admits(&self, rule: &Rule) -> Result<(), InsertError> {
        self.read().rules.admits(rule)
    }

    /// Calls `visit` with the rules that revoke this token at `now`, by their canonical texts and ends.
    pub(crate) fn visit_matches<'t>(
        &self,
        token: impl Into<Token<'t>>,
        now: i64,
        visit: impl FnMut(&str, ExpireAt),
    ) {
        self.read().rules.visit_matches(token, now, visit);
    }

    /// Whether a rule is there, by its canonical text.
    pub fn contains(&self, canonical: &str) -> bool {
        self.read().rules.contains(canonical)
    }

    /// Takes a rule that is to be written if it may have it, so that the next one is held against both. One that is here
    /// already stays as it is: it gets its new end when the store has it.
    ///
    /// # Errors
    /// As [`RuleSet::insert`].
    pub(crate) fn admit(&self, entry: RuleEntry) -> Result<(), InsertError> {
        self.change(|content| {
            if content.rules.contains(entry.rule.canonical()) {
                return Ok(());
            }
            let bytes = bytes_of(entry.rule.canonical());
            content.rules.insert(entry)?;
            content.bytes = content.bytes.saturating_add(bytes);
            Ok(())
        })
    }

    /// Adds a rule that the store has got; tells whether the group is as in the store now, else it must be read again.
    pub(crate) fn put(&self, entry: RuleEntry) -> bool {
        self.change(|content| {
            let bytes = bytes_of(entry.rule.canonical());
            let more = if content.rules.contains(entry.rule.canonical()) { 0 } else { bytes };
            if content.plain && content.rules.insert(entry).is_ok() {
                content.bytes = content.bytes.saturating_add(more);
                return true;
            }
            false
        })
    }

    /// Removes what the store no longer has, by its text there; answers as [`put`](Self::put).
    pub(crate) fn remove(&self, text: &str) -> bool {
        self.change(|content| {
            let before = content.len();
            if content.plain && !content.rules.remove(text) {
                content.unreadable.retain(|(unreadable, _)| **unreadable != *text);
            }
            let removed = content.len() < before;
            if removed {
                content.bytes = content.bytes.saturating_sub(bytes_of(text));
            }
            removed
        })
    }

    /// Removes up to `max` rules that have ended at `now` (unix seconds), while checks wait; tells whether more are left.
    /// What is no rule goes in one pass, as each check makes one over it.
    pub(crate) fn remove_ended(&self, now: i64, max: usize) -> bool {
        self.change(|content| {
            let removed = content.rules.remove_ended(now, max);
            content.unreadable.retain(|(_, end)| !end.has_passed(now));
            content.beyond.retain(|(_, end)| !end.has_passed(now));
            removed == max
        })
    }

    /// Rules, the unreadable ones included.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rules that are not understood, or beyond the limits.
    pub fn unreadable(&self) -> usize {
        let content = self.read();
        content.unreadable.len().saturating_add(content.beyond.len())
    }

    /// About what it costs in memory.
    pub(super) fn bytes(&self) -> usize {
        self.read().bytes
    }

    fn change<T>(&self, change: impl FnOnce(&mut Content) -> T) -> T {
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        self.totals.went(content.counts());
        let changed = change(&mut content);
        self.totals.came(content.counts());
        changed
    }

    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn len(&self) -> usize {
        self.rules.len() + self.unreadable.len() + self.beyond.len()
    }

    fn counts(&self) -> Counts {
        Counts { rules: self.len(), unreadable: self.unreadable.len(), beyond: self.beyond.len() }
    }
}

/// To free many rules takes as long as to read them, and the last who holds a group may be a check.
impl Drop for Group {
    fn drop(&mut self) {
        self.totals.went(self.read().counts());
        let content = self.content.get_mut().unwrap_or_else(PoisonError::into_inner);
        if content.rules.len() >= MANY_RULES
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let rules = std::mem::take(&mut content.rules);
            drop(runtime.spawn_blocking(move || drop(rules)));
        }
    }
}

fn fingerprint(stored: &StoredRule) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    (&stored.json, stored.expire_at.as_seconds()).hash(&mut hasher);
    hasher.finish()
}

/// What a rule costs in memory by its text.
fn bytes_of(json: &str) -> usize {
    json.len().saturating_mul(BYTES_PER_BYTE).saturating_add(RULE_BYTES)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rules::Claims;

    pub(in crate::rulebook) fn group(rules: &[(&str, i64)]) -> Group {
        let stored = rules.iter().map(|(json, expire_at)| StoredRule {
            group: "anna".into(),
            json: (*json).into(),
            expire_at: ExpireAt::from_seconds(*expire_at),
            revision: None,
        });
        Group::parse(stored.collect(), &Totals::default())
    }

    pub(in crate::rulebook) fn claims(json: &str) -> Claims {
        serde_json::from_str(json).unwrap()
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

    #[test]
    fn a_change_of_the_store_is_followed_where_each_rule_stands_there_once() {
        let totals = Totals::default();
        let stored = |json: &str| StoredRule {
            group: "anna".into(),
            json: json.into(),
            expire_at: ExpireAt::Never,
            revision: None,
        };
        let entry = |json: &str, end| RuleEntry { rule: Rule::parse(json).unwrap(), expire_at: end };
        let (x, y) = (claims(r#"{"rt":"x"}"#), claims(r#"{"rt":"y"}"#));
        let group = Group::parse(vec![stored(r#"{"rt":"x"}"#), stored("unreadable")], &totals);
        let bytes = group.bytes();
        assert!(group.put(entry(r#"{"rt":"y"}"#, ExpireAt::At(100))));
        assert!(group.revokes(&y, 99) && !group.revokes(&y, 100) && group.bytes() > bytes);
        assert!(group.put(entry(r#"{"rt":"y"}"#, ExpireAt::At(200))), "it gets another end");
        assert!(group.revokes(&y, 199));
        assert_eq!((group.len(), totals.rules.get(), totals.groups.get()), (3, 3, 1));
        assert!(group.remove(r#"{"rt":"x"}"#) && group.remove("unreadable"));
        assert!(!group.revokes(&x, 0) && !group.is_doubtful(0));
        assert!(!group.remove(r#"{"rt":"x"}"#), "what is not here was somehow else in the store");
        assert!(!group.remove_ended(200, 3));
        assert_eq!((totals.rules.get(), totals.groups.get(), totals.unreadable.get()), (0, 0, 0));

        let texts = [stored(r#"{"a":1,"rt":"x"}"#), stored(r#"{"rt":"x","a":1}"#)];
        let twice = Group::parse(texts.to_vec(), &totals);
        assert!(!twice.remove(r#"{"a":1,"rt":"x"}"#), "the other text may hold");
        assert!(!twice.put(entry(r#"{"a":1,"rt":"x"}"#, ExpireAt::At(1))), "the other text may hold longer");
    }
}

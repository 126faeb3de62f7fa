//! A set of a few rules, which are looked at one by one. Most subjects have one or two: an index would cost more memory
//! than they do, and no less time.

use crate::error::InsertError;
use crate::payload::Payload;
use crate::token::Token;
use crate::weight::Weight;
use crate::{ExpireAt, Rule, RuleEntry};

/// Rules that are kept this way.
pub(crate) const MAX_FEW: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Few(Vec<RuleEntry>);

impl Few {
    pub(crate) fn first_match(&self, token: Token<'_>, now: i64) -> Option<&str> {
        let payload = Payload::new(token);
        let holds = |entry: &&RuleEntry| !entry.expire_at.has_passed(now) && entry.rule.holds(&payload);
        self.0.iter().find(holds).map(|entry| entry.rule.canonical())
    }

    pub(crate) fn visit_matches(&self, token: Token<'_>, now: i64, visit: &mut dyn FnMut(&str, ExpireAt)) {
        let payload = Payload::new(token);
        let holds = |entry: &&RuleEntry| !entry.expire_at.has_passed(now) && entry.rule.holds(&payload);
        self.0.iter().filter(holds).for_each(|entry| visit(entry.rule.canonical(), entry.expire_at));
    }

    pub(crate) fn admits(&self, rule: &Rule) -> Result<(), InsertError> {
        let weight = self.0.iter().fold(Weight::default(), |sum, entry| sum.plus(Weight::of(&entry.rule)));
        weight.check_patterns(Weight::of(rule))
    }

    /// Adds a rule that is not there and that is admitted.
    pub(crate) fn add(&mut self, entry: RuleEntry) {
        self.0.push(entry);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= MAX_FEW
    }

    pub(crate) fn set_end(&mut self, canonical: &str, expire_at: ExpireAt) -> bool {
        let known = self.0.iter_mut().find(|entry| entry.rule.canonical() == canonical);
        known.map(|entry| entry.expire_at = expire_at).is_some()
    }

    pub(crate) fn contains(&self, canonical: &str) -> bool {
        self.0.iter().any(|entry| entry.rule.canonical() == canonical)
    }

    pub(crate) fn remove(&mut self, canonical: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| entry.rule.canonical() != canonical);
        self.0.len() < before
    }

    /// Removes up to `max` rules that have ended; tells how many.
    pub(crate) fn remove_ended(&mut self, now: i64, max: usize) -> usize {
        self.0.extract_if(.., |entry| entry.expire_at.has_passed(now)).take(max).count()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn take(&mut self) -> Vec<RuleEntry> {
        std::mem::take(&mut self.0)
    }
}

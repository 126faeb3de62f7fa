//! A set of many rules. A match costs what the rules cost that share a value with the token, however many others exist.
//!
//! A rule stands under the hash of the field and value of its rarest equality; one whose branches are alternatives
//! stands under one equality of each. A match looks up the token's own fields and values and holds the claims against
//! the rules that it finds there, so a hash that two values share costs time but changes no answer. Rules that no
//! equality leads to are scanned by every match, and limited. Writing a rule costs about as much as a match.

mod anchors;
mod chunks;
mod compact;
mod fields;
mod keys;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use crate::error::InsertError;
use crate::limits::{MAX_RULES, MAX_RULES_PER_ANCHOR, MAX_SCANNED_CONDITIONS, MAX_SCANNED_RULES};
use crate::payload::Payload;
use crate::token::Token;
use crate::weight::Weight;
use crate::{ExpireAt, Rule, RuleEntry};
pub(crate) use anchors::choose;
use anchors::{Scalar, equalities};
use chunks::Chunks;
use compact::{Compact, Outcome};
use fields::Fields;
use keys::{Keys, Slot};

#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Random, so that chosen values of claims cannot be made to meet.
    hasher: RandomState,
    /// What a match reads of each rule.
    compact: Chunks<Compact>,
    slots: Chunks<Option<Kept>>,
    free: Vec<Slot>,
    by_text: Keys,
    by_value: Keys,
    fields: Fields,
    scanned: Vec<Slot>,
    scanned_weight: Weight,
    weight: Weight,
    ends: BTreeSet<(i64, Slot)>,
}

/// What a match does not read, or only where [`Compact`] does not hold the conditions.
#[derive(Debug)]
struct Kept {
    rule: Form,
    /// The equalities under which it stands, a bit for each place; a rule has at most 64.
    anchored: u64,
}

/// A rule of which the conditions are elsewhere, or all of it.
#[derive(Debug)]
enum Form {
    Text(Box<str>),
    Parsed(Box<Rule>),
}

/// Where a rule belongs.
enum Placement {
    Anchored(Vec<usize>),
    Scanned,
}

impl Index {
    pub(crate) fn first_match(&self, token: Token<'_>, now: i64) -> Option<&str> {
        self.find_match(token, now).and_then(|slot| self.canonical(slot))
    }

    pub(crate) fn matches(&self, token: Token<'_>, now: i64) -> bool {
        self.find_match(token, now).is_some()
    }

    pub(crate) fn visit_matches(&self, token: Token<'_>, now: i64, visit: &mut dyn FnMut(&str, ExpireAt)) {
        self.each_match(token, now, |slot| {
            if let (Some(text), Some(compact)) = (self.canonical(slot), self.compact_of(slot)) {
                visit(text, compact.expire_at());
            }
            None::<Slot>
        });
    }

    fn find_match(&self, token: Token<'_>, now: i64) -> Option<Slot> {
        self.each_match(token, now, Some)
    }

    /// Calls `visit` with the matching rules until it returns something.
    fn each_match<T>(
        &self,
        token: Token<'_>,
        now: i64,
        mut visit: impl FnMut(Slot) -> Option<T>,
    ) -> Option<T> {
        let payload = Payload::new(token);
        let mut hits = |slot: Slot| if self.holds(slot, &payload, now) { visit(slot) } else { None };
        let found = self.fields.find_in(token.claims, |name, value| {
            let hash = self.value_hash(name, &Scalar::of_claim(value)?);
            self.by_value.find(hash).find_map(&mut hits)
        });
        found.or_else(|| self.scanned.iter().copied().find_map(hits))
    }

    pub(crate) fn admits(&self, rule: &Rule) -> Result<(), InsertError> {
        self.place(rule).map(|_| ())
    }

    /// Adds a rule that is not there.
    pub(crate) fn add(&mut self, RuleEntry { mut rule, expire_at }: RuleEntry) -> Result<(), InsertError> {
        let placement = self.place(&rule)?;
        let weight = Weight::of(&rule);
        let compact = Compact::new(&rule, expire_at);
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = Slot::try_from(self.slots.len()).map_err(|_| InsertError::TooManyRules)?;
                self.slots.push(None);
                self.compact.push(compact.clone());
                slot
            }
        };
        if !compact.is_whole() {
            self.fields.share(&mut rule);
        }
        let mut anchored = 0;
        match placement {
            Placement::Anchored(places) => {
                let equalities = equalities(&rule);
                for place in places {
                    let Some(equality) = equalities.get(place) else { continue };
                    anchored |= bit(place);
                    let value = Scalar::of_operand(equality.operand);
                    self.by_value.insert(self.value_hash(equality.field.name(), &value), slot);
                    self.fields.count(equality.field);
                }
            }
            Placement::Scanned => {
                self.scanned.push(slot);
                self.scanned_weight = self.scanned_weight.plus(weight);
            }
        }
        self.weight = self.weight.plus(weight);
        self.by_text.insert(self.text_hash(rule.canonical()), slot);
        if let ExpireAt::At(end) = expire_at {
            self.ends.insert((end, slot));
        }
        let rule =
            if compact.is_whole() { Form::Text(rule.into_canonical()) } else { Form::Parsed(Box::new(rule)) };
        if let Some((empty, before)) = self.slot_mut(slot) {
            *empty = Some(Kept { rule, anchored });
            *before = compact;
        }
        Ok(())
    }

    pub(crate) fn set_end(&mut self, canonical: &str, expire_at: ExpireAt) -> bool {
        let Some(slot) = self.find(canonical) else { return false };
        let Some((_, compact)) = self.slot_mut(slot) else { return false };
        let before = compact.expire_at();
        compact.set_end(expire_at);
        if let ExpireAt::At(end) = before {
            self.ends.remove(&(end, slot));
        }
        if let ExpireAt::At(end) = expire_at {
            self.ends.insert((end, slot));
        }
        true
    }

    pub(crate) fn contains(&self, canonical: &str) -> bool {
        self.find(canonical).is_some()
    }

    pub(crate) fn remove(&mut self, canonical: &str) -> bool {
        self.find(canonical).map(|slot| self.clear(slot)).is_some()
    }

    /// Removes up to `max` rules that have ended; tells how many.
    pub(crate) fn remove_ended(&mut self, now: i64, max: usize) -> usize {
        let mut removed = 0;
        while removed < max
            && let Some(&(end, slot)) = self.ends.first()
            && ExpireAt::At(end).has_passed(now)
        {
            self.ends.pop_first();
            self.clear(slot);
            removed = removed.saturating_add(1);
        }
        removed
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn scanned_len(&self) -> usize {
        self.scanned.len()
    }

    fn place(&self, rule: &Rule) -> Result<Placement, InsertError> {
        if self.len() >= MAX_RULES {
            return Err(InsertError::TooManyRules);
        }
        let weight = Weight::of(rule);
        self.weight.check_patterns(weight)?;
        let equalities = equalities(rule);
        let sharers = |place: usize| {
            let Some(equality) = equalities.get(place).filter(|it| self.fields.has_room_for(it.field)) else {
                return usize::MAX;
            };
            let hash = self.value_hash(equality.field.name(), &Scalar::of_operand(equality.operand));
            self.by_value.find(hash).count()
        };
        if let Some(choice) = choose(rule, &sharers).filter(|choice| choice.sharers < MAX_RULES_PER_ANCHOR) {
            return Ok(Placement::Anchored(choice.places));
        }
        if self.scanned.len() >= MAX_SCANNED_RULES {
            return Err(InsertError::TooManyScannedRules);
        }
        if self.scanned_weight.plus(weight).conditions > MAX_SCANNED_CONDITIONS {
            return Err(InsertError::TooManyScannedConditions);
        }
        Ok(Placement::Scanned)
    }

    /// Takes a rule out of every table.
    fn clear(&mut self, slot: Slot) {
        let Some((kept, compact)) = self.slot_mut(slot) else { return };
        let (kept, expire_at, is_whole) = (kept.take(), compact.expire_at(), compact.is_whole());
        let Some(Kept { rule, anchored }) = kept else { return };
        let rule = match rule {
            // A canonical text is a rule.
            Form::Text(text) => match Rule::parse(&text) {
                Ok(rule) => rule,
                Err(_) => return,
            },
            Form::Parsed(rule) => *rule,
        };
        let weight = Weight::of(&rule);
        self.weight = self.weight.minus(weight);
        for (place, equality) in equalities(&rule).into_iter().enumerate() {
            if anchored & bit(place) != 0 {
                let value = Scalar::of_operand(equality.operand);
                self.by_value.remove(self.value_hash(equality.field.name(), &value), slot);
                self.fields.discount(equality.field);
            }
        }
        if anchored == 0
            && let Some(position) = self.scanned.iter().position(|scanned| *scanned == slot)
        {
            self.scanned.swap_remove(position);
            self.scanned_weight = self.scanned_weight.minus(weight);
        }
        self.by_text.remove(self.text_hash(rule.canonical()), slot);
        if let ExpireAt::At(end) = expire_at {
            self.ends.remove(&(end, slot));
        }
        self.free.push(slot);
        if !is_whole {
            self.fields.unshare(rule);
        }
    }

    fn find(&self, canonical: &str) -> Option<Slot> {
        let is_it = |slot: &Slot| self.canonical(*slot) == Some(canonical);
        self.by_text.find(self.text_hash(canonical)).find(is_it)
    }

    fn compact_of(&self, slot: Slot) -> Option<&Compact> {
        usize::try_from(slot).ok().and_then(|slot| self.compact.get(slot))
    }

    /// Whether the rule that is kept there holds at `now`.
    fn holds(&self, slot: Slot, payload: &Payload<'_>, now: i64) -> bool {
        self.compact_of(slot).is_some_and(|compact| {
            !compact.expire_at().has_passed(now)
                && match compact.check(payload) {
                    Outcome::Holds => true,
                    Outcome::Fails => false,
                    Outcome::Elsewhere => match self.kept(slot).map(|kept| &kept.rule) {
                        Some(Form::Parsed(rule)) => rule.holds(payload),
                        // Cannot be; but a rule is there to refuse.
                        Some(Form::Text(_)) => true,
                        None => false,
                    },
                }
        })
    }

    fn canonical(&self, slot: Slot) -> Option<&str> {
        self.kept(slot).map(|kept| match &kept.rule {
            Form::Text(text) => &**text,
            Form::Parsed(rule) => rule.canonical(),
        })
    }

    fn kept(&self, slot: Slot) -> Option<&Kept> {
        self.slots.get(usize::try_from(slot).ok()?)?.as_ref()
    }

    fn slot_mut(&mut self, slot: Slot) -> Option<(&mut Option<Kept>, &mut Compact)> {
        let slot = usize::try_from(slot).ok()?;
        Some((self.slots.get_mut(slot)?, self.compact.get_mut(slot)?))
    }

    fn text_hash(&self, canonical: &str) -> u32 {
        shorten(self.hasher.hash_one(canonical))
    }

    fn value_hash(&self, name: &str, value: &Scalar<'_>) -> u32 {
        shorten(self.hasher.hash_one((name, value)))
    }
}

fn shorten(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(u32::MAX)
}

fn bit(place: usize) -> u64 {
    u32::try_from(place).ok().and_then(|place| 1_u64.checked_shl(place)).unwrap_or(0)
}

#[cfg(test)]
mod tests;

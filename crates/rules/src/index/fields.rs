//! The fields that rules name: each kept once, and those that lead to rules counted.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::field::Field;
use crate::limits::MAX_ANCHOR_PATHS;
use crate::{Claims, Rule};

/// A table this many times larger than its content is made smaller.
const SPARSE: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Fields {
    known: HashSet<Field>,
    /// Names under which rules are found, and how often.
    names: HashMap<Field, usize>,
    /// The same for paths.
    paths: Vec<(Field, usize)>,
}

impl Fields {
    /// Makes the rule share the fields that other rules have.
    pub(super) fn share(&mut self, rule: &mut Rule) {
        rule.root.for_each_field(&mut |field| match self.known.get(field) {
            Some(known) => *field = known.clone(),
            None => {
                self.known.insert(field.clone());
            }
        });
    }

    /// Forgets the fields of a rule that no other rule has.
    pub(super) fn unshare(&mut self, mut rule: Rule) {
        let mut fields = Vec::new();
        rule.root.for_each_field(&mut |field| fields.push(field.clone()));
        drop(rule);
        while let Some(field) = fields.pop() {
            let name: Box<str> = field.name().into();
            drop(field);
            if self.known.get(&*name).is_some_and(Field::is_unshared) {
                self.known.remove(&*name);
            }
        }
    }

    /// Whether rules may be found under this field.
    pub(super) fn has_room_for(&self, field: &Field) -> bool {
        !field.is_path()
            || self.paths.len() < MAX_ANCHOR_PATHS
            || self.paths.iter().any(|(known, _)| known == field)
    }

    /// Counts one more rule that is found under this field.
    pub(super) fn count(&mut self, field: &Field) {
        if field.is_path() {
            match self.paths.iter_mut().find(|(known, _)| known == field) {
                Some((_, count)) => *count += 1,
                None => self.paths.push((field.clone(), 1)),
            }
        } else {
            *self.names.entry(field.clone()).or_default() += 1;
        }
    }

    /// Counts one less.
    pub(super) fn discount(&mut self, field: &Field) {
        if field.is_path() {
            self.paths.retain_mut(|(known, count)| {
                *count -= usize::from(known == field);
                *count > 0
            });
        } else if let Some(count) = self.names.get_mut(field) {
            *count -= 1;
            if *count == 0 {
                self.names.remove(field);
                // A match walks over the whole table, empty places too.
                if self.names.len() < self.names.capacity() / SPARSE {
                    self.names.shrink_to_fit();
                }
            }
        }
    }

    /// The fields under which rules are found and that the claims have, until `visit` has a result.
    ///
    /// Costs what the fewer are of names in the rules and claims in the token, besides the paths.
    pub(super) fn find_in<T>(
        &self,
        claims: &Claims,
        mut visit: impl FnMut(&str, &Value) -> Option<T>,
    ) -> Option<T> {
        let by_name = if self.names.len() <= claims.len() {
            self.names.keys().find_map(|field| visit(field.name(), claims.get(field.name())?))
        } else {
            claims.iter().find_map(|(name, value)| {
                if self.names.contains_key(name.as_str()) { visit(name, value) } else { None }
            })
        };
        by_name.or_else(|| {
            self.paths
                .iter()
                .find_map(|(field, _)| field.find_value(claims, |found| visit(field.name(), found.value()?)))
        })
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty() && self.names.is_empty() && self.paths.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_as_long_as_a_rule_has_it() {
        let rule = || {
            let mut rule = Rule::parse(r#"{"a":{"sw":"x"},"b.c":{"sw":"y"}}"#).expect("a rule");
            rule.root.for_each_field(&mut |field| assert!(field.is_unshared(), "{field:?}"));
            rule
        };
        let mut fields = Fields::default();
        let [mut first, mut second] = [rule(), rule()];
        fields.share(&mut first);
        fields.share(&mut second);
        second.root.for_each_field(&mut |field| assert!(!field.is_unshared(), "{field:?}"));
        fields.unshare(first);
        assert_eq!(fields.known.len(), 2, "the other rule has them");
        fields.unshare(second);
        assert!(fields.is_empty());
    }
}

//! Which claim a comparison looks at.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::Claims;
use crate::found::Found;
use crate::path;

/// A field: a claim of exactly this name, or a path into the claims. A token may have both, and which of them an
/// application reads is not known here.
///
/// Shared: a million rules name the same few fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Field(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    name: Box<str>,
    /// The steps of the path; empty when the name is no path, or leads nowhere.
    path: Box<[Box<str>]>,
}

impl Field {
    pub(crate) fn new(name: &str) -> Self {
        Self(Arc::new(Parts { name: name.into(), path: path::steps(name).into() }))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn is_path(&self) -> bool {
        !self.0.path.is_empty()
    }

    /// Whether nothing else has this very allocation.
    pub(crate) fn is_unshared(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Whether a test holds for the field: for its value, where `None` is `undefined`; where a claim of this name and one
    /// at the end of the path are both there, for either of them.
    ///
    /// ms-users reads the claim of this name alone then. A rule is there to refuse, so what it may have meant counts.
    pub(crate) fn any(&self, claims: &Claims, mut test: impl FnMut(Option<Found<'_>>) -> bool) -> bool {
        let literal = claims.get(&*self.0.name).map(Found::Claim);
        match (literal, self.nested(claims)) {
            (Some(literal), Some(nested)) => test(Some(literal)) || test(Some(nested)),
            (literal, nested) => test(literal.or(nested)),
        }
    }

    /// What `visit` makes of the first value of the field of which it makes something.
    pub(crate) fn find_value<T>(
        &self,
        claims: &Claims,
        mut visit: impl FnMut(&Found<'_>) -> Option<T>,
    ) -> Option<T> {
        let literal = claims.get(&*self.0.name).map(Found::Claim);
        literal.and_then(|literal| visit(&literal)).or_else(|| visit(&self.nested(claims)?))
    }

    /// What the path leads to.
    fn nested<'a>(&self, claims: &'a Claims) -> Option<Found<'a>> {
        let (first, rest) = self.0.path.split_first()?;
        rest.iter().try_fold(Found::Claim(claims.get(&**first)?), |found, step| found.own(step))
    }
}

/// By name alone, since the path follows from it.
impl PartialEq for Parts {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Parts {}

impl Hash for Parts {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// So that a claim's name finds the field.
impl Borrow<str> for Field {
    fn borrow(&self) -> &str {
        self.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_field_is_a_name_and_a_path() {
        let Value::Object(claims) = json!({
            "a.b": 1, "a": {"b": 2, "c": [10, {"d": 3}, [7, 8]]}, "https://x.org/y": 4, "n": null, "s": "text",
            "l[0]": 5, "l": [null], "x.y": 6, "x": "text", "": {"e": 1}, "e": {"": {"b": 9}, "x": 8, "]": 7},
        }) else {
            panic!("an object")
        };
        for (field, expected) in [
            ("a.b", &[json!(1), json!(2)][..]),
            ("l[0]", &[json!(5), json!(null)]),
            ("x.y", &[json!(6)]),
            ("a.c[0]", &[json!(10)]),
            ("a.c.0", &[json!(10)]),
            ("a.c[1].d", &[json!(3)]),
            ("a.c[2][1]", &[json!(8)]),
            ("https://x.org/y", &[json!(4)]),
            ("n", &[json!(null)]),
            ("n.x", &[]),
            ("s.length", &[json!(4)]),
            ("s[0]", &[json!("t")]),
            ("s[4]", &[]),
            ("s[-1]", &[]),
            ("s.at", &[]),
            ("s[0].length", &[json!(1)]),
            ("s.length.length", &[]),
            ("a.c.length", &[json!(3)]),
            ("a.c[1].length", &[]),
            ("a.c.push", &[]),
            ("a.c[01]", &[]),
            ("a.c[9]", &[]),
            ("a.c[]", &[]),
            ("a.c[0", &[json!(10)]),
            ("a..b", &[]),
            ("a]b", &[]),
            (".e", &[json!(1)]),
            ("e..b", &[json!(9)]),
            ("e.", &[json!({"b": 9})]),
            ("e.]", &[json!({"": {"b": 9}, "x": 8, "]": 7})]),
            ("e[x]", &[json!(8)]),
            ("e[\"]\"]", &[json!(7)]),
            ("e[]", &[json!({"b": 9})]),
            ("e.x", &[json!(8)]),
            ("length", &[]),
            ("n.length", &[]),
            ("", &[json!({"e": 1})]),
            ("constructor", &[]),
            ("constructor.name", &[]),
            ("a.__proto__", &[]),
            ("a.hasOwnProperty", &[]),
        ] {
            let field = Field::new(field);
            let mut values = Vec::new();
            field.find_value(&claims, |found| {
                values.push(found.value().cloned());
                None::<()>
            });
            assert_eq!(values, expected.iter().cloned().map(Some).collect::<Vec<_>>(), "{field:?}");
            for value in expected {
                let is_value =
                    |found: Option<Found<'_>>| found.is_some_and(|found| found.value() == Some(value));
                assert!(field.any(&claims, is_value), "{field:?} {value}");
            }
            assert_eq!(field.any(&claims, |found| found.is_none()), expected.is_empty(), "{field:?}");
        }
    }
}

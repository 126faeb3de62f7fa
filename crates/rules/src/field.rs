//! Which claim a comparison looks at.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::Value;

use crate::Claims;

/// A field: a claim of exactly this name, or a path into the claims. A token may have both, and which of them an
/// application reads is not known here.
///
/// Shared: a million rules name the same few fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Field(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    name: Box<str>,
    /// The steps of the path; empty when the name is no path.
    path: Box<[Box<str>]>,
}

impl Field {
    pub(crate) fn new(name: &str) -> Self {
        Self(Arc::new(Parts { name: name.into(), path: steps(name).unwrap_or_default().into() }))
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
    pub(crate) fn any<'a>(
        &self,
        claims: &'a Claims,
        mut test: impl FnMut(Option<&'a Value>) -> bool,
    ) -> bool {
        match (claims.get(&*self.0.name), self.nested(claims)) {
            (Some(literal), Some(nested)) => test(Some(literal)) || test(Some(nested)),
            (literal, nested) => test(literal.or(nested)),
        }
    }

    /// The values that the field has.
    pub(crate) fn values<'a>(&self, claims: &'a Claims) -> impl Iterator<Item = &'a Value> {
        claims.get(&*self.0.name).into_iter().chain(self.nested(claims))
    }

    /// What the path leads to.
    fn nested<'a>(&self, claims: &'a Claims) -> Option<&'a Value> {
        let (first, rest) = self.0.path.split_first()?;
        rest.iter().try_fold(claims.get(&**first)?, |value, step| child(value, step))
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

fn child<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => items.get(index(step)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// A list's index as a property name: `0`, `12`, but not `01` or `+1`.
fn index(step: &str) -> Option<usize> {
    let canonical = step == "0" || !step.starts_with('0');
    (canonical && step.bytes().all(|byte| byte.is_ascii_digit())).then(|| step.parse().ok())?
}

/// `a.b[0].c` as its steps; `None` for a text that is not of that form, which then is only a name.
fn steps(name: &str) -> Option<Vec<Box<str>>> {
    let mut steps = Vec::new();
    for dotted in name.split('.') {
        let (key, indices) = dotted.split_once('[').map_or((dotted, None), |(key, rest)| (key, Some(rest)));
        if key.is_empty() || key.contains(']') {
            return None;
        }
        steps.push(key.into());
        if let Some(indices) = indices {
            for index in indices.strip_suffix(']')?.split("][") {
                if index.is_empty() || !index.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                steps.push(index.into());
            }
        }
    }
    // A single step is the name itself, which has been looked up already.
    (steps.len() > 1).then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
            ("s.length", &[]),
            ("s[0]", &[]),
            ("a.c[01]", &[]),
            ("a.c[9]", &[]),
            ("a.c[]", &[]),
            ("a.c[0", &[]),
            ("a..b", &[]),
            ("a]b", &[]),
            (".e", &[]),
            ("e..b", &[]),
            ("e.", &[]),
            ("e.]", &[]),
            ("e[x]", &[]),
            ("e[]", &[]),
            ("e.x", &[json!(8)]),
            ("", &[json!({"e": 1})]),
            ("constructor", &[]),
        ] {
            let field = Field::new(field);
            assert_eq!(
                field.values(&claims).collect::<Vec<_>>(),
                expected.iter().collect::<Vec<_>>(),
                "{field:?}"
            );
            for value in expected {
                assert!(field.any(&claims, |found| found == Some(value)), "{field:?} {value}");
            }
            assert_eq!(field.any(&claims, |found| found.is_none()), expected.is_empty(), "{field:?}");
        }
    }
}

//! What a path into the claims leads to.

use serde_json::value::RawValue;

use super::{Claim, Claims};
use crate::json::Object;

/// Where a path leads to.
#[derive(Debug, Default)]
pub(crate) struct Found<'a> {
    /// Every value that it may mean.
    pub(crate) values: Vec<Claim<'a>>,
    /// Whether it goes by name into an array, or by number into an object, which may hold what was meant.
    pub(crate) is_lost: bool,
}

impl Claims {
    /// What a path leads to: the claim of exactly that name, else the first of [`values`](Self::values).
    pub fn path(&self, path: &str) -> Option<Claim<'_>> {
        self.values(path).into_iter().next()
    }

    /// Every value that a path such as `a.b[0].c` may mean, since names may hold dots and brackets themselves: in
    /// `https://a.example/app.roles` the first name may be `https://a.example/app`. First the top-level claim of
    /// exactly that name, then those with the shortest names.
    ///
    /// Each value of the token is met at most once, so the work is bounded by its length and nesting.
    pub fn values(&self, path: &str) -> Vec<Claim<'_>> {
        self.find(path).values
    }

    pub(crate) fn find(&self, path: &str) -> Found<'_> {
        let mut found = Found::default();
        found.follow(path, &|name| self.raw(name));
        found
    }
}

impl<'a> Found<'a> {
    /// Resolves the whole text as a name, and every beginning of it that leads further.
    fn follow(&mut self, path: &str, member: &dyn Fn(&str) -> Option<&'a str>) {
        self.values.extend(member(path).and_then(Claim::read));
        for (end, _) in path.match_indices(['.', '[']) {
            if let Some((name, rest)) = path.split_at_checked(end)
                && let Some(value) = member(name)
            {
                self.walk(value, rest);
            }
        }
    }

    /// Goes on from a value, by `.name` into an object or by `[index]` into an array.
    fn walk(&mut self, value: &'a str, path: &str) {
        if path.is_empty() {
            self.values.extend(Claim::read(value));
        } else if let Some(path) = path.strip_prefix('.') {
            self.is_lost |= value.starts_with('[');
            if let Some(object) = Object::members_of(value) {
                self.follow(path, &|name| object.get(name));
            }
        } else if let Some((index, path)) = path.strip_prefix('[').and_then(|path| path.split_once(']')) {
            self.is_lost |= value.starts_with('{');
            if let Ok(index) = index.parse::<usize>()
                && let Ok(elements) = serde_json::from_str::<Vec<&'a RawValue>>(value)
                && let Some(element) = elements.get(index)
            {
                self.walk(element.get(), path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prefers_the_exact_name_and_otherwise_goes_through_objects() {
        let claims = Claims::parse(
            br#"{"a.b":1,"a":{"b":2,"c":{"d":[3],"e.f":4}},"https://x.example/app":{"roles":["r"]},"l":[{"m":1}],"s":"t","br[0]":true,"br":[false]}"#,
        )
        .unwrap();
        for (path, expected) in [
            ("a.b", Some(Claim::Int(1))),
            ("a.c.d", Some(Claim::Json("[3]"))),
            ("a.c.e.f", Some(Claim::Int(4))),
            ("https://x.example/app.roles", Some(Claim::Json(r#"["r"]"#))),
            ("a.c", Some(Claim::Json(r#"{"d":[3],"e.f":4}"#))),
            ("a.x", None),
            ("l.m", None),
            ("l[0].m", Some(Claim::Int(1))),
            ("a.c.d[0]", Some(Claim::Int(3))),
            ("l[1].m", None),
            ("l[0", None),
            ("l[-1]", None),
            ("l[]", None),
            ("l[0]x", None),
            ("s[0]", None),
            ("a[0]", None),
            ("br[0]", Some(Claim::Bool(true))),
            ("s.t", None),
            ("a.", None),
            (".a", None),
            ("", None),
        ] {
            assert_eq!(claims.path(path), expected, "{path}");
        }
    }

    #[test]
    fn every_value_that_a_path_may_mean_is_found() {
        let claims = Claims::parse(
            br#"{"a.b.c":1,"a":{"b.c":2,"b":{"c":3}},"a.b":{"c":4},"l[0]":5,"l":[6],"x":{"y.z":7,"y":{"z":null}}}"#,
        )
        .unwrap();
        for (path, expected) in [
            ("a.b.c", &["1", "2", "3", "4"][..]),
            ("l[0]", &["5", "6"]),
            ("x.y.z", &["7", "null"]),
            ("a.b", &[r#"{"c":4}"#, r#"{"c":3}"#]),
            ("a.c", &[]),
        ] {
            let expected: Vec<_> = expected.iter().map(|raw| Claim::read(raw).unwrap()).collect();
            assert_eq!(claims.values(path), expected, "{path}");
        }
    }
}

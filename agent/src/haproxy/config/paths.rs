//! Paths that are public, or that choose a policy, as regular expressions that no odd spelling of another path matches.

use std::fmt;
use std::str::FromStr;

use super::names::{BadValue, PolicyName, stranger};

/// One segment of plain characters, with single dots inside: what HAProxy and an application read in the same way.
const SEGMENT: &str = "(/[A-Za-z0-9_~!$&-,=:@-]+([.][A-Za-z0-9_~!$&-,=:@-]+)*)";

/// What a path that is named may have beside letters and digits.
const CHARACTERS: &str = "/._~!$&+,=:@-";

/// A path, or with `/*` what is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Without `/*`.
    text: String,
    is_below: bool,
}

impl FromStr for Path {
    type Err = BadValue;

    fn from_str(given: &str) -> Result<Self, BadValue> {
        let (text, is_below) = given.strip_suffix("/*").map_or((given, false), |text| (text, true));
        if is_below && text.trim_matches('/').is_empty() {
            return Err(BadValue::new("this is every path; name those that are meant, such as /public/*"));
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(BadValue::new(
                "a path begins with /, such as /health, or /public/* for all that is below",
            ));
        };
        if let Some(c) = stranger(text, CHARACTERS) {
            return Err(BadValue::new(format!(
                "a path cannot have a {c:?} here: applications read it in several ways. Write /* at the end for all that is \
                 below, and no query"
            )));
        }
        let ends_in_slash = rest.ends_with('/') && !is_below;
        let segments = rest.strip_suffix('/').filter(|_| ends_in_slash).unwrap_or(rest);
        let is_odd = |segment: &str| segment.is_empty() || segment.ends_with('.') || segment.contains("..");
        if !rest.is_empty() && segments.split('/').any(is_odd) {
            return Err(BadValue::new(
                "a path here has no empty segment and none with .. or a dot at its end: applications read it in several ways",
            ));
        }
        Ok(Self { text: text.to_owned(), is_below })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.is_below { "/*" } else { "" };
        write!(out, "{}{end}", self.text)
    }
}

impl Path {
    /// Whether a request for the other one is, in some spelling of letters, one for this.
    pub fn covers(&self, other: &Self) -> bool {
        let [own, others] = [&self.text, &other.text].map(|text| text.to_ascii_lowercase());
        let is_inside = others.strip_prefix(&own).is_some_and(|rest| rest.starts_with('/'));
        if self.is_below {
            is_inside || (own == others && other.is_below)
        } else {
            own == others && !other.is_below
        }
    }

    fn literal(&self) -> String {
        self.text.chars().fold(String::new(), |literal, c| match c {
            '.' | '$' | '+' => literal + "[" + c.encode_utf8(&mut [0; 4]) + "]",
            c => literal + c.encode_utf8(&mut [0; 4]),
        })
    }
}

/// Regular expressions that match these paths and nothing else.
pub fn expressions(paths: &[&Path]) -> Vec<String> {
    let mut expressions = Vec::new();
    let has =
        |text: &str, is_below: bool| paths.iter().any(|path| path.text == text && path.is_below == is_below);
    for (index, path) in paths.iter().enumerate() {
        if paths.iter().take(index).any(|before| before.text == path.text) {
            continue;
        }
        let literal = path.literal();
        match (has(&path.text, false), has(&path.text, true)) {
            (true, true) => expressions.push(format!("^{literal}{SEGMENT}*/?$")),
            (_, true) => {
                expressions.extend([format!("^{literal}{SEGMENT}*/$"), format!("^{literal}{SEGMENT}+$")])
            }
            (_, false) => expressions.push(format!("^{literal}$")),
        }
    }
    expressions
}

/// Which policy a request for a path must meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyChoice {
    /// Absent for whatever is not listed.
    pub path: Option<Path>,
    /// The policy.
    pub name: PolicyName,
}

impl FromStr for PolicyChoice {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let (path, name) = text.rsplit_once('=').ok_or_else(|| {
            BadValue::new(
                "expected PATH=NAME, such as /api/users/*=default, or *=admin for whatever is not listed",
            )
        })?;
        let path = if path == "*" { None } else { Some(path.parse()?) };
        Ok(Self { path, name: name.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_paths_that_are_read_in_several_ways() {
        for path in [
            "", "*", "/*", "//*", "public", "/a b", "/a%2e", "/a;b", "/a?b", "/a#b", "/a\\b", "/a'b",
            "/a\"b", "/a(b)", "/a|b", "/a*", "/*/a", "/a/*/b", "/a//b", "//a", "/./a", "/../a", "/a/..",
            "/a.", "/a..b", "/a/./b", "/é", "/a\n", "/{a}", "/a[b", "/a//*",
        ] {
            assert!(path.parse::<Path>().is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_path_is_matched_as_a_whole_and_what_is_below_by_plain_segments() {
        let expressions = |paths: &[&str]| {
            let paths: Vec<Path> = paths.iter().map(|path| path.parse().unwrap()).collect();
            super::expressions(&paths.iter().collect::<Vec<_>>())
        };
        assert_eq!(expressions(&["/"]), ["^/$"]);
        assert_eq!(expressions(&["/health", "/a.b/"]), ["^/health$", "^/a[.]b/$"]);
        assert_eq!(expressions(&["/.well-known/x+y$"]), ["^/[.]well-known/x[+]y[$]$"]);
        assert_eq!(expressions(&["/a/*"]), [format!("^/a{SEGMENT}*/$"), format!("^/a{SEGMENT}+$")]);
        assert_eq!(expressions(&["/a", "/a/*"]), [format!("^/a{SEGMENT}*/?$")]);
        assert_eq!(expressions(&["/a/*", "/b", "/a"]), [format!("^/a{SEGMENT}*/?$"), "^/b$".to_owned()]);
    }

    #[test]
    fn a_path_covers_what_is_below_it_in_any_case() {
        for (one, other, covers) in [
            ("/a/*", "/a/b", true),
            ("/a/*", "/A/B/*", true),
            ("/a/*", "/a/*", true),
            ("/a/*", "/a/", true),
            ("/a/*", "/a", false),
            ("/a/*", "/ab", false),
            ("/a", "/A", true),
            ("/a", "/a/*", false),
            ("/a", "/a/b", false),
        ] {
            let [one, other] = [one, other].map(|path| path.parse::<Path>().unwrap());
            assert_eq!(one.covers(&other), covers, "{one} {other}");
        }
    }
}

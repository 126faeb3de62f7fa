//! The URI that a proof is for (`htu`, RFC 9449 sections 4.2 and 4.3), compared after the normalisation of RFC 3986
//! sections 6.2.2 and 6.2.3, without query and fragment.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::origin::{TargetOrigin, UriFault};

/// The URI of a request without query and fragment, in the one spelling that all others are brought to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetUri(String);

impl TargetUri {
    /// Reads an absolute URI; query and fragment are left out.
    ///
    /// # Errors
    ///
    /// Another scheme than http or https, no host, an authority as [`TargetOrigin::of_request`] refuses it, and a path as [`new`](Self::new) refuses it.
    pub fn parse(uri: &str) -> Result<Self, UriFault> {
        let (origin, path) = TargetOrigin::split(uri)?;
        Self::new(&origin, path)
    }

    /// The path of a request at one of our origins. An empty path is `/`.
    ///
    /// # Errors
    ///
    /// A path that begins with no `/`, that holds white space, a control character or one outside of ASCII, or a `%` that
    /// no two hexadecimal digits follow.
    pub fn new(origin: &TargetOrigin, path: &str) -> Result<Self, UriFault> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let path = if path.is_empty() { "/" } else { path };
        if !path.starts_with('/') {
            return Err(UriFault);
        }
        let path = if is_in_one_spelling(path) {
            Cow::Borrowed(path)
        } else {
            Cow::Owned(without_dot_segments(&decoded(path)?))
        };
        Ok(Self([origin.as_str(), &*path].concat()))
    }

    /// Which of these an absolute URI is, however it is written; absent where it is none of them, or no target.
    pub(super) fn find<'t>(targets: &'t [Self], uri: &str) -> Option<&'t Self> {
        // The one spelling is what most write, and stays as it is when it is read.
        let as_written = targets.iter().find(|target| target.0 == uri);
        as_written.or_else(|| {
            let read = Self::parse(uri).ok()?;
            targets.iter().find(|target| **target == read)
        })
    }

    /// The text in its one spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a path is known to stay as it is when it is decoded and its dot segments are removed: it has no escape, and no segment
/// that begins with a dot.
fn is_in_one_spelling(path: &str) -> bool {
    let has_dot = || path.as_bytes().windows(2).any(|pair| pair == b"/.");
    path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%') && !has_dot()
}

/// The path with each octet in one spelling: unreserved characters as they are, other escapes in upper case (RFC 3986
/// sections 6.2.2.1 and 6.2.2.2).
fn decoded(path: &str) -> Result<String, UriFault> {
    let mut decoded = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut digit =
                    || bytes.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or(UriFault);
                let octet = digit()?.saturating_mul(16).saturating_add(digit()?);
                match u8::try_from(octet) {
                    Ok(octet) if is_unreserved(octet) => decoded.push(char::from(octet)),
                    // Writing to a String cannot fail.
                    Ok(octet) => write!(decoded, "%{octet:02X}").map_err(|_| UriFault)?,
                    Err(_) => return Err(UriFault),
                }
            }
            byte if byte.is_ascii_graphic() => decoded.push(char::from(byte)),
            _ => return Err(UriFault),
        }
    }
    Ok(decoded)
}

/// Characters that mean the same with and without an escape (RFC 3986 section 2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The path without `.` and `..` (RFC 3986 section 5.2.4). It begins with `/`, and so does what comes out.
fn without_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut is_folder = false;
    for segment in path.split('/').skip(1) {
        is_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut path: String = kept.iter().flat_map(|segment| ["/", segment]).collect();
    // What was a folder stays one: `/a/.` is `/a/`.
    if is_folder {
        path.push('/');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> String {
        let target = TargetUri::parse(&format!("https://a.example{path}")).unwrap();
        target.as_str().strip_prefix("https://a.example").unwrap().to_owned()
    }

    #[test]
    fn equal_targets_become_one_text() {
        for (text, expected) in [
            ("", "/"),
            ("/", "/"),
            ("?q=1", "/"),
            ("#f", "/"),
            ("/a", "/a"),
            ("/a/", "/a/"),
            ("/a?q=/../b#f", "/a"),
            ("/a#f?q", "/a"),
            ("/%7Ealice", "/~alice"),
            ("/%7ealice", "/~alice"),
            ("/%41%2d%2E%5f%7e%30", "/A-._~0"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2Fb", "/a%2Fb"),
            ("/%c3%bc", "/%C3%BC"),
            ("/%00", "/%00"),
            ("/%25%34%31", "/%2541"),
            ("/%2541", "/%2541"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/../a", "/a"),
            ("/../../", "/"),
            ("/..", "/"),
            ("/.", "/"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a//../b", "/a/b"),
            ("//a", "//a"),
            ("/a//b", "/a//b"),
            ("/...", "/..."),
            ("/.a/b.", "/.a/b."),
            ("/a;x=1,2'(3)*!$&+=:@", "/a;x=1,2'(3)*!$&+=:@"),
            ("/a|b[c]", "/a|b[c]"),
            ("/A", "/A"),
        ] {
            assert_eq!(path(text), expected, "{text}");
            assert_eq!(path(expected), expected, "{expected} stays as it is");
            let whole = |path: &str| format!("https://a.example{path}");
            let targets = [
                TargetUri::parse("https://a.example/other").unwrap(),
                TargetUri::parse(&whole(text)).unwrap(),
            ];
            for uri in [whole(text), whole(expected), format!("HTTPS://A.example:443{text}")] {
                assert_eq!(TargetUri::find(&targets, &uri), Some(&targets[1]), "{uri}");
            }
            assert_eq!(TargetUri::find(&targets, &whole(&format!("{expected}x"))), None, "{expected}");
        }
    }

    #[test]
    fn a_path_that_has_no_one_meaning_is_no_target() {
        let origin = "https://a.example".parse().unwrap();
        for path in
            ["a", "*", "/a b", "/a\tb", "/a\0", "/a\u{fc}", "/%", "/%4", "/%4g", "/%+1", "/%\u{fc}", "/100%"]
        {
            assert_eq!(TargetUri::new(&origin, path), Err(UriFault), "{path}");
        }
        for uri in ["", "/a", "https://", "https://u@a.example/", "ftp://a.example/", "https://a.example:x/"]
        {
            assert_eq!(TargetUri::parse(uri), Err(UriFault), "{uri}");
            assert_eq!(TargetUri::find(&[TargetUri::new(&origin, "/").unwrap()], uri), None, "{uri}");
        }
    }

    #[test]
    fn origin_and_path_are_one_target_however_it_is_written() {
        let origin = TargetOrigin::of_request(true, "A.example:443").unwrap();
        assert_eq!(TargetUri::new(&origin, "/x?y"), TargetUri::parse("https://a.example/x"));
        assert_ne!(TargetUri::new(&origin, "/x"), TargetUri::parse("http://a.example/x"));
        assert_ne!(TargetUri::new(&origin, "/x"), TargetUri::parse("https://a.example:8443/x"));
        assert_ne!(TargetUri::new(&origin, "/x"), TargetUri::parse("https://b.example/x"));
        assert_ne!(TargetUri::new(&origin, "/x"), TargetUri::parse("https://a.example/X"));
        assert_ne!(TargetUri::new(&origin, "/x"), TargetUri::parse("https://a.example/x/"));
    }
}

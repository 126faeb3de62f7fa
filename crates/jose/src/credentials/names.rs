//! Whether an application could take a parameter or a cookie for the one that carries the token.
//!
//! Frameworks read names in ways of their own: they decode percent signs, compare without case (ASP.NET), make one of `a_b`,
//! `a.b`, `a b`, `a[b` and `a_b[]` (PHP), end a name at NUL. A name that any of them takes for the token's counts as the
//! token's, or the application would read another token than the one that was judged.

/// Where a name stands, since not every place is read in the same ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `name=value` in a query: a plus sign is a space, and some compare without case.
    Query,
    /// `name=value` in a `Cookie` header.
    Cookie,
}

impl Place {
    /// Whether some application reads `written` as `name`.
    pub(super) fn may_mean(self, written: &str, name: &str) -> bool {
        let read = self.decoded(written);
        let read = read.split(|byte| *byte == 0).next().unwrap_or_default();
        let read = read.trim_ascii();
        let array = read.split(|byte| *byte == b'[').next().unwrap_or_default();
        self.same(read, name) || self.same(array, name)
    }

    /// Whether every application reads `written` as `name`.
    pub(super) fn means(self, written: &str, name: &str) -> bool {
        match self {
            Self::Query => self.decoded(written) == name.as_bytes(),
            Self::Cookie => written == name,
        }
    }

    fn decoded(self, written: &str) -> Vec<u8> {
        let mut decoded = Vec::with_capacity(written.len());
        let mut rest = written.as_bytes();
        while let Some((byte, behind)) = rest.split_first() {
            rest = behind;
            decoded.push(match (byte, behind) {
                (b'%', [high, low, behind @ ..]) => match hex(*high).zip(hex(*low)) {
                    Some((high, low)) => {
                        rest = behind;
                        high << 4 | low
                    }
                    None => b'%',
                },
                (b'+', _) if self == Self::Query => b' ',
                (byte, _) => *byte,
            });
        }
        decoded
    }

    fn same(self, read: &[u8], name: &str) -> bool {
        let folded = |byte: &u8| match byte {
            b'.' | b' ' | b'[' => b'_',
            byte if self == Self::Query => byte.to_ascii_lowercase(),
            byte => *byte,
        };
        read.iter().map(folded).eq(name.as_bytes().iter().map(folded))
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_sign_is_a_space_in_a_query_alone() {
        for (place, written, name, may_mean, means) in [
            (Place::Query, "a+b", "a b", true, true),
            (Place::Query, "+a", "a", true, false),
            (Place::Query, "%61", "a", true, true),
            (Place::Query, "a+b", "a+b", false, false),
            (Place::Cookie, "a+b", "a b", false, false),
            (Place::Cookie, "a+b", "a+b", true, true),
            (Place::Cookie, "%61", "a", true, false),
        ] {
            assert_eq!(place.may_mean(written, name), may_mean, "{place:?} {written} as {name}");
            assert_eq!(place.means(written, name), means, "{place:?} {written} as {name}");
        }
    }
}

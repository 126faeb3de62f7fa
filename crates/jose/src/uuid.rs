//! UUIDs as text (RFC 9562 section 4), in small letters alone: one spelling of each, and nothing that could move a path.

use std::fmt;

/// The lengths of the groups.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// A UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(u128);

impl Uuid {
    /// Reads one in small letters; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        if !is_uuid(text) {
            return None;
        }
        u128::from_str_radix(&text.replace('-', ""), 16).ok().map(Self)
    }
}

/// Whether it is one in small letters.
pub(crate) fn is_uuid(text: &str) -> bool {
    let is_hex = |group: &str| group.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().all(|group| is_hex(group)) && groups.iter().map(|group| group.len()).eq(GROUPS)
}

impl fmt::Display for Uuid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let mut rest = digits.as_str();
        for (index, length) in GROUPS.into_iter().enumerate() {
            let (group, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            write!(out, "{}{group}", if index == 0 { "" } else { "-" })?;
            rest = after;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_spelling_is_read_and_it_is_written_again() {
        for text in ["00000000-0000-0000-0000-00000000000a", "0123abcd-2222-3333-4444-555555555555"] {
            assert_eq!(Uuid::parse(text).map(|uuid| uuid.to_string()).as_deref(), Some(text));
        }
        for text in [
            "",
            "0123ABCD-2222-3333-4444-555555555555",
            "0123abcd222233334444555555555555",
            "{0123abcd-2222-3333-4444-555555555555}",
            "0123abcd-2222-3333-4444-55555555555",
            "0123abcd-2222-3333-4444-5555555555555",
            "0123abcd-2222-3333-4444-555555555555/",
            "0123abcd-2222-3333-4444-555555555555\n",
            "../3abcd-2222-3333-4444-555555555555",
            "+123abcd-2222-3333-4444-555555555555",
            "%3123abc-2222-3333-4444-555555555555",
            "0123abcd-2222-3333-4444-5555555555\u{ff15}",
        ] {
            assert_eq!(Uuid::parse(text), None, "{text:?}");
        }
    }
}

//! Sets of UTF-16 code units, the characters of JavaScript's regular expressions, as Rust's engines can take them.
//!
//! Without the `u` flag JavaScript matches code units: a character above U+FFFF is two of them, its surrogates. Rust
//! matches characters and has no surrogates. So each half of such a pair is written as a character of its own, from a
//! part of the private plane 16 that is free, because every real character up there is such a pair too.

use std::borrow::Cow;

const SURROGATES: (u16, u16) = (0xD800, 0xDFFF);

/// Added to a surrogate to get the character that stands for it.
const PLANE_16: u32 = 0x10_0000;

/// A set of code units, as ranges with both ends.
#[derive(Debug, Clone, Default)]
pub(super) struct UnitSet(Vec<(u16, u16)>);

impl UnitSet {
    /// `\d`
    pub(super) fn digits() -> Self {
        Self(vec![(0x30, 0x39)])
    }

    /// `\w`
    pub(super) fn word() -> Self {
        Self(vec![(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
    }

    /// `\s`: ECMA-262's WhiteSpace and LineTerminator.
    pub(super) fn white_space() -> Self {
        Self(vec![
            (0x09, 0x0D),
            (0x20, 0x20),
            (0xA0, 0xA0),
            (0x1680, 0x1680),
            (0x2000, 0x200A),
            (0x2028, 0x2029),
            (0x202F, 0x202F),
            (0x205F, 0x205F),
            (0x3000, 0x3000),
            (0xFEFF, 0xFEFF),
        ])
    }

    /// What `.` does not match.
    pub(super) fn line_terminators() -> Self {
        Self(vec![(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)])
    }

    pub(super) fn single(unit: u16) -> Self {
        Self(vec![(unit, unit)])
    }

    pub(super) fn add_range(&mut self, first: u16, last: u16) {
        self.0.push((first, last));
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn negated(mut self) -> Self {
        self.0.sort_unstable();
        let mut gaps = Self::default();
        let mut next = Some(0_u16);
        for (first, last) in self.0 {
            let Some(from) = next else { break };
            if let Some(before) = first.checked_sub(1).filter(|before| from <= *before) {
                gaps.add_range(from, before);
            }
            next = last.checked_add(1).map(|after| after.max(from));
        }
        if let Some(from) = next {
            gaps.add_range(from, u16::MAX);
        }
        gaps
    }

    /// Writes the set as one atom that both engines read alike.
    pub(super) fn write(&self, out: &mut String) {
        match *self.0 {
            [] => out.push_str(r"[^\x{0}-\x{10FFFF}]"),
            [(first, last)] if first == last => write_unit(first, out),
            _ => {
                out.push('[');
                for &(first, last) in &self.0 {
                    write_range(first, last, out);
                }
                out.push(']');
            }
        }
    }
}

/// A range that reaches into the surrogates is up to three ranges of characters.
fn write_range(first: u16, last: u16, out: &mut String) {
    let (low, high) = SURROGATES;
    let parts = [(first, last.min(low - 1)), (first.max(low), last.min(high)), (first.max(high + 1), last)];
    for (first, last) in parts.into_iter().filter(|(first, last)| first <= last) {
        write_unit(first, out);
        out.push('-');
        write_unit(last, out);
    }
}

fn write_unit(unit: u16, out: &mut String) {
    out.push_str(&format!(r"\x{{{:X}}}", code_point(unit)));
}

fn code_point(unit: u16) -> u32 {
    let (low, high) = SURROGATES;
    if (low..=high).contains(&unit) { PLANE_16 + u32::from(unit) } else { u32::from(unit) }
}

/// The text with one character per code unit.
pub(super) fn as_units(text: &str) -> Cow<'_, str> {
    // In UTF-8 a first byte from 0xF0 begins a character above U+FFFF.
    if text.bytes().all(|byte| byte < 0xF0) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.encode_utf16().filter_map(|unit| char::from_u32(code_point(unit))).collect())
}

/// One code unit as such a text.
pub(super) fn of_unit(unit: u16) -> String {
    char::from_u32(code_point(unit)).map(String::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negated(ranges: &[(u16, u16)]) -> Vec<(u16, u16)> {
        UnitSet(ranges.to_vec()).negated().0
    }

    #[test]
    fn a_set_and_its_negation_cover_every_unit_once() {
        assert_eq!(negated(&[]), [(0, u16::MAX)]);
        assert_eq!(negated(&[(0, u16::MAX)]), []);
        assert_eq!(negated(&[(5, 9), (0, 2), (1, 6)]), [(10, u16::MAX)]);
        assert_eq!(negated(&[(0, 9), (2, 3), (20, u16::MAX)]), [(10, 19)]);
        assert_eq!(negated(&[(2, 3), (u16::MAX, u16::MAX)]), [(0, 1), (4, u16::MAX - 1)]);
    }

    #[test]
    fn ranges_leave_out_what_is_no_character() {
        let mut out = String::new();
        UnitSet(vec![(0, u16::MAX)]).write(&mut out);
        assert_eq!(out, r"[\x{0}-\x{D7FF}\x{10D800}-\x{10DFFF}\x{E000}-\x{FFFF}]");
    }

    #[test]
    fn a_character_above_u_ffff_becomes_two() {
        assert_eq!(as_units("a\u{1F600}"), "a\u{10D83D}\u{10DE00}");
        assert_eq!(
            as_units("a\u{10D83D}").chars().count(),
            3,
            "no character of a text is taken for a surrogate"
        );
        assert!(matches!(as_units("\u{FFFF}"), Cow::Borrowed(_)));
    }
}

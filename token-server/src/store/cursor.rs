//! Where one page of rules ends and the next begins.

use std::cmp::Ordering;

/// A place between the rules of a group, in the order of the store: after a rule of this end and text, whether it is there
/// or not. A store that orders rules by their texts alone gives all of them one end.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    end: f64,
    text: Vec<u8>,
}

impl Cursor {
    /// The place after a rule.
    pub fn after(end: f64, text: impl Into<Vec<u8>>) -> Self {
        // 0 and -0 are one end, and have one order only when they look the same.
        Self { end: end + 0.0, text: text.into() }
    }

    /// From [`to_bytes`](Self::to_bytes).
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let (end, text) = bytes.split_at_checked(space)?;
        let end: f64 = std::str::from_utf8(end).ok()?.parse().ok()?;
        (!end.is_nan()).then(|| Self::after(end, text.get(1..).unwrap_or_default()))
    }

    /// The end as a number, a space, the text.
    pub fn to_bytes(&self) -> Vec<u8> {
        [format!("{} ", self.end).as_bytes(), &self.text].concat()
    }

    /// The text of the rule after which it is.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// First by the end, then by the bytes of the text, as Redis orders sorted sets.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.end.total_cmp(&other.end).then_with(|| self.text.cmp(&other.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for (end, text) in [(0.0, "{}"), (1_700_000_000.25, "a b"), (f64::NEG_INFINITY, ""), (1e300, "\0")] {
            let place = Cursor::after(end, text);
            assert_eq!(Cursor::parse(&place.to_bytes()), Some(place));
        }
        for bad in ["", "5", "x {}", "NaN {}", " {}"] {
            assert_eq!(Cursor::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn places_are_in_the_order_of_a_sorted_set() {
        let places = [(-1.0, "b"), (0.0, "a"), (-0.0, "aa"), (0.0, "b"), (0.5, "a"), (f64::INFINITY, "")];
        let places = places.map(|(end, text)| Cursor::after(end, text));
        assert!(places.is_sorted_by(|one, other| one.order(other).is_lt()));
    }
}

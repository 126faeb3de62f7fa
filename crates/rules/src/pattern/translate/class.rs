//! What stands in square brackets.

use super::escape::Escape;
use super::translator::Translator;
use crate::pattern::PatternError;
use crate::pattern::units::UnitSet;

/// A member of a class.
enum Member {
    Unit(u16),
    Set(UnitSet),
}

impl Translator<'_> {
    /// The bracket before has been taken. `[]` is nothing, `[^]` is everything.
    pub(super) fn class(&mut self) -> Result<UnitSet, PatternError> {
        let start = self.at.saturating_sub(1);
        let negated = self.eat(b'^');
        let mut set = UnitSet::default();
        while !self.eat(b']') {
            let at = self.at;
            let first = self.member(start)?;
            if self.peek_range() {
                self.at += 1;
                let last = self.member(start)?;
                match (first, last) {
                    (Member::Unit(first), Member::Unit(last)) if first <= last => set.add_range(first, last),
                    (Member::Unit(_), Member::Unit(_)) => return Err(PatternError::OutOfOrder { at }),
                    // Next to a set such as \d the hyphen is a hyphen.
                    (first, last) => {
                        set.add(first.into_set());
                        set.add(UnitSet::single(u16::from(b'-')));
                        set.add(last.into_set());
                    }
                }
            } else {
                set.add(first.into_set());
            }
        }
        Ok(if negated { set.negated() } else { set })
    }

    /// Whether a hyphen follows that has something behind it.
    fn peek_range(&self) -> bool {
        let rest = self.units.get(self.at..).unwrap_or_default();
        matches!(rest, [hyphen, next, ..] if *hyphen == u16::from(b'-') && *next != u16::from(b']'))
    }

    fn member(&mut self, class: usize) -> Result<Member, PatternError> {
        let start = self.at;
        let unit = self.next().ok_or(PatternError::Unbalanced { at: class })?;
        if unit != u16::from(b'\\') {
            return Ok(Member::Unit(unit));
        }
        if self.eat(b'b') {
            return Ok(Member::Unit(0x08));
        }
        match self.class_escape(start)? {
            Escape::Unit(unit) => Ok(Member::Unit(unit)),
            Escape::Set(set) => Ok(Member::Set(set)),
            Escape::Boundary | Escape::NoBoundary | Escape::Group(_) | Escape::NamedGroup(_) => {
                Err(PatternError::UnsupportedEscape { at: start })
            }
        }
    }
}

impl Member {
    fn into_set(self) -> UnitSet {
        match self {
            Self::Unit(unit) => UnitSet::single(unit),
            Self::Set(set) => set,
        }
    }
}

//! What stands after a backslash (ECMA-262 annex B.1.2, without the `u` flag).

use super::translator::{Translator, decimal};
use crate::pattern::PatternError;
use crate::pattern::units::UnitSet;

pub(super) enum Escape {
    Unit(u16),
    Set(UnitSet),
    /// `\b`
    Boundary,
    /// `\B`
    NoBoundary,
    /// `\1`
    Group(usize),
    /// `\k<name>`
    NamedGroup(String),
}

impl Translator<'_> {
    /// Outside a class; the backslash at `start` has been taken.
    pub(super) fn escape(&mut self, start: usize) -> Result<Escape, PatternError> {
        match self.peek().map(u8::try_from) {
            Some(Ok(b'b')) => self.take(Escape::Boundary),
            Some(Ok(b'B')) => self.take(Escape::NoBoundary),
            Some(Ok(b'k')) => {
                self.at += 1;
                let name = if self.eat(b'<') { self.group_name() } else { None };
                name.map(Escape::NamedGroup).ok_or(PatternError::UnsupportedBackReference { at: start })
            }
            Some(Ok(b'1'..=b'9')) => {
                let number = self.number().and_then(|number| usize::try_from(number).ok());
                Ok(Escape::Group(number.unwrap_or(usize::MAX)))
            }
            Some(Ok(_) | Err(_)) | None => self.class_escape(start),
        }
    }

    /// The escapes that mean the same in a class.
    pub(super) fn class_escape(&mut self, start: usize) -> Result<Escape, PatternError> {
        let unit = self.next().ok_or(PatternError::TrailingBackslash)?;
        let unsupported = PatternError::UnsupportedEscape { at: start };
        Ok(match u8::try_from(unit) {
            Ok(b'd') => Escape::Set(UnitSet::digits()),
            Ok(b'D') => Escape::Set(UnitSet::digits().negated()),
            Ok(b'w') => Escape::Set(UnitSet::word()),
            Ok(b'W') => Escape::Set(UnitSet::word().negated()),
            Ok(b's') => Escape::Set(UnitSet::white_space()),
            Ok(b'S') => Escape::Set(UnitSet::white_space().negated()),
            Ok(b't') => Escape::Unit(0x09),
            Ok(b'n') => Escape::Unit(0x0A),
            Ok(b'v') => Escape::Unit(0x0B),
            Ok(b'f') => Escape::Unit(0x0C),
            Ok(b'r') => Escape::Unit(0x0D),
            Ok(b'c') => {
                let letter = self.next().and_then(|unit| u8::try_from(unit).ok());
                let letter = letter.filter(u8::is_ascii_alphabetic).ok_or(unsupported)?;
                Escape::Unit(u16::from(letter % 32))
            }
            Ok(b'0') if self.peek().and_then(decimal).is_none() => Escape::Unit(0),
            Ok(b'0'..=b'9') => return Err(unsupported),
            // Without their digits both are plain letters, and so is every other character.
            Ok(b'x') => Escape::Unit(self.hexadecimal(2).unwrap_or(unit)),
            Ok(b'u') => Escape::Unit(self.hexadecimal(4).unwrap_or(unit)),
            Ok(_) | Err(_) => Escape::Unit(unit),
        })
    }

    /// A group's name and the `>` after it.
    pub(super) fn group_name(&mut self) -> Option<String> {
        let mut name = String::new();
        while !self.eat(b'>') {
            let character = self.next().and_then(|unit| char::from_u32(u32::from(unit)))?;
            let fits = character.is_ascii_alphabetic() || matches!(character, '_' | '$');
            if !fits && (name.is_empty() || !character.is_ascii_digit()) {
                return None;
            }
            name.push(character);
        }
        (!name.is_empty()).then_some(name)
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<u16> {
        let end = self.at.checked_add(digits)?;
        let mut value = 0_u32;
        for unit in self.units.get(self.at..end)? {
            value = value * 16 + char::from_u32(u32::from(*unit))?.to_digit(16)?;
        }
        self.at = end;
        u16::try_from(value).ok()
    }

    fn take(&mut self, escape: Escape) -> Result<Escape, PatternError> {
        self.at += 1;
        Ok(escape)
    }
}

//! How often a term is repeated.

use super::translator::{Translator, decimal};
use crate::limits::MAX_PATTERN_ATOMS;
use crate::pattern::PatternError;

/// From how often to how often.
pub(super) struct Quantifier {
    pub(super) min: u32,
    /// `None` is without end.
    max: Option<u32>,
}

impl Translator<'_> {
    /// `*`, `+`, `?`, `{1,2}` and the `?` after them, as written.
    pub(super) fn quantifier(&mut self) -> Result<Option<Quantifier>, PatternError> {
        let quantifier = match self.peek().map(u8::try_from) {
            Some(Ok(b'*')) => Quantifier { min: 0, max: None },
            Some(Ok(b'+')) => Quantifier { min: 1, max: None },
            Some(Ok(b'?')) => Quantifier { min: 0, max: Some(1) },
            Some(Ok(b'{')) => match self.braces()? {
                Some(quantifier) => return Ok(Some(self.repeat(quantifier))),
                None => return Ok(None),
            },
            Some(Ok(_) | Err(_)) | None => return Ok(None),
        };
        self.at += 1;
        Ok(Some(self.repeat(quantifier)))
    }

    fn repeat(&mut self, quantifier: Quantifier) -> Quantifier {
        let max = quantifier.max.map(|max| max.to_string()).unwrap_or_default();
        self.out.push_str(&format!("{{{},{max}}}", quantifier.min));
        if self.eat(b'?') {
            self.out.push('?');
        }
        quantifier
    }

    /// `{1}`, `{1,}` or `{1,2}`; anything else that begins with a brace is text, and nothing is taken.
    pub(super) fn braces(&mut self) -> Result<Option<Quantifier>, PatternError> {
        let start = self.at;
        let quantifier = self.try_braces();
        match quantifier {
            None => self.at = start,
            Some(Quantifier { min, max: Some(max) }) if max < min => {
                return Err(PatternError::OutOfOrder { at: start });
            }
            Some(Quantifier { min, max }) if u64::from(min.max(max.unwrap_or(0))) > MAX_PATTERN_ATOMS => {
                return Err(PatternError::TooCostly);
            }
            Some(_) => {}
        }
        Ok(quantifier)
    }

    fn try_braces(&mut self) -> Option<Quantifier> {
        self.at += 1;
        let min = self.number()?;
        let max = if self.eat(b',') {
            if self.peek() == Some(u16::from(b'}')) { None } else { Some(self.number()?) }
        } else {
            Some(min)
        };
        self.eat(b'}').then_some(Quantifier { min, max })
    }

    /// A decimal number; one that is too large for any limit is the largest.
    pub(super) fn number(&mut self) -> Option<u32> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(decimal) {
            self.at += 1;
            number = Some(number.unwrap_or(0_u32).saturating_mul(10).saturating_add(digit));
        }
        number
    }
}

impl Quantifier {
    pub(super) fn written_out(&self) -> u64 {
        u64::from(self.max.unwrap_or(self.min).max(1))
    }
}

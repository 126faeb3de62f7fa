//! From JavaScript's notation to that of Rust's engines, in one pass over the code units.
//!
//! Every character and class is written as a set of code points by number, so that no letter of the result means
//! anything by itself; what is left of the notation (`|`, groups, repetitions) the engines read as JavaScript does.

mod class;
mod escape;
mod group;
mod quantifier;
mod translator;

use super::error::PatternError;
use super::units::UnitSet;
use crate::limits::{MAX_PATTERN_ATOMS, MAX_PATTERN_DEPTH};
use escape::Escape;
use quantifier::Quantifier;
pub(super) use translator::Engine;
use translator::{Term, Translator};

pub(super) struct Translation {
    pub(super) text: String,
    pub(super) engine: Engine,
    /// Characters and classes, repetitions written out.
    pub(super) atoms: u64,
}

pub(super) fn translate(source: &str) -> Result<Translation, PatternError> {
    let units: Vec<u16> = source.encode_utf16().collect();
    let linear = Translator::new(&units, Engine::Linear).run()?;
    if linear.engine == Engine::Linear {
        return Ok(linear);
    }
    Translator::new(&units, Engine::Backtracking).run()
}

impl Translator<'_> {
    fn run(mut self) -> Result<Translation, PatternError> {
        let atoms = self.disjunction()?;
        if self.at < self.units.len() {
            return Err(PatternError::Unbalanced { at: self.at });
        }
        if atoms > MAX_PATTERN_ATOMS {
            return Err(PatternError::TooCostly);
        }
        Ok(Translation { text: self.out, engine: self.needed, atoms: atoms.max(1) })
    }

    /// `a|b|c`, up to the end or a closing bracket.
    fn disjunction(&mut self) -> Result<u64, PatternError> {
        if self.depth > MAX_PATTERN_DEPTH {
            return Err(PatternError::TooDeep);
        }
        self.depth += 1;
        let before = self.set.clone();
        let mut atoms = self.alternative()?;
        let mut in_all = std::mem::take(&mut self.set);
        while self.eat(b'|') {
            self.out.push('|');
            self.set.clone_from(&before);
            atoms = atoms.saturating_add(self.alternative()?);
            in_all.retain(|group| self.set.contains(group));
        }
        self.set = in_all;
        self.depth -= 1;
        Ok(atoms)
    }

    fn alternative(&mut self) -> Result<u64, PatternError> {
        let mut atoms = 0_u64;
        while let Some(unit) = self.peek() {
            if unit == u16::from(b'|') || unit == u16::from(b')') {
                break;
            }
            let before = self.set.clone();
            let start = self.at;
            let term = self.term()?;
            let quantifier = self.quantifier()?;
            let cost = match (term, &quantifier) {
                (Term::Atom(cost), _) | (Term::Assertion(cost) | Term::Lookahead(cost), None) => cost,
                (Term::Assertion(_), Some(_)) => return Err(PatternError::NothingToRepeat { at: self.at }),
                (Term::Lookahead(_), Some(_)) => return Err(PatternError::RepeatedLookahead { at: start }),
            };
            let times = quantifier.as_ref().map_or(1, Quantifier::written_out);
            if quantifier.is_some_and(|quantifier| quantifier.min == 0) {
                self.set = before;
            }
            atoms = atoms.saturating_add(cost.saturating_mul(times));
        }
        Ok(atoms)
    }

    fn term(&mut self) -> Result<Term, PatternError> {
        let start = self.at;
        let Some(unit) = self.next() else {
            return Ok(Term::Assertion(0));
        };
        match u8::try_from(unit) {
            Ok(b'^') => Ok(self.assertion(r"\A")),
            Ok(b'$') => Ok(self.assertion(r"\z")),
            Ok(b'.') => Ok(self.atom(&UnitSet::line_terminators().negated())),
            Ok(b'[') => {
                let class = self.class()?;
                Ok(self.atom(&class))
            }
            Ok(b'(') => self.group(start),
            Ok(b'\\') => self.escaped(start),
            Ok(b'*' | b'+' | b'?') => Err(PatternError::NothingToRepeat { at: start }),
            Ok(b'{') => {
                self.at = start;
                match self.braces()? {
                    Some(_) => Err(PatternError::NothingToRepeat { at: start }),
                    None => {
                        self.at = start + 1;
                        Ok(self.atom(&UnitSet::single(unit)))
                    }
                }
            }
            Ok(_) | Err(_) => Ok(self.atom(&UnitSet::single(unit))),
        }
    }

    fn escaped(&mut self, start: usize) -> Result<Term, PatternError> {
        match self.escape(start)? {
            Escape::Unit(unit) => Ok(self.atom(&UnitSet::single(unit))),
            Escape::Set(set) => Ok(self.atom(&set)),
            Escape::Boundary => Ok(match self.target {
                Engine::Linear => self.assertion(r"(?-u:\b)"),
                Engine::Backtracking => self.assertion(BOUNDARY),
            }),
            Escape::NoBoundary => {
                self.needed = Engine::Backtracking;
                Ok(self.assertion(NO_BOUNDARY))
            }
            Escape::Group(number) => self.back_reference(number, start),
            Escape::NamedGroup(name) => {
                let number = self.names.get(&name).copied();
                self.back_reference(number.unwrap_or(usize::MAX), start)
            }
        }
    }

    fn atom(&mut self, set: &UnitSet) -> Term {
        set.write(&mut self.out);
        Term::Atom(1)
    }

    fn assertion(&mut self, written: &str) -> Term {
        self.out.push_str(written);
        Term::Assertion(1)
    }
}

/// `\b` and `\B` out of lookarounds, where the engine's own would look at other letters than JavaScript's.
const BOUNDARY: &str = "(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))";
const NO_BOUNDARY: &str = "(?:(?<=[0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<![0-9A-Za-z_])(?![0-9A-Za-z_]))";

//! Where a translation is, and what it has written.

use std::collections::{BTreeMap, BTreeSet};

/// What the expression needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Engine {
    Linear,
    Backtracking,
}

pub(super) struct Translator<'a> {
    pub(super) units: &'a [u16],
    pub(super) at: usize,
    pub(super) out: String,
    /// What is written for.
    pub(super) target: Engine,
    /// What turned out to be needed.
    pub(super) needed: Engine,
    pub(super) depth: usize,
    pub(super) groups: usize,
    pub(super) names: BTreeMap<String, usize>,
    /// Groups that surely have a value at this place.
    pub(super) set: BTreeSet<usize>,
    pub(super) lookbehinds: usize,
}

/// What may follow a term.
pub(super) enum Term {
    /// It may be repeated; what it costs.
    Atom(u64),
    /// `^`, `$`, `\b`, `\B`, lookbehinds.
    Assertion(u64),
    /// JavaScript would repeat it, this translation does not.
    Lookahead(u64),
}

impl<'a> Translator<'a> {
    pub(super) fn new(units: &'a [u16], target: Engine) -> Self {
        Self {
            units,
            at: 0,
            out: String::with_capacity(units.len() * 8),
            target,
            needed: Engine::Linear,
            depth: 0,
            groups: 0,
            names: BTreeMap::new(),
            set: BTreeSet::new(),
            lookbehinds: 0,
        }
    }

    pub(super) fn peek(&self) -> Option<u16> {
        self.units.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<u16> {
        let unit = self.peek()?;
        self.at += 1;
        Some(unit)
    }

    pub(super) fn eat(&mut self, expected: u8) -> bool {
        let found = self.peek() == Some(u16::from(expected));
        self.at += usize::from(found);
        found
    }

    pub(super) fn eat_all(&mut self, expected: &[u8]) -> bool {
        let rest = self.units.get(self.at..).unwrap_or_default();
        let found = rest.len() >= expected.len()
            && rest.iter().zip(expected).all(|(unit, byte)| *unit == u16::from(*byte));
        self.at += if found { expected.len() } else { 0 };
        found
    }
}

pub(super) fn decimal(unit: u16) -> Option<u32> {
    char::from_u32(u32::from(unit))?.to_digit(10)
}

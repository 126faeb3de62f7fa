//! Groups, lookarounds and references to groups.

use super::translator::{Engine, Term, Translator};
use crate::pattern::PatternError;

enum Group {
    Plain,
    Capture(Option<String>),
    Look(Look),
}

/// The four lookarounds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Ahead,
    NotAhead,
    Behind,
    NotBehind,
}

impl Look {
    fn is_behind(self) -> bool {
        matches!(self, Self::Behind | Self::NotBehind)
    }

    fn written(self) -> &'static str {
        match self {
            Self::Ahead => "(?=",
            Self::NotAhead => "(?!",
            Self::Behind => "(?<=",
            Self::NotBehind => "(?<!",
        }
    }
}

impl Translator<'_> {
    pub(super) fn back_reference(&mut self, number: usize, start: usize) -> Result<Term, PatternError> {
        if self.lookbehinds > 0 || !self.set.contains(&number) {
            return Err(PatternError::UnsupportedBackReference { at: start });
        }
        self.needed = Engine::Backtracking;
        self.out.push_str(&format!(r"(?:\{number})"));
        Ok(Term::Atom(1))
    }

    pub(super) fn group(&mut self, start: usize) -> Result<Term, PatternError> {
        let kind = self.group_kind(start)?;
        let before = self.set.clone();
        let mut captured = None;
        match &kind {
            Group::Plain => self.out.push_str("(?:"),
            Group::Capture(name) => {
                self.groups += 1;
                captured = Some(self.groups);
                if let Some(name) = name
                    && self.names.insert(name.clone(), self.groups).is_some()
                {
                    return Err(PatternError::UnknownGroup { at: start });
                }
                self.out.push_str(match self.target {
                    Engine::Linear => "(?:",
                    Engine::Backtracking => "(",
                });
            }
            Group::Look(look) => {
                self.needed = Engine::Backtracking;
                self.lookbehinds += usize::from(look.is_behind());
                self.out.push_str(look.written());
            }
        }
        let atoms = self.disjunction()?;
        if !self.eat(b')') {
            return Err(PatternError::Unbalanced { at: start });
        }
        self.out.push(')');
        self.set.extend(captured);
        if let Group::Look(look) = kind {
            self.lookbehinds -= usize::from(look.is_behind());
            if look != Look::Ahead {
                self.set = before;
            }
            return Ok(if look.is_behind() { Term::Assertion(atoms) } else { Term::Lookahead(atoms) });
        }
        Ok(Term::Atom(atoms))
    }

    fn group_kind(&mut self, start: usize) -> Result<Group, PatternError> {
        if !self.eat(b'?') {
            return Ok(Group::Capture(None));
        }
        for (sign, kind) in [
            (&b":"[..], Group::Plain),
            (b"=", Group::Look(Look::Ahead)),
            (b"!", Group::Look(Look::NotAhead)),
            (b"<=", Group::Look(Look::Behind)),
            (b"<!", Group::Look(Look::NotBehind)),
        ] {
            if self.eat_all(sign) {
                return Ok(kind);
            }
        }
        if !self.eat(b'<') {
            return Err(PatternError::UnknownGroup { at: start });
        }
        let name = self.group_name().ok_or(PatternError::UnknownGroup { at: start })?;
        Ok(Group::Capture(Some(name)))
    }
}

//! What a rule is made of: comparisons, in levels that all or any of them must hold.

use crate::field::Field;
use crate::operator::Test;
use crate::payload::Payload;
use crate::token::ISSUED_AT;

/// Conditions of one level.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) mode: Mode,
    pub(crate) conditions: Box<[Condition]>,
}

/// How the conditions of a level combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All must hold; none at all hold.
    All,
    /// One is enough; none at all do not hold.
    Any,
}

/// A comparison, or a level of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Test { field: Field, test: Test },
    Group(Group),
}

impl Group {
    /// Whether it holds, where the levels around it admit no time of issue after `latest`.
    pub(crate) fn holds(&self, payload: &Payload<'_>, latest: Option<f64>) -> bool {
        match self.mode {
            Mode::All => {
                let own = payload.is_undated().then(|| self.latest()).flatten();
                let latest = own.into_iter().chain(latest).reduce(f64::min);
                self.conditions.iter().all(|condition| condition.holds(payload, latest))
            }
            Mode::Any => self.conditions.iter().any(|condition| condition.holds(payload, latest)),
        }
    }

    /// The latest time of issue that it admits, if there is a bound on it.
    fn latest(&self) -> Option<f64> {
        let bounds = self.conditions.iter().filter_map(Condition::latest);
        match self.mode {
            Mode::All => bounds.reduce(f64::min),
            Mode::Any => bounds.reduce(f64::max),
        }
    }

    pub(crate) fn holds_always(&self) -> bool {
        match self.mode {
            Mode::All => self.conditions.iter().all(Condition::holds_always),
            Mode::Any => self.conditions.iter().any(Condition::holds_always),
        }
    }

    /// Calls for every test of this level and below, in order.
    pub(crate) fn for_each_test<'r>(&'r self, visit: &mut impl FnMut(&'r Field, &'r Test)) {
        for condition in &self.conditions {
            match condition {
                Condition::Test { field, test } => visit(field, test),
                Condition::Group(group) => group.for_each_test(visit),
            }
        }
    }

    /// Calls for every field of this level and below.
    pub(crate) fn for_each_field(&mut self, visit: &mut impl FnMut(&mut Field)) {
        for condition in &mut self.conditions {
            match condition {
                Condition::Test { field, .. } => visit(field),
                Condition::Group(group) => group.for_each_field(visit),
            }
        }
    }
}

impl Condition {
    fn holds(&self, payload: &Payload<'_>, latest: Option<f64>) -> bool {
        match self {
            Self::Test { field, test } => {
                field.any(payload.claims, |claim| test.holds(claim, payload))
                    || (payload.is_undated() && field.name() == ISSUED_AT && test.holds_undated(latest))
            }
            Self::Group(group) => group.holds(payload, latest),
        }
    }

    fn latest(&self) -> Option<f64> {
        match self {
            Self::Test { field, test } => (field.name() == ISSUED_AT).then(|| test.latest()).flatten(),
            Self::Group(group) => group.latest(),
        }
    }

    fn holds_always(&self) -> bool {
        match self {
            Self::Test { test, .. } => test.holds_always(),
            Self::Group(group) => group.holds_always(),
        }
    }
}

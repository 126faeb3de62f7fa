//! The comparisons that a rule is made of.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value;

use crate::found::Found;
use crate::js::{self, Operand, Right};
use crate::pattern::{Pattern, PatternError};
use crate::payload::Payload;

/// What a rule asks of a claim.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// A comparison of the claim (left) with the rule's value (right).
    Compare(Comparison, Operand),
    /// `sw`: the claim as a string begins with this.
    StartsWith(Box<str>),
    /// `regex`: the expression is found in the claim as a string.
    Matches(Arc<Pattern>),
}

/// The comparisons that need nothing but the two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
}

/// The names that rules use, for error texts.
pub(crate) const OPERATORS: &str = "eq, ne, gt, gte, lt, lte, regex, sw";

impl Test {
    /// By the operator's name; `None` for an operator that is not known.
    pub(crate) fn new(operator: &str, operand: Operand) -> Result<Option<Self>, PatternError> {
        let comparison = match operator {
            "eq" => Comparison::Eq,
            "ne" => Comparison::Ne,
            "gt" => Comparison::Gt,
            "gte" => Comparison::Gte,
            "lt" => Comparison::Lt,
            "lte" => Comparison::Lte,
            "sw" => return Ok(Some(Self::StartsWith(js::operand_to_string(&operand).into()))),
            "regex" => {
                let pattern = Pattern::new(&js::operand_to_string(&operand))?;
                return Ok(Some(Self::Matches(Arc::new(pattern))));
            }
            _ => return Ok(None),
        };
        Ok(Some(Self::Compare(comparison, operand)))
    }

    /// Whether what was found passes; `None` is `undefined`.
    pub(crate) fn holds(&self, found: Option<Found<'_>>, payload: &Payload<'_>) -> bool {
        let claim = match &found {
            Some(Found::Half(unit)) => return self.holds_for_half(*unit, payload),
            found => found.as_ref().and_then(Found::value),
        };
        match self {
            Self::Compare(comparison, operand) => comparison.holds(claim, operand.as_right(), payload),
            Self::StartsWith(prefix) => payload.text(claim).starts_with(&**prefix),
            Self::Matches(pattern) => pattern.is_found(&payload.text(claim), payload),
        }
    }

    /// Half of a character is a text of one code unit, which no rule can be written with, and no number.
    fn holds_for_half(&self, unit: u16, payload: &Payload<'_>) -> bool {
        match self {
            Self::Compare(comparison, operand) => comparison.holds_for_half(unit, operand),
            Self::StartsWith(prefix) => prefix.is_empty(),
            Self::Matches(pattern) => pattern.is_found_in_half(unit, payload),
        }
    }

    /// The latest time of issue that it admits, if it is an upper bound on one.
    pub(crate) fn latest(&self) -> Option<f64> {
        match self {
            Self::Compare(comparison, operand) => comparison.latest(operand.as_right()),
            Self::StartsWith(_) | Self::Matches(_) => None,
        }
    }

    /// See [`Comparison::holds_undated`].
    pub(crate) fn holds_undated(&self, latest: Option<f64>) -> bool {
        match self {
            Self::Compare(comparison, operand) => comparison.holds_undated(operand.as_right(), latest),
            Self::StartsWith(_) | Self::Matches(_) => false,
        }
    }

    /// Whether it asks nothing, as the search for an empty text does.
    pub(crate) fn holds_always(&self) -> bool {
        match self {
            Self::Compare(..) => false,
            Self::StartsWith(prefix) => prefix.is_empty(),
            Self::Matches(pattern) => pattern.is_empty(),
        }
    }
}

impl Comparison {
    /// The number below which something is to be, where it is compared with one.
    pub(crate) fn latest(self, right: Right<'_>) -> Option<f64> {
        match self {
            Self::Lt | Self::Lte => Some(js::right_to_number(right)).filter(|number| !number.is_nan()),
            Self::Eq | Self::Ne | Self::Gt | Self::Gte => None,
        }
    }

    /// Whether it is taken to hold of an unknown time of issue, where the conditions beside it admit none after `latest`.
    pub(crate) fn holds_undated(self, right: Right<'_>, latest: Option<f64>) -> bool {
        match self {
            Self::Lt | Self::Lte => self.latest(right).is_some(),
            Self::Gt | Self::Gte => latest.is_some_and(|latest| js::right_to_number(right) <= latest),
            Self::Eq | Self::Ne => false,
        }
    }

    /// Whether it is true of a claim; `None` is `undefined`.
    pub(crate) fn holds<'a>(self, left: Option<&'a Value>, right: Right<'_>, payload: &Payload<'a>) -> bool {
        self.is_true(|| js::strict_equals(left, right), || payload.order(left, right))
    }

    fn holds_for_half(self, unit: u16, operand: &Operand) -> bool {
        let order = || match operand {
            Operand::Text(text) => Some([unit].into_iter().cmp(text.encode_utf16())),
            Operand::Null | Operand::Bool(_) | Operand::Number(_) => None,
        };
        self.is_true(|| false, order)
    }

    fn is_true(self, equal: impl Fn() -> bool, order: impl Fn() -> Option<Ordering>) -> bool {
        match self {
            Self::Eq => equal(),
            Self::Ne => !equal(),
            Self::Gt => order() == Some(Ordering::Greater),
            Self::Gte => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
            Self::Lt => order() == Some(Ordering::Less),
            Self::Lte => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
        }
    }
}

//! The comparisons that a rule is made of.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value;

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

    /// Whether the claim passes; `None` is `undefined`.
    pub(crate) fn holds<'a>(&self, claim: Option<&'a Value>, payload: &Payload<'a>) -> bool {
        match self {
            Self::Compare(comparison, operand) => comparison.holds(claim, operand.as_right(), payload),
            Self::StartsWith(prefix) => payload.text(claim).starts_with(&**prefix),
            Self::Matches(pattern) => pattern.is_found(&payload.text(claim), payload),
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
    /// Whether it is true of a claim; `None` is `undefined`.
    pub(crate) fn holds<'a>(self, left: Option<&'a Value>, right: Right<'_>, payload: &Payload<'a>) -> bool {
        let order = || js::order(payload, left, right);
        match self {
            Self::Eq => js::strict_equals(left, right),
            Self::Ne => !js::strict_equals(left, right),
            Self::Gt => order() == Some(Ordering::Greater),
            Self::Gte => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
            Self::Lt => order() == Some(Ordering::Less),
            Self::Lte => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
        }
    }
}

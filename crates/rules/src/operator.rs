//! The comparisons that a rule is made of.

use std::cmp::Ordering;

use serde_json::Value;

use crate::js::{self, Operand};

/// A comparison of a claim (left) with a rule's value (right).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
}

impl Operator {
    /// By the name that rules use.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "gt" => Self::Gt,
            "gte" => Self::Gte,
            "lt" => Self::Lt,
            "lte" => Self::Lte,
            _ => return None,
        })
    }

    pub(crate) fn holds(self, left: Option<&Value>, right: &Operand) -> bool {
        match self {
            Self::Eq => js::strict_equals(left, right),
            Self::Ne => !js::strict_equals(left, right),
            Self::Gt => js::order(left, right) == Some(Ordering::Greater),
            Self::Gte => matches!(js::order(left, right), Some(Ordering::Greater | Ordering::Equal)),
            Self::Lt => js::order(left, right) == Some(Ordering::Less),
            Self::Lte => matches!(js::order(left, right), Some(Ordering::Less | Ordering::Equal)),
        }
    }
}

//! The claims of one token under judgement.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Deref;
use std::rc::Rc;

use serde_json::Value;

use crate::Claims;
use crate::js::{self, Right};
use crate::limits::MAX_MATCH_STEPS;
use crate::token::{Issued, Token};

/// Texts up to this length are read as numbers each time; that is cheaper than remembering.
const SHORT: usize = 32;

/// Claims, with what was worked out of them, so that a long claim costs once and not once per rule.
pub(crate) struct Payload<'a> {
    pub(crate) claims: &'a Claims,
    issued: Issued,
    /// `String(list)`. Keyed by place: lists and long texts are claims, which are borrowed, so a place is one value.
    lists: RefCell<HashMap<*const Value, Rc<str>>>,
    /// `Number(value)` of long texts and lists.
    numbers: RefCell<HashMap<*const Value, f64>>,
    /// What is left of [`MAX_MATCH_STEPS`].
    steps: Cell<u64>,
}

/// A value as a string.
pub(crate) enum Text<'a> {
    Borrowed(&'a str),
    Owned(String),
    Shared(Rc<str>),
}

impl<'a> Payload<'a> {
    pub(crate) fn new(token: impl Into<Token<'a>>) -> Self {
        let Token { claims, issued } = token.into();
        Self {
            claims,
            issued,
            lists: RefCell::default(),
            numbers: RefCell::default(),
            steps: Cell::new(MAX_MATCH_STEPS),
        }
    }

    /// Whether the token does not say when it was issued; see [`Issued::Unknown`].
    pub(crate) fn is_undated(&self) -> bool {
        self.issued == Issued::Unknown
    }

    /// Takes steps from the budget; false when it has no more.
    pub(crate) fn spend(&self, steps: u64) -> bool {
        let left = self.steps.get().checked_sub(steps);
        self.steps.set(left.unwrap_or(0));
        left.is_some()
    }

    /// `String(value)`, where `None` is `undefined`.
    pub(crate) fn text(&self, value: Option<&'a Value>) -> Text<'a> {
        match value {
            None => Text::Borrowed("undefined"),
            Some(Value::Null) => Text::Borrowed("null"),
            Some(Value::Bool(true)) => Text::Borrowed("true"),
            Some(Value::Bool(false)) => Text::Borrowed("false"),
            Some(Value::Number(number)) => Text::Owned(js::number_to_string(js::to_f64(number))),
            Some(Value::String(text)) => Text::Borrowed(text),
            Some(Value::Object(_)) => Text::Borrowed(js::OBJECT),
            Some(list @ Value::Array(items)) => {
                let mut lists = self.lists.borrow_mut();
                let text = lists.entry(list).or_insert_with(|| js::list_to_string(items).into());
                Text::Shared(Rc::clone(text))
            }
        }
    }

    /// `Number(value)`, where `None` is `undefined`.
    pub(crate) fn number(&self, value: Option<&'a Value>) -> f64 {
        match value {
            None | Some(Value::Object(_)) => f64::NAN,
            Some(Value::Null) => 0.0,
            Some(Value::Bool(flag)) => f64::from(u8::from(*flag)),
            Some(Value::Number(number)) => js::to_f64(number),
            Some(Value::String(text)) if text.len() <= SHORT => js::string_to_number(text),
            Some(long @ (Value::String(_) | Value::Array(_))) => {
                let compute = || js::string_to_number(&self.text(Some(long)));
                *self.numbers.borrow_mut().entry(long).or_insert_with(compute)
            }
        }
    }

    /// How a value and `right` compare under `<` and `>`; `None` when every such comparison is false.
    pub(crate) fn order(&self, left: Option<&'a Value>, right: Right<'_>) -> Option<Ordering> {
        match (left, right) {
            (Some(Value::String(_) | Value::Array(_) | Value::Object(_)), Right::Text(right)) => {
                Some(js::compare_code_units(&self.text(left), right))
            }
            (left, right) => self.number(left).partial_cmp(&js::right_to_number(right)),
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
            Self::Shared(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_claims_are_worked_out_once() {
        let list = format!("[{}1]", "1,".repeat(5000));
        let blank = " ".repeat(8000);
        let claims: Claims =
            serde_json::from_str(&format!(r#"{{"list":{list},"blank":"{blank}","short":"5"}}"#))
                .expect("claims");
        let payload = Payload::new(&claims);
        let (Text::Shared(first), Text::Shared(second)) =
            (payload.text(claims.get("list")), payload.text(claims.get("list")))
        else {
            panic!("a list's text is kept")
        };
        assert!(Rc::ptr_eq(&first, &second));
        assert_eq!(first.len(), 10_001);

        assert!(payload.number(claims.get("list")).is_nan());
        assert_eq!((payload.number(claims.get("blank")), payload.number(claims.get("short"))), (0.0, 5.0));
        assert_eq!(payload.numbers.borrow().len(), 2, "the long ones");
        assert_eq!((payload.number(claims.get("blank")), payload.number(None).is_nan()), (0.0, true));
    }

    #[test]
    fn a_budget_that_is_spent_stays_spent() {
        let claims = Claims::new();
        let payload = Payload::new(&claims);
        assert!(payload.spend(MAX_MATCH_STEPS));
        assert!(!payload.spend(1));
        assert!(payload.spend(0));
    }
}

//! Which equalities lead to a rule: a token that has none of them cannot be hit.

use serde_json::Value;

use crate::Rule;
use crate::condition::{Condition, Group, Mode};
use crate::field::Field;
use crate::js::{self, Operand};
use crate::limits::MAX_RULE_BYTES;
use crate::operator::{Comparison, Test};

/// `field === operand` in a rule.
pub(crate) struct Equality<'r> {
    pub(crate) field: &'r Field,
    pub(crate) operand: &'r Operand,
}

/// A value that can be strictly equal to another one, in a form that is the same for equal values.
#[derive(Hash)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(u64),
    Text(&'a str),
}

/// The equalities of a rule. Their place in the list is how the rest of the index calls them.
pub(crate) fn equalities(rule: &Rule) -> Vec<Equality<'_>> {
    let mut equalities = Vec::new();
    rule.root.for_each_test(&mut |field, test| {
        if let Test::Compare(Comparison::Eq, operand) = test {
            equalities.push(Equality { field, operand });
        }
    });
    equalities
}

/// The places of equalities of which a token must have one to be hit, and how many rules share the fullest of them.
/// `None`: a token may be hit without any.
pub(crate) fn choose(rule: &Rule, sharers: &impl Fn(usize) -> usize) -> Option<Choice> {
    choose_in(&rule.root, &mut 0, sharers)
}

#[derive(Default)]
pub(crate) struct Choice {
    /// Empty for a rule that can hit no token.
    pub(crate) places: Vec<usize>,
    pub(crate) sharers: usize,
}

fn choose_in(group: &Group, next: &mut usize, sharers: &impl Fn(usize) -> usize) -> Option<Choice> {
    // Every condition is visited, so that the places are counted as `equalities` counts them.
    let mut choices = Vec::with_capacity(group.conditions.len());
    for condition in &group.conditions {
        choices.push(match condition {
            Condition::Group(group) => choose_in(group, next, sharers),
            Condition::Test { test: Test::Compare(Comparison::Eq, _), .. } => {
                let place = *next;
                *next += 1;
                Some(Choice { places: vec![place], sharers: sharers(place) })
            }
            Condition::Test { .. } => None,
        });
    }
    match group.mode {
        // The rarest one is enough. The first one would not do: every rule may begin with the same audience.
        Mode::All => choices.into_iter().flatten().min_by_key(|choice| (choice.sharers, choice.places.len())),
        Mode::Any => choices.into_iter().try_fold(Choice::default(), |mut all, choice| {
            let choice = choice?;
            all.places.extend(choice.places);
            all.sharers = all.sharers.max(choice.sharers);
            Some(all)
        }),
    }
}

impl<'a> Scalar<'a> {
    pub(super) fn of_operand(operand: &'a Operand) -> Self {
        match operand {
            Operand::Null => Self::Null,
            Operand::Bool(flag) => Self::Bool(*flag),
            Operand::Number(number) => Self::number(*number),
            Operand::Text(text) => Self::Text(text),
        }
    }

    /// `None` for what is equal to no rule's value.
    pub(super) fn of_claim(value: &'a Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Bool(flag) => Some(Self::Bool(*flag)),
            Value::Number(number) => Some(Self::number(js::to_f64(number))),
            // A longer text stands in no rule, and need not be read.
            Value::String(text) => (text.len() <= MAX_RULE_BYTES).then_some(Self::Text(text)),
            Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn number(number: f64) -> Self {
        // 0 and -0 are equal, with different bits.
        Self::Number(if number == 0.0 { 0 } else { number.to_bits() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(json: &str, crowded: &str) -> Option<Vec<String>> {
        let rule = Rule::parse(json).expect("a rule");
        let equalities = equalities(&rule);
        let sharers = |place: usize| usize::from(equalities[place].field.name() == crowded);
        let choice = choose(&rule, &sharers)?;
        Some(choice.places.iter().map(|place| equalities[*place].field.name().to_owned()).collect())
    }

    #[test]
    fn a_rule_is_found_by_its_rarest_equality_or_by_one_per_branch() {
        for (json, expected) in [
            (r#"{"aud":"x","rt":"y"}"#, Some(vec!["rt"])),
            (r#"{"aud":"x","iat":{"lt":5}}"#, Some(vec!["aud"])),
            (r#"{"_or":true,"a":1,"b":2}"#, Some(vec!["a", "b"])),
            (r#"{"_or":true,"a":1,"b":{"gt":2}}"#, None),
            (r#"{"aud":"x","or":{"_or":true,"a":{"eq":1},"b":{"eq":2}}}"#, Some(vec!["a", "b"])),
            (r#"{"c":"x","or":{"_or":true,"a":{"eq":1},"b":{"eq":2}}}"#, Some(vec!["c"])),
            (
                r#"{"_or":true,"one":{"aud":{"eq":1},"b":{"eq":2}},"two":{"c":{"eq":3,"lt":5}}}"#,
                Some(vec!["b", "c"]),
            ),
            (r#"{"iat":{"lt":5}}"#, None),
            (r#"{"a":{"ne":5}}"#, None),
            (r#"{"a":{"regex":"b"}}"#, None),
            ("{}", None),
            (r#"{"_or":true}"#, Some(vec![])),
            (r#"{"a":1,"x":{"_or":true}}"#, Some(vec![])),
        ] {
            let expected: Option<Vec<String>> =
                expected.map(|names| names.into_iter().map(str::to_owned).collect());
            assert_eq!(chosen(json, "aud"), expected, "{json}");
        }
    }
}

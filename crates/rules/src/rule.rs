//! One rule, parsed.

use std::str::FromStr;

use crate::field::Field;
use crate::js::Operand;
use crate::operator::Operator;
use crate::parse::{self, Parsed};
use crate::{Claims, RuleError};

/// A revocation rule: a condition on a token's claims.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    root: Group,
    canonical: Box<str>,
}

/// Conditions of one level.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) mode: Mode,
    pub(crate) conditions: Vec<Condition>,
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
    Compare { field: Field, operator: Operator, operand: Operand },
    Group(Group),
}

impl Rule {
    /// Reads a rule's JSON text.
    ///
    /// # Errors
    /// What [`RuleError`] lists: anything that is not understood to the last member is refused, since a rule of which
    /// a part was left out would revoke other tokens than its writer meant.
    pub fn parse(json: &str) -> Result<Self, RuleError> {
        let Parsed { root, canonical } = parse::rule(json)?;
        Ok(Self { root, canonical })
    }

    /// Whether the rule revokes a token of these claims.
    pub fn matches(&self, claims: &Claims) -> bool {
        self.root.holds(claims)
    }

    /// Whether the rule's form alone makes it match every token, as `{}` does.
    pub fn matches_everything(&self) -> bool {
        self.root.holds_always()
    }

    /// The rule as JSON with sorted members, without white space, and numbers as JavaScript prints them: two texts of
    /// one rule have the same canonical text, whatever the order of their members.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(json: &str) -> Result<Self, RuleError> {
        Self::parse(json)
    }
}

impl Group {
    fn holds(&self, claims: &Claims) -> bool {
        match self.mode {
            Mode::All => self.conditions.iter().all(|condition| condition.holds(claims)),
            Mode::Any => self.conditions.iter().any(|condition| condition.holds(claims)),
        }
    }

    fn holds_always(&self) -> bool {
        match self.mode {
            Mode::All => self.conditions.iter().all(Condition::holds_always),
            Mode::Any => self.conditions.iter().any(Condition::holds_always),
        }
    }
}

impl Condition {
    fn holds(&self, claims: &Claims) -> bool {
        match self {
            Self::Compare { field, operator, operand } => operator.holds(field.of(claims), operand),
            Self::Group(group) => group.holds(claims),
        }
    }

    fn holds_always(&self) -> bool {
        match self {
            Self::Compare { .. } => false,
            Self::Group(group) => group.holds_always(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_level_is_recognised_as_matching_everything() {
        for (json, everything) in [
            ("{}", true),
            (r#"{"a":{}}"#, true),
            (r#"{"_or":true,"a":{},"b":1}"#, true),
            (r#"{"a":{"_or":false}}"#, true),
            (r#"{"_or":true}"#, false),
            (r#"{"a":{},"b":1}"#, false),
            (r#"{"a":1}"#, false),
        ] {
            assert_eq!(Rule::parse(json).expect(json).matches_everything(), everything, "{json}");
        }
    }

    #[test]
    fn texts_of_one_rule_have_one_canonical_text() {
        let text = Rule::parse(r#"{"a":{"gt":1,"lt":1e2},"b":"x\u0041"}"#).expect("a rule");
        let same = Rule::parse("{ \"b\": \"xA\",\n\"a\": {\"lt\": 100.0, \"gt\": 1} }").expect("a rule");
        assert_eq!(text.canonical(), r#"{"a":{"gt":1,"lt":100},"b":"xA"}"#);
        assert_eq!(text.canonical(), same.canonical());
    }
}

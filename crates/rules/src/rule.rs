//! One rule, parsed.

use std::str::FromStr;

use crate::RuleError;
use crate::field::Field;
use crate::operator::Test;
use crate::parse::{self, Parsed};
use crate::payload::Payload;
use crate::token::{ISSUED_AT, Token};
use crate::unseen::UnseenFields;

/// A revocation rule: a condition on a token's claims.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub(crate) root: Group,
    canonical: Box<str>,
}

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

    /// Whether the rule revokes a token.
    pub fn matches<'a>(&self, token: impl Into<Token<'a>>) -> bool {
        self.holds(&Payload::new(token))
    }

    /// The same, for one of many rules.
    pub(crate) fn holds(&self, payload: &Payload<'_>) -> bool {
        self.root.holds(payload, None)
    }

    /// The fields that the rule looks at, none of them seen in a token yet.
    pub fn unseen_fields(&self) -> UnseenFields<'_> {
        let mut fields: Vec<&Field> = Vec::new();
        self.root.for_each_test(&mut |field, _| {
            if !fields.contains(&field) {
                fields.push(field);
            }
        });
        UnseenFields(fields)
    }

    /// Whether the rule's form alone makes it match every token, as `{}` and a search for an empty text do.
    pub fn matches_everything(&self) -> bool {
        self.root.holds_always()
    }

    pub(crate) fn into_canonical(self) -> Box<str> {
        self.canonical
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
    /// Whether it holds, where the levels around it admit no time of issue after `latest`.
    fn holds(&self, payload: &Payload<'_>, latest: Option<f64>) -> bool {
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

    fn holds_always(&self) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Claims;

    #[test]
    fn an_empty_level_is_recognised_as_matching_everything() {
        for (json, everything) in [
            ("{}", true),
            (r#"{"a":{}}"#, true),
            (r#"{"_or":true,"a":{},"b":1}"#, true),
            (r#"{"a":{"_or":false}}"#, true),
            (r#"{"a":{"sw":""}}"#, true),
            (r#"{"a":{"regex":""}}"#, true),
            (r#"{"a":{"sw":"","eq":1}}"#, false),
            (r#"{"a":{"regex":"b"}}"#, false),
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

    #[test]
    fn a_claim_whose_name_is_a_path_hides_no_nested_one() {
        // Members `a.b` and `a` > `b`; absent where empty. The tests that hold: eq 1, ne 1, lt 2, sw "1", eq null.
        for (literal, nested, expected) in [
            ("", "", [false, true, false, false, false]),
            ("1", "", [true, false, true, true, false]),
            ("", "1", [true, false, true, true, false]),
            ("3", "1", [true, true, true, true, false]),
            ("1", "3", [true, true, true, true, false]),
            ("1", "1.0", [true, false, true, true, false]),
            ("3", "4", [false, true, false, false, false]),
            ("null", "1", [true, true, true, true, true]),
            ("1", "null", [true, true, true, true, true]),
            ("\"1\"", "[1]", [false, true, true, true, false]),
            ("1", "{\"c\":1}", [true, true, true, true, false]),
        ] {
            let member = |name: &str, value: &str| match value {
                "" => String::new(),
                value => format!("\"{name}\":{value}"),
            };
            let separator = if literal.is_empty() { "" } else { "," };
            let json = format!("{{{}{separator}\"a\":{{{}}}}}", member("a.b", literal), member("b", nested));
            let claims: Claims = serde_json::from_str(&json).expect(&json);
            for (test, expected) in
                ["1", r#"{"ne":1}"#, r#"{"lt":2}"#, r#"{"sw":"1"}"#, "null"].into_iter().zip(expected)
            {
                let rule = Rule::parse(&format!("{{\"a.b\":{test}}}")).expect(test);
                assert_eq!(rule.matches(&claims), expected, "{test} {json}");
                // Few rules are looked at one by one, many are found by their values.
                let fill = |number| Rule::parse(&format!("{{\"x\":{number}}}")).expect("a rule");
                let mut set = crate::RuleSet::default();
                for rule in (0..20).map(fill).chain([rule]) {
                    let entry = crate::RuleEntry { rule, expire_at: crate::ExpireAt::Never };
                    assert_eq!(set.insert(entry), Ok(()));
                }
                assert_eq!(set.matches(&claims, 0), expected, "{test} {json} among many");
            }
        }
        let both = Rule::parse(r#"{"a.b":{"gte":1,"lte":5}}"#).expect("a rule");
        let around: Claims = serde_json::from_str(r#"{"a.b":0,"a":{"b":9}}"#).expect("claims");
        assert!(both.matches(&around), "each condition looks for itself");
    }
}

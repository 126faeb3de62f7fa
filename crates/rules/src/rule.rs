//! One rule, parsed.

use std::str::FromStr;

use crate::RuleError;
use crate::condition::Group;
use crate::field::Field;
use crate::parse::{self, Parsed};
use crate::payload::Payload;
use crate::token::Token;
use crate::unseen::UnseenFields;

/// A revocation rule: a condition on a token's claims.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub(crate) root: Group,
    canonical: Box<str>,
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

//! From JSON text to a [`Group`] of conditions.
//!
//! On the outermost level a key is a field. Inside an object, a key with a plain value is an operator on the object's
//! field, and a key with an object is a field again: `{"x":{"_or":true,"a":{"eq":1},"b":{"eq":2}}}` asks for `a` or
//! `b`, and `x` only names the group. That is how ms-users nests.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::RuleError;
use crate::condition::{Condition, Group, Mode};
use crate::field::Field;
use crate::js::{self, Operand};
use crate::limits::{MAX_CONDITIONS, MAX_DEPTH, MAX_RULE_BYTES};
use crate::operator::{Comparison, Test};

/// The member that makes a level need only one of its conditions.
const OR: &str = "_or";

pub(crate) struct Parsed {
    pub(crate) root: Group,
    pub(crate) canonical: Box<str>,
}

pub(crate) fn rule(json: &str) -> Result<Parsed, RuleError> {
    if json.len() > MAX_RULE_BYTES {
        return Err(RuleError::TooLong { len: json.len(), max: MAX_RULE_BYTES });
    }
    let value: Value = serde_json::from_str(json)
        .map_err(|error| RuleError::Json { line: error.line(), column: error.column() })?;
    let Value::Object(members) = &value else {
        return Err(RuleError::NotAnObject);
    };
    let mut parser = Parser { path: Vec::new(), conditions: 0 };
    let root = parser.group(members, None)?;
    let mut canonical = String::with_capacity(json.len());
    write_canonical(&value, &mut canonical);
    Ok(Parsed { root, canonical: canonical.into() })
}

struct Parser<'a> {
    /// The keys that lead to the present place, for error texts.
    path: Vec<&'a str>,
    conditions: usize,
}

impl<'a> Parser<'a> {
    /// One level; `field` is what its operators compare, and `None` on the outermost level.
    fn group(&mut self, members: &'a Map<String, Value>, field: Option<&str>) -> Result<Group, RuleError> {
        if self.path.len() >= MAX_DEPTH {
            return Err(RuleError::TooDeep { path: self.path.join("."), max: MAX_DEPTH });
        }
        let mut mode = Mode::All;
        let mut conditions = Vec::with_capacity(members.len());
        for (key, value) in members {
            self.path.push(key);
            if key == OR {
                mode = self.mode(value)?;
            } else {
                conditions.push(self.condition(key, value, field)?);
            }
            self.path.pop();
        }
        let mut conditions = flat(mode, conditions);
        // What is dear is asked last, and mostly not at all.
        conditions.sort_by_key(cost);
        Ok(Group { mode, conditions: conditions.into() })
    }

    fn condition(
        &mut self,
        key: &'a str,
        value: &'a Value,
        field: Option<&str>,
    ) -> Result<Condition, RuleError> {
        self.conditions = self.conditions.saturating_add(1);
        if self.conditions > MAX_CONDITIONS {
            return Err(RuleError::TooManyConditions { max: MAX_CONDITIONS });
        }
        let operand = match value {
            Value::Object(members) => return Ok(Condition::Group(self.group(members, Some(key))?)),
            Value::Array(_) => {
                return Err(RuleError::List { path: self.path.join(".") });
            }
            Value::Null => Operand::Null,
            Value::Bool(flag) => Operand::Bool(*flag),
            Value::Number(number) => Operand::Number(js::to_f64(number)),
            Value::String(text) => Operand::Text(text.as_str().into()),
        };
        let Some(field) = field else {
            let test = Test::Compare(Comparison::Eq, operand);
            return Ok(Condition::Test { field: Field::new(key), test });
        };
        let test = Test::new(key, operand)
            .map_err(|error| RuleError::Pattern { path: self.path.join("."), error })?
            .ok_or_else(|| RuleError::UnsupportedOperator { path: self.path.join(".") })?;
        Ok(Condition::Test { field: Field::new(field), test })
    }

    fn mode(&self, value: &Value) -> Result<Mode, RuleError> {
        match value {
            Value::Bool(true) => Ok(Mode::Any),
            Value::Bool(false) => Ok(Mode::All),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                Err(RuleError::OrFlag { path: self.path.join(".") })
            }
        }
    }
}

/// Takes the level out of a group whose conditions count the same without it. `{"iat":{"lt":5}}` is such a level, and in
/// a million rules it takes a tenth of their memory.
fn flat(mode: Mode, conditions: Vec<Condition>) -> Vec<Condition> {
    let mut flat = Vec::with_capacity(conditions.len());
    for condition in conditions {
        match condition {
            Condition::Group(group) if group.mode == mode || group.conditions.len() == 1 => {
                flat.extend(group.conditions);
            }
            Condition::Group(_) | Condition::Test { .. } => flat.push(condition),
        }
    }
    flat
}

/// Comparisons, then groups, then regular expressions.
fn cost(condition: &Condition) -> u8 {
    match condition {
        Condition::Test { test: Test::Compare(..) | Test::StartsWith(_), .. } => 0,
        Condition::Group(_) => 1,
        Condition::Test { test: Test::Matches(_), .. } => 2,
    }
}

/// Depth is bounded: [`Parser::group`] has walked the same value before.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            out.push('{');
            for (position, (key, value)) in sorted.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Number(number) => out.push_str(&js::number_to_string(js::to_f64(number))),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => out.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> RuleError {
        rule(json).err().unwrap_or_else(|| panic!("{json} is no rule"))
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        for (json, text) in [
            ("", "the rule is not JSON (line 1, column 0)"),
            ("{", "the rule is not JSON (line 1, column 1)"),
            ("[]", "the rule is not a JSON object"),
            ("5", "the rule is not a JSON object"),
            (
                r#"{"iat":{"like":5}}"#,
                "iat.like: the operator is not supported; supported are eq, ne, gt, gte, lt, lte, regex, sw",
            ),
            (r#"{"u":{"regex":"a("}}"#, "u.regex: a bracket has no partner at 1"),
            (
                r#"{"x":{"u":{"EQ":1}}}"#,
                "x.u.EQ: the operator is not supported; supported are eq, ne, gt, gte, lt, lte, regex, sw",
            ),
            (
                r#"{"aud":["a"]}"#,
                "aud: a list can not be compared; write a string, a number, true, false, null or an object of operators",
            ),
            (r#"{"_or":1,"a":2}"#, "_or: must be true or false"),
            (r#"{"a":{"_or":"true"}}"#, "a._or: must be true or false"),
        ] {
            assert_eq!(error(json).to_string(), text);
        }
    }

    #[test]
    fn limits_hold() {
        let nested = |depth: usize| format!("{}{}{}", r#"{"a":"#.repeat(depth), 1, "}".repeat(depth));
        assert_eq!(
            error(&nested(MAX_DEPTH + 1)),
            RuleError::TooDeep { path: ["a"; MAX_DEPTH].join("."), max: MAX_DEPTH }
        );
        assert!(matches!(error(&nested(1000)), RuleError::Json { .. }));

        let wide = |count: usize| {
            let members: Vec<_> = (0..count).map(|number| format!(r#""c{number}":1"#)).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(rule(&wide(MAX_CONDITIONS)).is_ok());
        assert_eq!(error(&wide(MAX_CONDITIONS + 1)), RuleError::TooManyConditions { max: MAX_CONDITIONS });

        let long = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
        assert!(rule(&long(MAX_RULE_BYTES)).is_ok());
        let long = long(MAX_RULE_BYTES + 1);
        assert_eq!(error(&long), RuleError::TooLong { len: long.len(), max: MAX_RULE_BYTES });
    }

    #[test]
    fn what_costs_little_is_asked_first() {
        let kinds = |json: &str| -> Vec<&str> {
            let conditions = rule(json).unwrap_or_else(|error| panic!("{json}: {error}")).root.conditions;
            let kind = |condition: &Condition| match condition {
                Condition::Test { test: Test::Compare(..) | Test::StartsWith(_), .. } => "comparison",
                Condition::Test { test: Test::Matches(_), .. } => "expression",
                Condition::Group(_) => "group",
            };
            conditions.iter().map(kind).collect()
        };
        let group = r#"{"_or":true,"x":{"eq":1},"y":{"eq":2}}"#;
        for json in [
            format!(r#"{{"a":{{"regex":"x"}},"b":{group},"c":1,"d":{{"sw":"x"}}}}"#),
            format!(r#"{{"a":1,"b":{{"sw":"x"}},"c":{{"regex":"x"}},"d":{group}}}"#),
        ] {
            assert_eq!(kinds(&json), ["comparison", "comparison", "group", "expression"], "{json}");
        }
    }
}

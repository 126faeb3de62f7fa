//! Rules that are written as they are and yet cannot do what their writer wants.

use rules::Rule;
use serde_json::{Map, Value};

/// Claims that are numbers of seconds (RFC 7519 section 2, NumericDate).
const DATES: [&str; 5] = ["auth_time", "exp", "iat", "nbf", "updated_at"];

/// A NumericDate from here on was meant in milliseconds; in seconds it is the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

/// Why a rule may not do what its writer thinks. Looks at the outermost level alone.
pub(super) fn of(rule: &Rule) -> Vec<String> {
    let members: Map<String, Value> = serde_json::from_str(rule.canonical()).unwrap_or_default();
    if members.len() == 1 && members.get("_or") == Some(&Value::Bool(true)) {
        return vec![
            "_or stands alone: one of no conditions never holds, so the rule hits no token".to_owned(),
        ];
    }
    DATES.iter().filter_map(|name| Some((*name, members.get(*name)?))).flat_map(of_date).collect()
}

fn of_date((name, condition): (&str, &Value)) -> Vec<String> {
    match condition {
        Value::Object(operators) => {
            operators.iter().filter_map(|(operator, operand)| doubt(name, operator, operand)).collect()
        }
        operand => doubt(name, "eq", operand).into_iter().collect(),
    }
}

fn doubt(name: &str, operator: &str, operand: &Value) -> Option<String> {
    let is_order = matches!(operator, "gt" | "gte" | "lt" | "lte");
    match operand {
        // A text of digits is compared as the number that it is.
        Value::String(text) if is_order && text.trim().parse::<f64>().is_ok_and(f64::is_finite) => None,
        Value::String(_) if is_order || operator == "eq" => {
            Some(format!("{name} is compared with a text, and tokens have a number there: it never holds"))
        }
        Value::Number(number)
            if (is_order || operator == "eq")
                && number.as_f64().is_some_and(|number| number >= MILLISECONDS_FROM) =>
        {
            let holds = match operator {
                "lt" | "lte" => "always",
                _ => "never",
            };
            Some(format!(
                "{name} is compared with what looks like milliseconds, and tokens have seconds: it {holds} holds"
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rules::Claims;

    #[test]
    fn a_rule_that_cannot_do_what_it_says_is_doubted() {
        for (rule, why, holds) in [
            (r#"{"_or":true}"#, "_or stands alone", false),
            (r#"{"iat":"1700000000"}"#, "iat is compared with a text", false),
            (r#"{"iat":{"lt":"yesterday"}}"#, "iat is compared with a text", false),
            (r#"{"exp":{"eq":"1700000060"},"rt":"x"}"#, "exp is compared with a text", false),
            (r#"{"iat":{"gt":1700000000000}}"#, "it never holds", false),
            (r#"{"iat":1700000000000}"#, "it never holds", false),
            (r#"{"iat":{"lt":1700000000000}}"#, "it always holds", true),
        ] {
            let rule = Rule::parse(rule).unwrap();
            let told = of(&rule);
            assert!(told.len() == 1 && told[0].contains(why), "{}: {told:?}", rule.canonical());
            let claims: Claims =
                serde_json::from_str(r#"{"iat":1700000000,"exp":1700000060,"rt":"x"}"#).unwrap();
            assert_eq!(rule.matches(&claims), holds, "{}", rule.canonical());
        }
    }

    #[test]
    fn a_rule_that_can_match_is_not_doubted() {
        for rule in [
            "{}",
            r#"{"_or":true,"rt":"x"}"#,
            r#"{"iat":{"lt":1700000000}}"#,
            r#"{"iat":{"gte":1,"lt":"1700000000"}}"#,
            r#"{"iat":{"sw":"17"}}"#,
            r#"{"exp":{"ne":"soon"}}"#,
            r#"{"st":1700000000000}"#,
        ] {
            assert_eq!(of(&Rule::parse(rule).unwrap()), Vec::<String>::new(), "{rule}");
        }
    }
}

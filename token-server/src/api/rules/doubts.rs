//! Rules that are written as they are and yet cannot do what their writer wants.

use jose::Profile;
use rules::Rule;
use serde_json::{Map, Value};

/// Claims that are numbers of seconds (RFC 7519 section 2, NumericDate).
const DATES: [&str; 5] = ["auth_time", "exp", "iat", "nbf", "updated_at"];

/// A NumericDate from here on was meant in milliseconds; in seconds it is the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

/// Why a rule may not do what its writer thinks. Looks at the outermost level alone.
pub(super) fn of(rule: &Rule, profile: Profile) -> Vec<String> {
    let members: Map<String, Value> = serde_json::from_str(rule.canonical()).unwrap_or_default();
    if members.len() == 1 && members.get("_or") == Some(&Value::Bool(true)) {
        return vec![
            "_or stands alone: one of no conditions never holds, so the rule hits no token".to_owned(),
        ];
    }
    DATES
        .iter()
        .filter_map(|name| Some((*name, members.get(*name)?)))
        .flat_map(|date| of_date(date, profile))
        .collect()
}

fn of_date((name, condition): (&str, &Value), profile: Profile) -> Vec<String> {
    match condition {
        Value::Object(operators) => operators
            .iter()
            .filter_map(|(operator, operand)| doubt(name, operator, operand, profile))
            .collect(),
        operand => doubt(name, "eq", operand, profile).into_iter().collect(),
    }
}

fn doubt(name: &str, operator: &str, operand: &Value, profile: Profile) -> Option<String> {
    let is_order = matches!(operator, "gt" | "gte" | "lt" | "lte");
    let number = match operand {
        // A text of digits is compared as the number that it is.
        Value::String(text) if is_order => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Number(number) if is_order || operator == "eq" => number.as_f64(),
        Value::String(_) if operator == "eq" => None,
        _ => return None,
    };
    let Some(number) = number else {
        return Some(format!(
            "{name} is compared with a text, and tokens have a number there: it never holds"
        ));
    };
    let is_upper = matches!(operator, "lt" | "lte");
    let (looks_like, have, holds) = match profile {
        Profile::Standard if number >= MILLISECONDS_FROM => ("milliseconds", "seconds", is_upper),
        // Of its dates ms-users writes this one in milliseconds alone.
        Profile::MsUsers if name == "iat" && number < MILLISECONDS_FROM => {
            ("seconds", "milliseconds", is_order && !is_upper)
        }
        Profile::Standard | Profile::MsUsers => return None,
    };
    let holds = if holds { "always" } else { "never" };
    Some(format!(
        "{name} is compared with what looks like {looks_like}, and tokens have {have}: it {holds} holds"
    ))
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
            let told = of(&rule, Profile::Standard);
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
            assert_eq!(of(&Rule::parse(rule).unwrap(), Profile::Standard), Vec::<String>::new(), "{rule}");
        }
    }

    #[test]
    fn in_ms_users_a_bound_on_iat_in_seconds_is_doubted_and_one_in_milliseconds_is_not() {
        let claims: Claims = serde_json::from_str(r#"{"iat":1700000000000,"exp":1700000060}"#).unwrap();
        for (rule, why, holds) in [
            (r#"{"iat":{"lt":1700000000}}"#, "seconds, and tokens have milliseconds: it never holds", false),
            (r#"{"iat":{"lte":"1700000000"}}"#, "it never holds", false),
            (r#"{"iat":1700000000}"#, "it never holds", false),
            (r#"{"iat":{"gte":1700000000}}"#, "it always holds", true),
            (r#"{"iat":{"lt":"yesterday"}}"#, "compared with a text", false),
        ] {
            let rule = Rule::parse(rule).unwrap();
            let told = of(&rule, Profile::MsUsers);
            assert!(told.len() == 1 && told[0].contains(why), "{}: {told:?}", rule.canonical());
            assert_eq!(rule.matches(&claims), holds, "{}", rule.canonical());
        }
        for rule in [
            r#"{"iat":{"lt":1700000000001}}"#,
            r#"{"iat":{"lte":1700000000000},"rt":"x"}"#,
            r#"{"exp":{"lt":1700000060}}"#,
            r#"{"exp":{"lt":1700000060000}}"#,
        ] {
            assert_eq!(of(&Rule::parse(rule).unwrap(), Profile::MsUsers), Vec::<String>::new(), "{rule}");
        }
    }
}

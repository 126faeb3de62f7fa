//! A rule taken apart: each condition of its outermost level, as a rule of its own, held against the claims.

use rules::{Rule, Token};
use serde::Serialize;
use serde_json::{Map, Value};

/// What makes a level's conditions alternatives.
const OR: &str = "_or";

/// One condition and how it stands.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct ConditionView {
    /// The condition as it stands in the rule.
    condition: Value,
    /// The claim of its name, unless there is none or the condition looks by a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<Value>,
    holds: bool,
}

/// What a rule needs (`all` or `any`) and how each condition stands.
pub(super) fn conditions(rule: &str, token: Token<'_>) -> (&'static str, Vec<ConditionView>) {
    let mut members: Map<String, Value> = serde_json::from_str(rule).unwrap_or_default();
    // A group with a single nested group is that group, so such a rule is left whole.
    let is_a_group_of_one = members.len() == 1 && members.values().all(Value::is_object);
    let needs = if members.remove(OR) == Some(Value::Bool(true)) { "any" } else { "all" };
    if is_a_group_of_one {
        return (needs, vec![view(members, token)]);
    }
    let views = members.into_iter().map(|member| view(Map::from_iter([member]), token)).collect();
    (needs, views)
}

fn view(condition: Map<String, Value>, token: Token<'_>) -> ConditionView {
    let claim = condition.keys().next().and_then(|name| token.claims.get(name)).cloned();
    let condition = Value::Object(condition);
    let holds = Rule::parse(&condition.to_string()).is_ok_and(|rule| rule.matches(token));
    ConditionView { condition, claim, holds }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rules::{Claims, Issued};
    use serde_json::json;

    #[test]
    fn each_condition_tells_how_it_stands() {
        let claims: Claims = serde_json::from_str(r#"{"rt":"x","iat":3,"a":{"b":1}}"#).unwrap();
        for (rule, needs, expected) in [
            (
                r#"{"rt":"x","iat":{"lt":5}}"#,
                "all",
                vec![
                    (json!({"iat": {"lt": 5}}), Some(json!(3)), true),
                    (json!({"rt": "x"}), Some(json!("x")), true),
                ],
            ),
            (
                r#"{"_or":true,"rt":"y","a.b":1}"#,
                "any",
                vec![(json!({"a.b": 1}), None, true), (json!({"rt": "y"}), Some(json!("x")), false)],
            ),
            (r#"{"iat":{"gt":1}}"#, "all", vec![(json!({"iat": {"gt": 1}}), Some(json!(3)), true)]),
            ("{}", "all", vec![]),
        ] {
            let (found_needs, found) = conditions(rule, (&claims).into());
            let found: Vec<_> =
                found.into_iter().map(|view| (view.condition, view.claim, view.holds)).collect();
            assert_eq!((found_needs, found), (needs, expected), "{rule}");
        }
    }

    #[test]
    fn a_range_of_iat_stands_as_it_does_for_a_token_without_one() {
        let claims = Claims::new();
        for (issued, holds) in [(Issued::Unknown, true), (Issued::AsTold, false)] {
            let token = Token { claims: &claims, issued };
            let (_, found) = conditions(r#"{"iat":{"gt":1,"lt":5}}"#, token);
            assert_eq!(found.iter().map(|view| view.holds).collect::<Vec<_>>(), [holds], "{issued:?}");
        }
    }
}

//! What a policy can ask of single claims.

use crate::claims::Found;
use crate::{Claim, ClaimNames, Claims};

/// A condition on one claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRule {
    /// A claim's name, a short name of it, or a path such as `realm_access.roles[0]`. Where it may mean several values, as [`Claims::values`]
    /// finds them, a requirement must hold for all of them, and a prohibition is broken by any.
    pub path: String,
    /// What must hold.
    pub condition: ClaimCondition,
}

/// What must hold for a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimCondition {
    /// It is there, and not `null`.
    Present,
    /// It is not there, or `null`. Where the path goes by name into an array, or by number into an object, this cannot
    /// be told, and does not hold.
    Absent,
    /// It is one of these values, or an array that holds one.
    OneOf(Vec<ClaimValue>),
    /// It is none of these values, nor an array that holds one. What cannot be compared with them does not hold: a
    /// value, or an element, of another type than theirs, an object, and what [`Absent`](Self::Absent) cannot tell.
    NoneOf(Vec<ClaimValue>),
}

/// A value to compare a claim with. Types do not mix: `1` is not `"1"`. Numbers compare by
/// value: `7.0` is `7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimValue {
    /// A string.
    String(String),
    /// An integer.
    Int(i64),
    /// A truth value.
    Bool(bool),
}

impl ClaimRule {
    /// Whether the claims keep to it, where these short names are known.
    pub(crate) fn holds(&self, claims: &Claims, names: &ClaimNames) -> bool {
        let Found { values: found, is_lost } = claims.find(&names.path(&self.path));
        let mut present = found.iter().filter(|claim| **claim != Claim::Null);
        match &self.condition {
            ClaimCondition::Present => !found.is_empty() && present.count() == found.len(),
            ClaimCondition::Absent => !is_lost && present.next().is_none(),
            ClaimCondition::OneOf(values) => {
                !found.is_empty() && found.iter().all(|claim| is_one_of(claim, values))
            }
            ClaimCondition::NoneOf(values) => !is_lost && present.all(|claim| is_none_of(claim, values)),
        }
    }
}

impl ClaimValue {
    fn is(&self, claim: &Claim<'_>) -> bool {
        match (self, claim) {
            (Self::String(wanted), Claim::String(found)) => wanted == found,
            (Self::Int(wanted), found) => found.is_number(*wanted),
            (Self::Bool(wanted), Claim::Bool(found)) => wanted == found,
            (Self::String(_) | Self::Bool(_), _) => false,
        }
    }

    /// Whether the claim is of the type that it would have to be of.
    fn can_judge(&self, claim: &Claim<'_>) -> bool {
        matches!(
            (self, claim),
            (Self::String(_), Claim::String(_))
                | (Self::Int(_), Claim::Int(_) | Claim::Number(_))
                | (Self::Bool(_), Claim::Bool(_))
        )
    }
}

fn is_one_of(claim: &Claim<'_>, values: &[ClaimValue]) -> bool {
    let is_wanted = |claim: &Claim<'_>| values.iter().any(|value| value.is(claim));
    match claim.elements() {
        Some(elements) => elements.iter().any(is_wanted),
        None => is_wanted(claim),
    }
}

fn is_none_of(claim: &Claim<'_>, values: &[ClaimValue]) -> bool {
    let is_another = |claim: &Claim<'_>| {
        values.iter().any(|value| value.can_judge(claim)) && !values.iter().any(|value| value.is(claim))
    };
    match claim.elements() {
        Some(elements) => elements.iter().all(is_another),
        None => is_another(claim),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_holds(condition: &ClaimCondition, path: &str, payload: &str, expected: bool) {
        let rule = ClaimRule { path: path.into(), condition: condition.clone() };
        let claims = Claims::parse(payload.as_bytes()).unwrap();
        assert_eq!(rule.holds(&claims, &ClaimNames::default()), expected, "{rule:?} {payload}");
    }

    fn values(items: &[&str]) -> Vec<ClaimValue> {
        let value = |item: &&str| match item.parse() {
            Ok(number) => ClaimValue::Int(number),
            Err(_) if *item == "true" => ClaimValue::Bool(true),
            Err(_) => ClaimValue::String((*item).to_owned()),
        };
        items.iter().map(value).collect()
    }

    #[test]
    fn a_claim_rule_holds_by_its_condition() {
        use ClaimCondition::{Absent, NoneOf, OneOf, Present};
        let roles = || values(&["admin", "7", "true"]);
        for (condition, payload, expected) in [
            (Present, r#"{"r":{"x":[0]}}"#, true),
            (Present, r#"{"r":{"x":null}}"#, false),
            (Present, "{}", false),
            (Absent, "{}", true),
            (Absent, r#"{"r":{"x":null}}"#, true),
            (Absent, r#"{"r":{"x":false}}"#, false),
            (OneOf(roles()), r#"{"r":{"x":"admin"}}"#, true),
            (OneOf(roles()), r#"{"r":{"x":7}}"#, true),
            (OneOf(roles()), r#"{"r":{"x":7.0}}"#, true),
            (OneOf(roles()), r#"{"r":{"x":[0.7e1]}}"#, true),
            (OneOf(roles()), r#"{"r":{"x":7.5}}"#, false),
            (OneOf(roles()), r#"{"r":{"x":true}}"#, true),
            (OneOf(roles()), r#"{"r":{"x":"7"}}"#, false),
            (OneOf(roles()), r#"{"r":{"x":"true"}}"#, false),
            (OneOf(roles()), r#"{"r":{"x":1}}"#, false),
            (OneOf(roles()), r#"{"r":{"x":null}}"#, false),
            (OneOf(roles()), r#"{"r":{"x":[]}}"#, false),
            (OneOf(roles()), r#"{"r":{"x":["user","admin"]}}"#, true),
            (OneOf(roles()), r#"{"r":{"x":[["admin"]]}}"#, false),
            (OneOf(roles()), r#"{"r":{"x":{"admin":1}}}"#, false),
            (OneOf(roles()), "{}", false),
            (OneOf(Vec::new()), r#"{"r":{"x":"a"}}"#, false),
            (NoneOf(roles()), "{}", true),
            (NoneOf(roles()), r#"{"r":{"x":["user"]}}"#, true),
            (NoneOf(roles()), r#"{"r":{"x":["user","admin"]}}"#, false),
            (NoneOf(roles()), r#"{"r":{"x":[["user"]]}}"#, false),
            (NoneOf(Vec::new()), r#"{"r":{"x":"a"}}"#, false),
        ] {
            assert_holds(&condition, "r.x", payload, expected);
        }
    }

    #[test]
    fn a_prohibition_is_broken_by_what_it_cannot_judge() {
        for (forbidden, claim, expected) in [
            (&["7"][..], "7", false),
            (&["7"], "7.0", false),
            (&["7"], "7e0", false),
            (&["7"], "0.07E2", false),
            (&["7"], "[7.0]", false),
            (&["7"], "[8,7]", false),
            (&["7"], "8", true),
            (&["7"], "7.5", true),
            (&["7"], "[8,9.5]", true),
            (&["7"], "[]", true),
            (&["7"], "null", true),
            (&["7"], r#""7""#, false),
            (&["7"], r#""8""#, false),
            (&["7"], "true", false),
            (&["7"], "{}", false),
            (&["7"], "[8,null]", false),
            (&["7"], r#"[8,"9"]"#, false),
            (&["7"], "[[8]]", false),
            (&["12345678901234567"], "12345678901234568", true),
            (&["12345678901234567"], "12345678901234567.0", false),
            (&["guest"], r#""guest""#, false),
            (&["guest"], r#""\u0067uest""#, false),
            (&["guest"], r#""member""#, true),
            (&["guest"], "7", false),
            (&["guest"], "false", false),
            (&["guest"], r#"{"guest":true}"#, false),
            (&["true"], "true", false),
            (&["true"], "false", true),
            (&["true"], r#""true""#, false),
            (&["true"], "1", false),
            (&["guest", "7"], "8", true),
            (&["guest", "7"], r#"["member",8]"#, true),
            (&["guest", "7"], r#"["member",7.0]"#, false),
            (&["guest", "7"], r#"["member",true]"#, false),
        ] {
            let condition = ClaimCondition::NoneOf(values(forbidden));
            assert_holds(&condition, "c", &format!(r#"{{"c":{claim}}}"#), expected);
        }
    }

    #[test]
    fn a_literal_name_hides_no_nested_one() {
        use ClaimCondition::{Absent, NoneOf, OneOf, Present};
        let yes = || values(&["yes"]);
        // Members `a.b` and `a` > `b`; absent where empty.
        for (literal, nested, present, absent, one_of, none_of) in [
            ("", "", false, true, false, true),
            (r#""yes""#, "", true, false, true, false),
            ("", r#""yes""#, true, false, true, false),
            (r#""yes""#, r#""yes""#, true, false, true, false),
            (r#""no""#, r#""yes""#, true, false, false, false),
            (r#""yes""#, r#""no""#, true, false, false, false),
            (r#""no""#, r#""no""#, true, false, false, true),
            ("null", r#""yes""#, false, false, false, false),
            (r#""yes""#, "null", false, false, false, false),
            ("null", r#""no""#, false, false, false, true),
            ("null", "null", false, true, false, true),
            ("7", r#""no""#, true, false, false, false),
        ] {
            let member = |name: &str, value: &str| {
                if value.is_empty() { String::new() } else { format!(r#""{name}":{value}"#) }
            };
            let separator = if literal.is_empty() { "" } else { "," };
            let payload =
                format!(r#"{{{}{separator}"a":{{{}}}}}"#, member("a.b", literal), member("b", nested));
            assert_holds(&Present, "a.b", &payload, present);
            assert_holds(&Absent, "a.b", &payload, absent);
            assert_holds(&OneOf(yes()), "a.b", &payload, one_of);
            assert_holds(&NoneOf(yes()), "a.b", &payload, none_of);
        }
    }

    #[test]
    fn a_prohibition_is_broken_by_a_path_that_is_lost() {
        use ClaimCondition::{Absent, NoneOf, Present};
        for (path, payload, expected) in [
            ("a.b", r#"{"a":{"c":1}}"#, true),
            ("a.b", r#"{"a":"x"}"#, true),
            ("a.b", r#"{"a":null}"#, true),
            ("a.b", r#"{"a":[{"b":true}]}"#, false),
            ("a.b", r#"{"a":[]}"#, false),
            ("a.b.c", r#"{"a":{"b":[{"c":true}]}}"#, false),
            ("a[0]", r#"{"a":[]}"#, true),
            ("a[0]", r#"{"a":{"0":true}}"#, false),
            ("a[0].b", r#"{"a":[[{"b":true}]]}"#, false),
        ] {
            assert_holds(&Absent, path, payload, expected);
            assert_holds(&NoneOf(values(&["true"])), path, payload, expected);
            assert_holds(&Present, path, payload, false);
        }
    }
}

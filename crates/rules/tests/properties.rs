//! What holds for every text.

use proptest::prelude::*;
use rules::{Claims, Rule};
use serde_json::Value;

/// JSON that is mostly rule-like, so that most cases reach the matcher.
fn rule_like() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-c0-9. ]{0,4}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("eq"),
        Just("ne"),
        Just("gt"),
        Just("gte"),
        Just("lt"),
        Just("lte"),
        Just("_or"),
        Just("a"),
        Just("b"),
        Just("a.b"),
        Just("a[0]")
    ];
    scalar.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((key.clone().prop_map(str::to_owned), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    // A case that fails is kept as a test of its own, not in a file beside.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in ".{0,200}", payload in rule_like()) {
        let claims = Claims::from_iter([("a".to_owned(), payload)]);
        if let Ok(rule) = Rule::parse(&text) {
            rule.matches(&claims);
        }
    }

    #[test]
    fn the_canonical_text_is_the_same_rule(rule in rule_like(), payload in rule_like(), other in rule_like()) {
        if let Ok(parsed) = Rule::parse(&rule.to_string()) {
            let again = Rule::parse(parsed.canonical()).expect("a canonical text is a rule");
            prop_assert_eq!(&parsed, &again);
            let claims = Claims::from_iter([("a".to_owned(), payload), ("b".to_owned(), other)]);
            prop_assert_eq!(parsed.matches(&claims), again.matches(&claims));
            prop_assert!(!parsed.matches_everything() || parsed.matches(&claims));
        }
    }
}

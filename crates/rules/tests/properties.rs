//! What holds for every text.

use std::time::{Duration, Instant};

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
        Just("sw"),
        Just("regex"),
        Just("_or"),
        Just("a"),
        Just("b"),
        Just("a.b"),
        Just("a[0]"),
        Just("a.length"),
        Just("a[0][1]"),
        Just("a..b")
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

    #[test]
    fn no_pattern_panics(pattern in any_pattern(), texts in prop::collection::vec(any_text(), 1..4)) {
        let rule = serde_json::json!({"f": {"regex": pattern}}).to_string();
        if let Ok(rule) = Rule::parse(&rule) {
            for text in texts {
                let begin = Instant::now();
                rule.matches(&Claims::from_iter([("f".to_owned(), Value::from(text))]));
                prop_assert!(begin.elapsed() < Duration::from_secs(30));
            }
        }
    }
}

/// Text that is mostly a regular expression.
fn any_pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "a", "b", ".", "*", "+", "?", "*?", "{2}", "{0,3}", "{1,}", "{40}", "|", "^", "$", "(", ")", "(?:", "(?=",
            "(?!", "(?<=", "(?<!", "(?<n>", "\\k<n>", "\\1", "\\2", "[", "]", "[^", "-", "\\b", "\\B", "\\d", "\\W", "\\s",
            "\\", "\\u00", "\\ud83d", "\\x", "\\c", "😀", "{", "}", "<", ">",
        ]).prop_map(str::to_owned),
        1 => ".{0,3}",
    ];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[ab😀\\n -]{0,20}", ".{0,40}", (1_usize..400).prop_map(|count| "ab😀".repeat(count))]
}

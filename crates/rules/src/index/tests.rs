use super::*;
use crate::Claims;
use crate::limits::{MAX_ANCHOR_PATHS, MAX_BACKTRACKING_PATTERNS, MAX_PATTERNS};

fn entry(json: &str, expire_at: i64) -> RuleEntry {
    let rule = Rule::parse(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    RuleEntry { rule, expire_at: ExpireAt::from_seconds(expire_at) }
}

fn filled(rules: impl IntoIterator<Item = String>) -> Index {
    let mut index = Index::default();
    for json in rules {
        index.add(entry(&json, 0)).unwrap_or_else(|error| panic!("{json}: {error}"));
    }
    index
}

fn hit(index: &Index, json: &str) -> Option<String> {
    let claims: Claims = serde_json::from_str(json).expect("claims");
    index.first_match((&claims).into(), 0).map(str::to_owned)
}

#[test]
fn rules_with_an_equality_are_not_scanned() {
    let index = filled((0..1000).map(|number| format!(r#"{{"aud":"all","rt":{number},"iat":{{"lt":5}}}}"#)));
    assert_eq!((index.len(), index.scanned_len()), (1000, 0));
    assert_eq!(
        hit(&index, r#"{"aud":"all","rt":7,"iat":4}"#).as_deref(),
        Some(r#"{"aud":"all","iat":{"lt":5},"rt":7}"#)
    );
    assert_eq!(hit(&index, r#"{"aud":"all","rt":"7","iat":4}"#), None);
    assert_eq!(hit(&index, r#"{"aud":"all","rt":7,"iat":5}"#), None);
}

#[test]
fn rules_that_share_their_only_equality_are_scanned_beyond_some() {
    let rules =
        |count: usize| (0..count).map(|number| format!(r#"{{"iss":"x","iat":{{"eq":-1,"lt":{number}}}}}"#));
    let index = filled(rules(500));
    assert_eq!(index.scanned_len(), 500 - 2 * MAX_RULES_PER_ANCHOR, "under the issuer, and under -1");
    let index = filled((0..200).map(|number| format!(r#"{{"iss":"x","iat":{{"gt":{number}}}}}"#)));
    assert_eq!(index.scanned_len(), 200 - MAX_RULES_PER_ANCHOR);
    assert!(hit(&index, r#"{"iss":"x","iat":1}"#).is_some());
    assert!(hit(&index, r#"{"iss":"y","iat":1}"#).is_none());
}

#[test]
fn rules_without_an_equality_are_limited_in_number_and_in_conditions() {
    let wide = |number: usize| {
        let others: Vec<_> = (0..24).map(|other| format!(r#""c{other}":{{"ne":{number}}}"#)).collect();
        format!(r#"{{"iat":{{"lt":{number}}},{}}}"#, others.join(","))
    };
    let mut index = filled((0..MAX_SCANNED_CONDITIONS / 25).map(wide));
    assert_eq!(index.add(entry(r#"{"a":{"lt":1}}"#, 0)), Err(InsertError::TooManyScannedConditions));
    assert_eq!(index.add(entry(r#"{"a":1,"b":{"lt":1}}"#, 0)), Ok(()), "it has an equality");
    assert!(index.remove(entry(&wide(0), 0).rule.canonical()));
    assert_eq!(index.add(entry(r#"{"a":{"lt":1}}"#, 0)), Ok(()));

    let mut index = filled((0..MAX_SCANNED_RULES).map(|number| format!(r#"{{"iat":{{"lt":{number}}}}}"#)));
    assert_eq!(index.admits(&entry(r#"{"a":{"lt":1}}"#, 0).rule), Err(InsertError::TooManyScannedRules));
    assert_eq!(index.add(entry(r#"{"a":{"lt":1}}"#, 0)), Err(InsertError::TooManyScannedRules));
    assert_eq!(index.len(), MAX_SCANNED_RULES);
}

#[test]
fn regular_expressions_are_limited_under_equalities_too() {
    let mut index =
        filled((0..MAX_BACKTRACKING_PATTERNS).map(|number| format!(r#"{{"a":{{"regex":"(?={number})"}}}}"#)));
    let more = entry(r#"{"a":{"eq":1,"regex":"(?=x)"}}"#, 0);
    assert_eq!(index.add(more.clone()), Err(InsertError::TooManyBacktrackingPatterns));
    for number in MAX_BACKTRACKING_PATTERNS..MAX_PATTERNS {
        assert_eq!(index.add(entry(&format!(r#"{{"a":{{"eq":1,"regex":"{number}"}}}}"#), 0)), Ok(()));
    }
    assert_eq!(index.add(entry(r#"{"a":{"regex":"x"}}"#, 0)), Err(InsertError::TooManyPatterns));
    assert!(index.remove(r#"{"a":{"regex":"(?=3)"}}"#));
    assert_eq!(index.add(more), Ok(()));
    let again = entry(r#"{"a":{"regex":"(?=3)"}}"#, 0);
    assert_eq!(index.add(again), Err(InsertError::TooManyPatterns), "one left, and one came");
    assert!(index.remove(
        entry(&format!(r#"{{"a":{{"eq":1,"regex":"{MAX_BACKTRACKING_PATTERNS}"}}}}"#), 0).rule.canonical()
    ));
    let again = entry(r#"{"a":{"regex":"(?=3)"}}"#, 0);
    assert_eq!(index.add(again), Err(InsertError::TooManyBacktrackingPatterns));
}

#[test]
fn paths_lead_to_rules_up_to_a_number_and_are_scanned_beyond() {
    let index = filled((0..MAX_ANCHOR_PATHS + 10).map(|number| format!(r#"{{"a.b[{number}]":{number}}}"#)));
    assert_eq!(index.scanned_len(), 10);
    let items: Vec<_> =
        (0..MAX_ANCHOR_PATHS + 10).map(|item| if item % 30 == 29 { item } else { 9999 }).collect();
    assert!(hit(&index, &format!(r#"{{"a":{{"b":{items:?}}}}}"#)).is_some());
    assert_eq!(hit(&index, r#"{"a":{"b":[1,2,3]}}"#), None);
    assert_eq!(
        hit(&index, r#"{"a.b[2]":2}"#).as_deref(),
        Some(r#"{"a.b[2]":2}"#),
        "a name before it is a path"
    );
}

#[test]
fn a_rule_that_can_hit_nothing_costs_nothing() {
    let index = filled([r#"{"_or":true}"#.to_owned(), r#"{"a":{"lt":1},"b":{"_or":true}}"#.to_owned()]);
    assert_eq!((index.len(), index.scanned_len()), (2, 0));
    assert_eq!(hit(&index, r#"{"a":0,"b":1}"#), None);
}

#[test]
fn a_rule_that_is_removed_takes_no_other_out_of_reach() {
    for field in ["a", "p.q"] {
        let kept = format!(r#"{{"{field}":1}}"#);
        // Found under `b`, which is rarer.
        let other = format!(r#"{{"{field}":1,"b":2}}"#);
        let mut index = filled([kept.clone(), other.clone()]);
        assert!(index.remove(entry(&other, 0).rule.canonical()));
        let claims = if field == "a" { kept.as_str() } else { r#"{"p":{"q":1}}"# };
        assert_eq!(hit(&index, claims).as_ref(), Some(&kept));
        assert_eq!(hit(&index, r#"{"b":2}"#), None);
        // Found under the same field.
        let other = format!(r#"{{"{field}":2}}"#);
        index.add(entry(&other, 0)).expect("room");
        assert!(index.remove(&other));
        assert_eq!(hit(&index, claims).as_ref(), Some(&kept));
    }
}

#[test]
fn what_was_removed_leaves_nothing_behind() {
    let json = |number: usize| match number % 4 {
        0 => format!(r#"{{"f{number}":"x","iat":{{"lt":1}}}}"#),
        1 => format!(r#"{{"_or":true,"a":"x{number}","p.q":{number}}}"#),
        2 => format!(r#"{{"iat":{{"lt":{number}}}}}"#),
        _ => format!(r#"{{"s":{{"regex":"x{number}","eq":"y"}}}}"#),
    };
    let mut index = Index::default();
    for round in 0..3_i64 {
        for number in 0..400 {
            index.add(entry(&json(number), 100 + round)).expect("room");
        }
        assert_eq!(index.len(), 400);
        assert_eq!(index.slots.len(), 400, "places are used again");
        for number in 0..200 {
            assert!(index.remove(entry(&json(number), 0).rule.canonical()));
        }
        index.remove_ended(99 + round, usize::MAX);
        assert_eq!(index.len(), 200);
        index.remove_ended(100 + round, usize::MAX);
        assert_eq!((index.len(), index.scanned_len()), (0, 0));
        assert_eq!((index.weight, index.scanned_weight), (Weight::default(), Weight::default()));
        assert!(index.ends.is_empty() && index.fields.is_empty());
        assert!(index.by_text.is_empty() && index.by_value.is_empty());
    }
}

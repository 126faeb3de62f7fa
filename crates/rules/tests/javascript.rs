//! Rules answer as a JavaScript engine does: the expected values come from node (`data/generate.mjs`).

#![expect(clippy::expect_used, clippy::panic, reason = "a test's helpers fail by panicking")]

use rules::{Claims, Rule};
use serde::Deserialize;

#[derive(Deserialize)]
struct Comparison {
    claim: Option<String>,
    operand: String,
    hits: Vec<String>,
}

#[derive(Deserialize)]
struct Grouping {
    rule: String,
    payload: String,
    hit: bool,
}

fn claims(json: &str) -> Claims {
    serde_json::from_str(json).expect("a JSON object")
}

fn rule(json: &str) -> Rule {
    Rule::parse(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

#[test]
fn every_comparison_answers_as_javascript_does() {
    let table: Vec<Comparison> =
        serde_json::from_str(include_str!("data/comparisons.json")).expect("the table");
    let mut differences = Vec::new();
    for Comparison { claim, operand, hits } in &table {
        let claims = claim.as_ref().map_or_else(Claims::new, |claim| claims(&format!(r#"{{"f":{claim}}}"#)));
        for operator in ["eq", "ne", "gt", "gte", "lt", "lte"] {
            let rule = rule(&format!(r#"{{"f":{{"{operator}":{operand}}}}}"#));
            if rule.matches(&claims) != hits.iter().any(|hit| hit == operator) {
                differences.push(format!("{claim:?} {operator} {operand}"));
            }
        }
        let bare = rule(&format!(r#"{{"f":{operand}}}"#));
        assert_eq!(
            bare.matches(&claims),
            hits.iter().any(|hit| hit == "eq"),
            "a bare value is eq: {claim:?} {operand}"
        );
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(table.len() >= 60);
}

#[test]
fn groups_and_paths_answer_as_javascript_does() {
    let table: Vec<Grouping> = serde_json::from_str(include_str!("data/groups.json")).expect("the table");
    let differences: Vec<_> = table
        .iter()
        .filter(|case| rule(&case.rule).matches(&claims(&case.payload)) != case.hit)
        .map(|case| format!("{} on {}: node says {}", case.rule, case.payload, case.hit))
        .collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

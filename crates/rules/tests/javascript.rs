//! Rules answer as a JavaScript engine does: the expected values come from node (`data/generate.mjs`, `data/random.mjs`).

#![expect(clippy::expect_used, clippy::panic, reason = "a test's helpers fail by panicking")]

use rules::{Claims, ExpireAt, PatternError, Rule, RuleEntry, RuleError, RuleSet};
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

#[derive(Deserialize)]
struct Texts {
    claims: Vec<Option<String>>,
    rows: Vec<TextRow>,
}

#[derive(Deserialize)]
struct TextRow {
    operator: String,
    operand: String,
    /// Places in the claims; `None` where JavaScript throws.
    hits: Option<Vec<usize>>,
}

#[derive(Deserialize)]
struct Patterns {
    texts: Vec<String>,
    patterns: Vec<(String, Option<Vec<usize>>)>,
}

#[derive(Deserialize)]
struct Matrix {
    payloads: Vec<String>,
    rows: Vec<MatrixRow>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum MatrixRow {
    /// A rule, and the payloads that it hits as bits in hexadecimal digits.
    Same(String, String),
    /// The same where lodash reads the claim of the whole name alone, and rules what the path leads to as well.
    Either(String, String, String),
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
    // A rule looks at both, where ms-users looks at the name alone.
    assert_eq!(differences, [r#"{"a.b":1} on {"a.b":2,"a":{"b":1}}: node says false"#]);
}

/// What JavaScript takes and this crate refuses, since it cannot be sure of the same answer.
const REFUSED: [&str; 27] = [
    r"\c",
    r"[\c]",
    r"\c1",
    r"\00",
    r"\08",
    r"\1",
    r"\8",
    r"\k",
    r"\k<a>",
    "(?=a)*",
    "(?=a)+b",
    "(?!a)*b",
    "a{99999999999}",
    "(?<=a+)b",
    r"(?!(a)b)\1",
    r"(?<=(a))\1",
    r"(a)?\1",
    r"(a)?\1b",
    r"(?:(a)|b)\1",
    r"\1(a)",
    r"(a\1)",
    r"(a)|\1b",
    r"(a)\2",
    r"(?:(a)|(b))+\1",
    r"(a){0}\1",
    r"(a)\10",
    r"(a)(?<=\1)",
];

#[test]
fn texts_and_patterns_answer_as_javascript_does() {
    let Texts { claims: all, rows } =
        serde_json::from_str(include_str!("data/texts.json")).expect("the table");
    let all: Vec<Claims> = all
        .into_iter()
        .map(|claim| claim.map_or_else(Claims::new, |claim| claims(&format!(r#"{{"f":{claim}}}"#))))
        .collect();
    let mut refused = Vec::new();
    let mut differences = Vec::new();
    for TextRow { operator, operand, hits } in &rows {
        match (Rule::parse(&format!(r#"{{"f":{{"{operator}":{operand}}}}}"#)), hits) {
            (Ok(rule), Some(hits)) => {
                let ours: Vec<usize> = (0..all.len()).filter(|place| rule.matches(&all[*place])).collect();
                if ours != *hits {
                    differences.push(format!("{operator} {operand}: {ours:?} instead of {hits:?}"));
                }
            }
            (Err(RuleError::Pattern { .. }), None) => {}
            (Err(RuleError::Pattern { .. }), Some(_)) => {
                refused.push(serde_json::from_str::<String>(operand).expect("a pattern"));
            }
            (ours, hits) => differences.push(format!("{operator} {operand}: {ours:?} instead of {hits:?}")),
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(refused, REFUSED);
    assert!(rows.len() >= 80);
}

#[test]
fn odd_patterns_answer_as_javascript_does_or_are_refused() {
    let Patterns { texts, patterns } =
        serde_json::from_str(include_str!("data/patterns.json")).expect("the table");
    let mut answered = 0;
    let mut differences = Vec::new();
    for (pattern, hits) in &patterns {
        let json = serde_json::json!({"f": {"regex": pattern}}).to_string();
        match (Rule::parse(&json), hits) {
            (Ok(rule), Some(hits)) => {
                answered += 1;
                let holds =
                    |text: &String| rule.matches(&claims(&serde_json::json!({"f": text}).to_string()));
                let ours: Vec<usize> = (0..texts.len()).filter(|place| holds(&texts[*place])).collect();
                if ours != *hits {
                    differences.push(format!("{pattern}: {ours:?} instead of {hits:?}"));
                }
            }
            (Ok(_), None) => differences.push(format!("{pattern} is no regular expression")),
            (Err(RuleError::Pattern { error, .. }), Some(_)) if is_choice(&error) => {}
            (Err(RuleError::Pattern { .. }), None) => {}
            (Err(error), _) => differences.push(format!("{pattern}: {error}")),
        }
    }
    assert!(differences.is_empty(), "{} of {answered}: {differences:#?}", differences.len());
    assert!(answered * 5 > patterns.len() * 2, "{answered} of {} were answered", patterns.len());
}

/// Whether this crate refuses what JavaScript would take.
fn is_choice(error: &PatternError) -> bool {
    matches!(
        error,
        PatternError::UnsupportedEscape { .. }
            | PatternError::UnsupportedBackReference { .. }
            | PatternError::RepeatedLookahead { .. }
            | PatternError::Unsupported
    )
}

/// The payloads that a rule hits, by the rule alone and by one of many rules, as bits in hexadecimal digits.
fn hits(rule: &Rule, payloads: &[Claims]) -> String {
    let mut set = RuleSet::default();
    let fill = |number| Rule::parse(&format!(r#"{{"fill":{number}}}"#)).expect("a rule");
    for rule in (0..20).map(fill).chain([rule.clone()]) {
        assert_eq!(set.insert(RuleEntry { rule, expire_at: ExpireAt::Never }), Ok(()));
    }
    let bit = |payload: &Claims| {
        let hit = rule.matches(payload);
        assert_eq!(set.matches(payload, 0), hit, "{} among many", rule.canonical());
        u32::from(hit)
    };
    let digit = |payloads: &[Claims]| {
        let digit = payloads.iter().fold(0, |digit, payload| digit * 2 + bit(payload));
        char::from_digit(digit, 16).expect("four bits")
    };
    payloads.chunks(4).map(digit).collect()
}

#[test]
fn a_thousand_rules_with_the_paths_that_lodash_reads_answer_as_javascript_does() {
    let Matrix { payloads, rows } =
        serde_json::from_str(include_str!("data/random.json")).expect("the table");
    let payloads: Vec<Claims> = payloads.iter().map(|payload| claims(payload)).collect();
    let mut differences = Vec::new();
    let (mut telling, mut by_either) = (0, 0);
    for row in &rows {
        let (text, theirs, expected) = match row {
            MatrixRow::Same(text, hits) => (text, hits, hits),
            MatrixRow::Either(text, theirs, ours) => (text, theirs, ours),
        };
        let ours = hits(&rule(text), &payloads);
        if ours != *expected {
            differences.push(format!("{text}: {ours} instead of {expected}"));
        }
        let [fewer, more] =
            [theirs, expected].map(|digits| u64::from_str_radix(digits, 16).expect("64 bits"));
        assert_eq!(fewer & !more, 0, "{text}: what lodash alone finds is hit here too");
        telling += usize::from(more != 0 && more != u64::MAX);
        by_either += usize::from(fewer != more);
    }
    assert!(differences.is_empty(), "{} of {}: {differences:#?}", differences.len(), rows.len());
    assert!(rows.len() >= 1_000 && payloads.len() == 64 && telling >= 300, "{telling}");
    assert!(by_either <= 10, "{by_either}");
}

use std::time::{Duration, Instant};

use super::*;
use crate::Claims;
use crate::limits::{MAX_PATTERN_ATOMS, MAX_PATTERN_DEPTH};

fn pattern(source: &str) -> Pattern {
    Pattern::new(source).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn found(source: &str, text: &str) -> bool {
    pattern(source).is_found(text, &Payload::new(&Claims::new()))
}

#[test]
fn a_fault_is_told_with_its_place() {
    for (source, error) in [
        ("a**", PatternError::NothingToRepeat { at: 2 }),
        ("😀+|?", PatternError::NothingToRepeat { at: 4 }),
        ("a{2,1}", PatternError::OutOfOrder { at: 1 }),
        ("x[b-a]", PatternError::OutOfOrder { at: 2 }),
        ("a(b", PatternError::Unbalanced { at: 1 }),
        ("ab)", PatternError::Unbalanced { at: 2 }),
        ("a[b", PatternError::Unbalanced { at: 1 }),
        ("a\\", PatternError::TrailingBackslash),
        ("(?i)a", PatternError::UnknownGroup { at: 0 }),
        ("(?<n>a)(?<n>b)", PatternError::UnknownGroup { at: 7 }),
        ("(?<>a)", PatternError::UnknownGroup { at: 0 }),
        ("(?:){2001}", PatternError::TooCostly),
        ("a\\07", PatternError::UnsupportedEscape { at: 1 }),
        ("(a)?\\1", PatternError::UnsupportedBackReference { at: 4 }),
        ("(?!(a))b\\1", PatternError::UnsupportedBackReference { at: 8 }),
        ("(?=a)+", PatternError::RepeatedLookahead { at: 0 }),
        ("(?<=a+)b", PatternError::Unsupported),
    ] {
        assert_eq!(Pattern::new(source).expect_err(source), error, "{source}");
    }
}

#[test]
fn most_patterns_need_no_backtracking() {
    for (source, backtracking) in [
        ("^a.*b$", false),
        ("(a|b)+(?<name>c)", false),
        (r"\bword\b", false),
        (r"\Bword", true),
        (r"(a)\1", true),
        ("a(?=b)", true),
        ("(?<!a)b", true),
    ] {
        assert_eq!(pattern(source).is_backtracking(), backtracking, "{source}");
    }
}

#[test]
fn a_pattern_has_limits() {
    let long = "a".repeat(MAX_PATTERN_BYTES + 1);
    assert_eq!(Pattern::new(&long).expect_err("too long"), PatternError::TooLong { len: long.len() });

    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Pattern::new(&nested(MAX_PATTERN_DEPTH)).is_ok());
    assert_eq!(Pattern::new(&nested(MAX_PATTERN_DEPTH + 1)).expect_err("too deep"), PatternError::TooDeep);

    assert!(Pattern::new(&format!("a{{{MAX_PATTERN_ATOMS}}}")).is_ok());
    for costly in
        ["(?:aa{1000}){2}", "((a{100}){100}){100}", "(?=(?:a{1000}){1000})", "a{4000000000}", "[^a]{2000}"]
    {
        assert_eq!(Pattern::new(costly).expect_err(costly), PatternError::TooCostly, "{costly}");
    }
}

#[test]
fn backtracking_that_does_not_end_counts_as_found() {
    let text = "a".repeat(MAX_BACKTRACKED_BYTES - 1);
    assert!(found(r"^(?:a|(?=a)a)+b", &text), "tried 2^1000 ways");
    assert!(!found(r"^(?=a)b", &text));
    assert!(!found(r"^(?=a)b", &"a".repeat(MAX_BACKTRACKED_BYTES)), "the longest that is looked at");
    assert!(found(r"^(?=a)b", &"a".repeat(MAX_BACKTRACKED_BYTES + 1)), "too long to look at");
    assert!(!found(r"^ab", &"a".repeat(1_000_000)), "no backtracking, no limit");
}

#[test]
fn the_work_of_one_match_is_limited() {
    let claims = Claims::new();
    let payload = Payload::new(&claims);
    let (pattern, text) = (pattern("ab{99}c"), "a".repeat(10_000));
    let first_found = (0..100).find(|_| pattern.is_found(&text, &payload));
    assert_eq!(first_found, Some(49), "a text is a little more than a million steps");
}

/// Bounded, not fast: in release the slowest of these takes 70 ms, in a debug build 30 times that.
#[test]
fn a_text_made_for_the_purpose_does_not_stop_the_server() {
    let mut state = 1_u32;
    let bits: String = (0..MAX_BACKTRACKED_BYTES)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state >> 31 == 0 { '0' } else { '1' }
        })
        .collect();
    for source in [
        "(?=(a+)+b)c",
        r"(?:(a+)\1)+b",
        "(?:(?=a)a|aa)+b",
        "(?=[^b]*b)x",
        "(?=.*b)a",
        "(?:a(?=.*b)|a)*c",
        "(?:a(?=.*b)|a)*(?:a(?=.*b)|a)*c",
        "(?=[01]*1[01]{50}x)1",
        "(?:1(?=[01]*1[01]{50}x)|[01])*x",
        "(?:.(?=.*.*.*x)|.(?!.*.*x))*y",
        "^(?:[01](?=[01]*1[01]{100}x)|[01])*y",
        "1[01]{200}x",
    ] {
        let pattern = pattern(source);
        for text in ["a".repeat(MAX_BACKTRACKED_BYTES), bits.clone()] {
            let begin = Instant::now();
            pattern.is_found(&text, &Payload::new(&Claims::new()));
            let taken = begin.elapsed();
            assert!(taken < Duration::from_secs(30), "{source}: {taken:?}");
        }
    }
}

#[test]
fn a_group_may_be_named_again_behind_a_lookbehind() {
    assert!(found(r"(?<=x)(a)\1", "xaa") && !found(r"(?<=x)(a)\1", "xab"));
}

#[test]
fn a_group_of_a_lookahead_may_be_named_again_where_it_was_found() {
    assert!(found(r"(?=(a))\1b", "ab") && !found(r"(?=(a))\1b", "b"));
}

#[test]
fn groups_beside_each_other_are_not_deep() {
    assert!(found(&"(a)".repeat(2 * MAX_PATTERN_DEPTH), &"a".repeat(2 * MAX_PATTERN_DEPTH)));
}

#[test]
fn two_expressions_are_the_same_if_they_are_written_alike() {
    assert_eq!(pattern("a+"), pattern("a+"));
    assert_ne!(pattern("a+"), pattern("a*"));
}

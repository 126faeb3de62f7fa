//! SECURITY.md and docs/COMPARISON.md name the tests that prove them: each of them is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use integration_tests::process::repository;

/// Words of this length between back quotes, in small letters, are names of tests.
const LEAST: usize = 24;

#[test]
fn every_test_that_a_document_names_as_its_proof_exists() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let text = read("SECURITY.md") + &read("docs/COMPARISON.md");
    let is_test = |word: &&str| {
        word.len() >= LEAST
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let named: BTreeSet<&str> = text.split('`').filter(is_test).collect();
    assert!(named.len() > 30, "{named:?}");
    let mut there = BTreeSet::new();
    for folder in ["agent", "token-server", "crates", "tests"] {
        tests_in(&repository().join(folder), &mut there);
    }
    let missing: Vec<_> = named.iter().filter(|name| !there.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The names of functions that stand right below a `#[test]` or `#[tokio::test..]`, or in a `proptest!`.
fn tests_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            for pair in
                lines.windows(2).filter(|pair| pair[0] == "#[test]" || pair[0].starts_with("#[tokio::test"))
            {
                let name = pair[1].trim_start_matches("async ").trim_start_matches("fn ");
                found.extend(name.split_once('(').map(|(name, _)| name.to_owned()));
            }
        }
    }
}

/// A line of a comparison says something of another project, so each has a test, a figure or a document behind it.
#[test]
fn every_line_of_the_comparison_has_a_source() {
    let text = fs::read_to_string(repository().join("docs/COMPARISON.md")).unwrap();
    let (claims, sources) = text.split_once("\n## Sources\n").unwrap();
    let rows = |text: &str| -> Vec<Vec<String>> {
        let rows = text.lines().filter(|line| {
            line.starts_with("| ") && !line.starts_with("| who") && !line.starts_with("| name")
        });
        rows.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect())
            .collect()
    };
    let sources: BTreeSet<String> = rows(sources).into_iter().map(|cells| cells[0].clone()).collect();
    let claims = rows(claims);
    assert!(claims.len() > 30 && sources.len() > 5, "{claims:?} {sources:?}");
    for cells in &claims {
        let shown = cells.last().unwrap();
        let is_test = shown.split('`').any(|word| word.len() >= LEAST && word.contains('_'));
        let is_figure = shown.contains("](BENCH.md#") || shown.contains("`bench/results.json`");
        let parts: Vec<&str> = shown.split("](#sources)").collect();
        let documents: Vec<&str> =
            parts[..parts.len() - 1].iter().filter_map(|before| before.rsplit('[').next()).collect();
        let is_document = !documents.is_empty();
        assert!(is_test || is_figure || is_document, "no source: {cells:?}");
        for name in documents {
            assert!(sources.contains(name), "no such source: {name}");
        }
    }
    for name in sources {
        assert!(
            claims.iter().any(|cells| cells.last().unwrap().contains(&format!("[{name}](#sources)"))),
            "unused: {name}"
        );
    }
}

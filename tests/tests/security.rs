//! SECURITY.md names the tests that prove it: each of them is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use integration_tests::process::repository;

/// Words of this length between back quotes, in small letters, are names of tests.
const LEAST: usize = 24;

#[test]
fn every_test_that_security_md_names_exists() {
    let text = fs::read_to_string(repository().join("SECURITY.md")).unwrap();
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

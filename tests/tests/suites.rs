//! No test is left out in silence: each file here is part of the program, and what starts a HAProxy is run on each of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use integration_tests::process::repository;

fn suites() -> PathBuf {
    repository().join("tests/tests")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust files below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    entries
        .flat_map(below)
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The modules that a file declares.
fn declared_in(file: &Path) -> BTreeSet<String> {
    let text = read(file);
    let names = text.lines().filter_map(|line| line.trim_start_matches("pub(crate) ").strip_prefix("mod "));
    names.filter_map(|name| name.strip_suffix(';')).map(str::to_owned).collect()
}

#[test]
fn every_file_of_tests_is_a_module_of_the_program() {
    let (root, main) = (suites(), suites().join("main.rs"));
    let files = files_below(&root);
    assert!(files.len() > 40, "{files:?}");
    for file in files.iter().filter(|file| **file != main) {
        let folder = file.parent().unwrap();
        let declares = if folder == root { main.clone() } else { folder.with_extension("rs") };
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(
            declared_in(&declares).contains(name),
            "{} is not compiled: write `mod {name};` in {}",
            file.display(),
            declares.display()
        );
    }
}

#[test]
fn a_suite_that_starts_a_haproxy_is_run_on_each_of_them() {
    /// The harness's modules that start one.
    const STARTERS: [&str; 3] = ["edge", "haproxy", "setup"];
    let script = read(&repository().join("tests/versions.sh"));
    let apart = script.lines().find_map(|line| line.strip_prefix("apart='")?.strip_suffix('\''));
    let apart: Vec<&str> = apart.expect("versions.sh has a list `apart`").split(' ').collect();
    for suite in apart {
        let mut files = vec![suites().join(suite).with_extension("rs")];
        let folder = suites().join(suite);
        if folder.is_dir() {
            files.extend(files_below(&folder));
        }
        for file in files {
            let text = read(&file);
            let used = text.split("integration_tests::").skip(1).filter_map(|rest| rest.split(';').next());
            let mut words = used.flat_map(|used| used.split(|c: char| !c.is_alphanumeric() && c != '_'));
            let starter = words.find(|word| STARTERS.contains(word));
            assert_eq!(starter, None, "{}: versions.sh leaves out what starts a HAProxy", file.display());
        }
    }
}

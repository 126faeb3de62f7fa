//! How the code is cut: no file grows so long that its name no longer tells what is in it.

use std::fs;

use integration_tests::process::repository;

use crate::documents::files;

/// Lines of a Rust file. One that grows longer is two things.
const MAX_LINES: usize = 400;

#[test]
fn no_rust_file_is_longer_than_400_lines() {
    let files: Vec<String> = files().into_iter().filter(|file| file.ends_with(".rs")).collect();
    assert!(files.len() > 600, "{} files", files.len());
    let lines = |file: &str| fs::read_to_string(repository().join(file)).unwrap().lines().count();
    let long: Vec<String> = files
        .iter()
        .map(|file| (file, lines(file)))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(file, lines)| format!("{file}: {lines} lines; split it"))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

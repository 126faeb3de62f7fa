//! Runs each property over its committed inputs, as they are and slightly damaged.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use crate::properties;

/// Bits that are turned in each input, one at a time, spread over its length.
const TURNED_BITS: usize = 24;

/// What an input may weigh: the corpus is for everybody's clone.
const MAX_CORPUS_BYTES: u64 = 300 * 1024;

#[test]
fn every_committed_token_keeps_the_property() {
    run("token", properties::token);
}

#[test]
fn every_committed_header_keeps_the_property() {
    run("header", properties::header);
}

#[test]
fn every_committed_claims_set_keeps_the_property() {
    run("claims", properties::claims);
}

#[test]
fn every_committed_key_source_keeps_the_property() {
    run("key_set", properties::key_set);
}

#[test]
fn every_committed_encrypted_token_keeps_the_property() {
    run("jwe", properties::jwe);
}

#[test]
fn the_corpus_stays_small() {
    let targets = fs::read_dir(corpus()).unwrap().map(|target| target.unwrap().path());
    let sizes: Vec<_> =
        targets.flat_map(|target| files(&target)).map(|(_, input)| input.len() as u64).collect();
    assert!(sizes.len() < 300 && sizes.iter().sum::<u64>() < MAX_CORPUS_BYTES, "{} files", sizes.len());
}

fn run(target: &str, property: fn(&[u8])) {
    let inputs = files(&corpus().join(target));
    assert!(!inputs.is_empty(), "fuzz/corpus/{target} is empty");
    for (path, input) in inputs {
        for damaged in std::iter::once(input.clone()).chain(damaged(&input)) {
            assert!(
                catch_unwind(|| property(&damaged)).is_ok(),
                "{} breaks the property as {:?}",
                path.display(),
                String::from_utf8_lossy(&damaged)
            );
        }
    }
}

/// The input cut in half, and with single bits turned.
fn damaged(input: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let half = input[..input.len() / 2].to_vec();
    let step = input.len().div_ceil(TURNED_BITS).max(1);
    let turned = (0..input.len()).step_by(step).map(|position| {
        let mut damaged = input.to_vec();
        damaged[position] ^= 1 << (position % 8);
        damaged
    });
    std::iter::once(half).chain(turned)
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

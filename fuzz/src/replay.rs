//! Runs a property over the committed inputs of its fuzz target, as they are and slightly damaged.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Bits that are turned in each input, one at a time, spread over its length.
const TURNED_BITS: usize = 24;

/// What the inputs of one target may be: the corpus is for everybody's clone.
const MAX_INPUTS: usize = 100;
const MAX_BYTES: usize = 150 * 1024;

/// Holds the property against every input of `fuzz/corpus/<target>`; `crate_folder` is the caller's.
///
/// # Panics
///
/// An input breaks the property, or there is none.
pub fn replay(crate_folder: &str, target: &str, property: fn(&[u8])) {
    let folder = corpus(Path::new(crate_folder)).join(target);
    let inputs = files(&folder);
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    let bytes: usize = inputs.iter().map(|(_, input)| input.len()).sum();
    assert!(inputs.len() <= MAX_INPUTS && bytes <= MAX_BYTES, "{} inputs, {bytes} bytes", inputs.len());
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

/// The corpus, wherever in the repository the crate is.
fn corpus(crate_folder: &Path) -> PathBuf {
    let found = crate_folder.ancestors().map(|folder| folder.join("fuzz/corpus")).find(|path| path.is_dir());
    found.unwrap_or_else(|| panic!("no fuzz/corpus above {}", crate_folder.display()))
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

//! What a verdict on a token costs above the cryptography in it. `make bench` runs this.
//!
//! Prints a table and writes the file that `BENCH_JOSE_JSON` names (`bench/results-jose.json`). Fails when a verdict costs
//! more above the primitive than the project allows itself. Arguments name the algorithms to measure.

mod encryption;
mod measure;
mod report;
mod signatures;

use std::path::PathBuf;
use std::process::ExitCode;

use integration_tests::process::repository;

fn main() -> ExitCode {
    // Cargo adds an option of its own.
    let wanted: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let signatures = signatures::rows(is_wanted);
    let encryption = encryption::rows(is_wanted);
    let mut is_within = report::print("Signed tokens, all claims judged", &signatures);
    is_within &= report::print("Encrypted tokens, all claims judged", &encryption);

    let path = std::env::var_os("BENCH_JOSE_JSON")
        .map_or_else(|| repository().join("bench/results-jose.json"), PathBuf::from);
    if let Err(error) = report::write(&path, &[("signatures", &signatures), ("encryption", &encryption)]) {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    println!("written to {}", path.display());
    if !is_within {
        eprintln!("more than {} us above the primitive", report::LIMIT);
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

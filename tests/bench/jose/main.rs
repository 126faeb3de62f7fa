//! What a verdict on a token costs above the cryptography in it. `make bench` runs this.
//!
//! Prints a table, says when a verdict costs more above the primitive than the project allows itself, and puts its part into
//! `bench/results.json`. Arguments name the algorithms to measure.

mod encryption;
mod measure;
mod proofs;
mod report;
mod signatures;

use std::process::ExitCode;

use integration_tests::load::results::{path, record};

fn main() -> ExitCode {
    // Cargo adds an option of its own.
    let wanted: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let signatures = signatures::rows(is_wanted);
    let encryption = encryption::rows(is_wanted);
    let proofs = proofs::rows(is_wanted);
    report::print("Signed tokens, all claims validated", &signatures, report::LIMIT);
    report::print("Encrypted tokens, all claims validated", &encryption, report::LIMIT);
    report::print("Proofs of possession beside a known token", &proofs, proofs::LIMIT);
    let figures =
        report::figures(&[("signatures", &signatures), ("encryption", &encryption), ("proofs", &proofs)]);
    if let Err(error) = record("jose", figures) {
        eprintln!("{}: {error}", path().display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

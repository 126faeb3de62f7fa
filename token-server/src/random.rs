//! Names and secrets that cannot be guessed.

/// So many random bytes, in hexadecimal; absent if the system gives none.
pub(crate) fn hex<const BYTES: usize>() -> Option<String> {
    let mut bytes = [0; BYTES];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

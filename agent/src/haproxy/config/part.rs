//! What is written, piece by piece.

/// Some lines and the place where they belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What an operator does with it.
    pub place: String,
    /// What the file is called that holds it.
    pub file: &'static str,
    /// The lines.
    pub text: String,
}

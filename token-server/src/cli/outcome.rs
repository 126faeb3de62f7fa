//! What an operator's command came to, where it could be done.

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// The answer to the question is no.
    No,
}

//! A key of a source, before it is known whether it can be used.

use super::key::DecryptionKey;
use super::skip::DecryptionSkipReason;

/// What became of one key of a source.
pub(super) struct Candidate {
    pub(super) kid: Option<String>,
    pub(super) is_default: bool,
    pub(super) outcome: Result<DecryptionKey, DecryptionSkipReason>,
}

//! Where rules live durably. Only this folder knows how.

mod embedded;
mod error;

pub use embedded::EmbeddedStore;
pub use error::StoreError;

use rules::ExpireAt;

/// A rule as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRule {
    /// Whose tokens it concerns: a subject, or [`EVERYBODY`].
    pub group: String,
    /// The rule's JSON; canonical unless the store was edited by hand.
    pub json: String,
    /// When it ends.
    pub expire_at: ExpireAt,
    /// The revision of the store that its last write made.
    pub revision: u64,
}

/// The group whose rules concern every token.
pub const EVERYBODY: &str = "g";

//! What HAProxy is to be told.

use jose::UnixTime;

use super::super::entry::Key;

/// Commands for HAProxy, to be carried out in the order of these fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Leases that end now.
    pub ended: Vec<String>,
    /// Whether all verdicts are removed.
    pub clear: bool,
    /// Verdicts that are void now, whichever agent wrote them.
    pub voids: Vec<Key>,
    /// Verdicts that are about to be written anew, and of which no other entry may be left.
    pub replaces: Vec<Key>,
    /// Verdicts that are removed.
    pub deletes: Vec<Key>,
    /// Verdicts that are written.
    pub adds: Vec<(Key, String)>,
    /// Leases: name, until when, and whether HAProxy has had one of the name.
    pub leases: Vec<(String, UnixTime, bool)>,
}

impl Batch {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

//! Key bytes that are wiped when they go, and the one way in which decryption fails.

use aws_lc_rs::error::Unspecified;
use zeroize::Zeroizing;

/// Bytes of a key.
pub(super) type Secret = Zeroizing<Vec<u8>>;

/// Decryption failed. It does not say where: what tells a bad padding from a bad tag decrypts tokens for strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Undecryptable;

impl From<Unspecified> for Undecryptable {
    fn from(Unspecified: Unspecified) -> Self {
        Self
    }
}

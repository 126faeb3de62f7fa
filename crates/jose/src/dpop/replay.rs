//! What stands for a proof in a memory of those that were seen.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

use super::target::TargetUri;
use crate::token::hex;

/// Bytes of the SHA-256 that are kept: no accidental collisions, and none that one client could bring about for another,
/// since the key's thumbprint goes in.
const KEY_BYTES: usize = 16;

/// What stands for a proof: a hash of its key's thumbprint, its URI and its `jti` (RFC 9449 section 11.1). Shown as 32
/// hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplayKey([u8; KEY_BYTES]);

impl ReplayKey {
    pub(super) fn of(thumbprint: &[u8], target: &TargetUri, jti: &str) -> Self {
        // A thumbprint has one length and a URI holds no zero byte, so that nothing can be moved from one part to the next.
        let parts = [thumbprint, target.as_str().as_bytes(), &[0], jti.as_bytes()].concat();
        let mut key = [0; KEY_BYTES];
        for (byte, hashed) in key.iter_mut().zip(digest(&SHA256, &parts).as_ref()) {
            *byte = *hashed;
        }
        Self(key)
    }
}

impl fmt::Display for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplayKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(thumbprint: u8, htu: &str, jti: &str) -> ReplayKey {
        ReplayKey::of(&[thumbprint; 32], &TargetUri::parse(htu).unwrap(), jti)
    }

    #[test]
    fn each_part_tells_proofs_apart_and_the_spelling_of_the_uri_does_not() {
        let one = key(1, "https://a.example/x", "j");
        assert_eq!(one, key(1, "HTTPS://A.example:443/x?q#f", "j"));
        assert_eq!(one.to_string().len(), 32);
        for other in [
            key(2, "https://a.example/x", "j"),
            key(1, "https://a.example/xj", ""),
            key(1, "https://a.example/", "xj"),
            key(1, "https://a.example/x", "J"),
            key(1, "http://a.example/x", "j"),
        ] {
            assert_ne!(one, other);
        }
    }
}

//! The outer shape of a compact token.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// What a text may be, judged by its number of dot-separated parts (RFC 7516 section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenForm {
    /// Three parts: signed (RFC 7515 section 7.1).
    Jws,
    /// Five parts: encrypted (RFC 7516 section 7.1).
    Jwe,
    /// No compact JOSE token.
    Other,
}

impl TokenForm {
    /// Counts the parts and looks no further.
    pub fn of(token: &str) -> Self {
        // Six parts tell as much as a million.
        match token.split('.').take(6).count() {
            3 => Self::Jws,
            5 => Self::Jwe,
            _ => Self::Other,
        }
    }
}

/// Bytes of the SHA-256 that a fingerprint keeps: no accidental collisions, half the length in logs.
const FINGERPRINT_BYTES: usize = 16;

/// The SHA-256 of a token: what stands for it where the token itself must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; SHA256_OUTPUT_LEN]);

impl TokenHash {
    /// Hashes a token.
    pub fn of(token: &str) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }

    /// All of it.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A stable name of the token for logs and tables, from which the token cannot be had: the first 16 bytes, in
    /// hexadecimal.
    pub fn fingerprint(&self) -> String {
        self.0.iter().take(FINGERPRINT_BYTES).fold(
            String::with_capacity(2 * FINGERPRINT_BYTES),
            |mut hex, byte| {
                // Writing to a String cannot fail.
                write!(hex, "{byte:02x}").ok();
                hex
            },
        )
    }
}

/// The [`TokenHash::fingerprint`] of a token.
pub fn fingerprint(token: &str) -> String {
    TokenHash::of(token).fingerprint()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_number_of_parts() {
        for (token, form) in [
            ("a.b.c", TokenForm::Jws),
            ("..", TokenForm::Jws),
            ("a.b.c.d.e", TokenForm::Jwe),
            ("", TokenForm::Other),
            ("a", TokenForm::Other),
            ("a.b", TokenForm::Other),
            ("a.b.c.d", TokenForm::Other),
            ("a.b.c.d.e.f", TokenForm::Other),
        ] {
            assert_eq!(TokenForm::of(token), form, "{token:?}");
        }
        assert_eq!(TokenForm::of(&".".repeat(1_000_000)), TokenForm::Other);
    }

    #[test]
    fn the_fingerprint_is_the_beginning_of_a_sha256() {
        assert_eq!(fingerprint("abc"), "ba7816bf8f01cfea414140de5dae2223");
        assert_ne!(fingerprint("abd"), fingerprint("abc"));
    }
}

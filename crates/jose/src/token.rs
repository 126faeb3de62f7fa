//! The outer shape of a compact token.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

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

/// The third part of a signed token, in both forms that verifiers want.
pub(crate) struct Signature<'a> {
    /// As it stands in the token.
    pub(crate) encoded: &'a str,
    /// Decoded.
    pub(crate) bytes: Vec<u8>,
}

/// Bytes of the SHA-256 that [`fingerprint`] keeps: no accidental collisions, half the length in logs.
const FINGERPRINT_BYTES: usize = 16;

/// A stable name of the token for logs and tables, from which the token cannot be had: the first 16 bytes of its
/// SHA-256, in hexadecimal.
pub fn fingerprint(token: &str) -> String {
    let hash = digest(&SHA256, token.as_bytes());
    hash.as_ref().iter().take(FINGERPRINT_BYTES).fold(
        String::with_capacity(2 * FINGERPRINT_BYTES),
        |mut hex, byte| {
            // Writing to a String cannot fail.
            write!(hex, "{byte:02x}").ok();
            hex
        },
    )
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

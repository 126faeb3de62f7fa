//! The outer shape of a compact token.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

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

/// Bytes of an opaque token that is asked about: none that cannot be guessed is shorter, and no server issues longer ones.
const OPAQUE_BYTES: RangeInclusive<usize> = 16..=4096;

/// Whether a text may be an opaque access token, which only those can judge who know it: fewer than two dots, so that it is
/// no compact JOSE token, and a `token68` (RFC 9110 section 11.2) of 16 to 4096 bytes.
pub fn may_be_opaque(token: &str) -> bool {
    let text = token.trim_end_matches('=');
    OPAQUE_BYTES.contains(&token.len())
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
        && text.bytes().filter(|byte| *byte == b'.').count() < 2
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

    #[test]
    fn an_opaque_token_is_a_token68_of_fewer_than_three_parts() {
        let long = "x".repeat(4096);
        for (token, expected) in [
            ("0123456789abcdef", true),
            ("ya29.0123456789-_~+/", true),
            ("0123456789abcd==", true),
            (long.as_str(), true),
            ("", false),
            ("0123456789abcde", false),
            ("================", false),
            ("0123456789a=bcdef", false),
            ("0123456789abc.d.e", false),
            ("a.b.c.d.0123456789", false),
            ("0123456789 abcdef", false),
            ("0123456789abcdef\n", false),
            ("0123456789abcdef,", false),
            ("0123456789abcdé", false),
            ("0123456789abc%20", false),
        ] {
            assert_eq!(may_be_opaque(token), expected, "{token:?}");
        }
        assert!(!may_be_opaque(&"x".repeat(4097)));
    }
}

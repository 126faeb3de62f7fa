//! The outer shape of a compact token.

use std::ops::RangeInclusive;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// What a text may be, judged by its number of dot-separated parts (RFC 7516 section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenForm {
    /// Three parts: signed (RFC 7515 section 7.1).
    Jws,
    /// Five parts: encrypted (RFC 7516 section 7.1).
    Jwe,
    /// One or two parts that an opaque token may have: its issuer alone knows what it means. [`OPAQUE_BYTES`] of the characters
    /// of `token68` (RFC 7235 section 2.1).
    Opaque,
    /// No token that could be understood.
    Other,
}

/// The lengths of an opaque token: a shorter one could be guessed, and no issuer makes longer ones.
pub const OPAQUE_BYTES: RangeInclusive<usize> = 16..=4096;

impl TokenForm {
    /// Counts the parts, and looks further only where one or two may be an opaque token.
    pub fn of(token: &str) -> Self {
        // Six parts tell as much as a million.
        match token.split('.').take(6).count() {
            1 | 2 if is_opaque(token) => Self::Opaque,
            3 => Self::Jws,
            5 => Self::Jwe,
            _ => Self::Other,
        }
    }
}

fn is_opaque(token: &str) -> bool {
    let is_token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let letters = token.trim_end_matches('=');
    OPAQUE_BYTES.contains(&token.len()) && !letters.is_empty() && letters.bytes().all(is_token68)
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

    /// The hash that 64 hexadecimal digits write, as `sha256sum` prints them; `None` for any other text.
    pub fn from_hex(digits: &str) -> Option<Self> {
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
        let bytes = pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?));
        bytes.collect::<Option<Vec<u8>>>()?.try_into().ok().map(Self)
    }

    /// All of it in hexadecimal, as [`from_hex`](Self::from_hex) reads it.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// All of it.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A stable name of the token for logs and tables, from which the token cannot be had: the first 16 bytes, in
    /// hexadecimal.
    pub fn fingerprint(&self) -> String {
        hex(self.0.get(..FINGERPRINT_BYTES).unwrap_or_default())
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    // A formatter takes longer than all else that is done with a name of 16 bytes.
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    let mut hex = String::with_capacity(bytes.len().saturating_mul(2));
    hex.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    hex
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
    fn a_token_may_be_opaque_by_its_length_and_letters() {
        for (token, form) in [
            ("0123456789abcdef".to_owned(), TokenForm::Opaque),
            ("ory_at_0123-_~+/.9abcdef==".to_owned(), TokenForm::Opaque),
            ("t".repeat(4096), TokenForm::Opaque),
            ("0123456789abcde".to_owned(), TokenForm::Other),
            ("t".repeat(4097), TokenForm::Other),
            ("=".repeat(16), TokenForm::Other),
            ("0123456789abc=def".to_owned(), TokenForm::Other),
            ("0123456789 abcdef".to_owned(), TokenForm::Other),
            ("0123456789abcdefé".to_owned(), TokenForm::Other),
            ("0123456789abcdef\n".to_owned(), TokenForm::Other),
            ("0123456789,abcdef".to_owned(), TokenForm::Other),
            ("0123456789.abcdef.0123456789".to_owned(), TokenForm::Jws),
            ("0123456789.abcdef.0.1".to_owned(), TokenForm::Other),
        ] {
            assert_eq!(TokenForm::of(&token), form, "{token}");
        }
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = TokenHash::of("abc");
        assert_eq!(TokenHash::from_hex(&hash.to_hex()), Some(hash));
        assert_eq!(TokenHash::from_hex(&hash.to_hex().to_uppercase()), Some(hash));
        for digits in
            ["", "ba", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66), &format!("+{}", "0".repeat(63))]
        {
            assert_eq!(TokenHash::from_hex(digits), None, "{digits}");
        }
    }

    #[test]
    fn the_fingerprint_is_the_beginning_of_a_sha256() {
        assert_eq!(fingerprint("abc"), "ba7816bf8f01cfea414140de5dae2223");
        assert_ne!(fingerprint("abd"), fingerprint("abc"));
    }
}

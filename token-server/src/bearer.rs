//! Bearer tokens (RFC 6750 section 2.1) that callers of this program show, and those of agents.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use service::secret_file::SecretFile;

/// The bearer tokens of a file.
pub type TokensFile = SecretFile<BearerTokens>;

/// Bytes of the hash that tell a token apart in logs.
const FINGERPRINT_BYTES: usize = 4;

/// A token as its SHA-256: neither memory nor a comparison's duration tells it or its length.
#[derive(Clone)]
pub(crate) struct TokenHash([u8; SHA256_OUTPUT_LEN]);

impl TokenHash {
    pub(crate) fn of(token: &str) -> Self {
        let mut hash = [0; SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(hash)
    }

    /// The token that an `Authorization` header's value shows.
    pub(crate) fn shown(authorization: &str) -> Option<Self> {
        let (scheme, token) = authorization.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| Self::of(token.trim()))
    }

    /// In constant time.
    pub(crate) fn is(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    /// The first 8 hex digits, which `sha256sum` shows too.
    pub(crate) fn fingerprint(&self) -> String {
        self.0.iter().take(FINGERPRINT_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The lines of a tokens file that say something, with their numbers from 1: no blank ones, none that start with `#`.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index.saturating_add(1), line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Whether a token can be sent in a header.
pub(crate) fn is_sendable(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The agents' tokens of a file, which have neither names nor roles.
#[derive(Clone)]
pub struct BearerTokens(Vec<TokenHash>);

/// Why a file gives no tokens.
#[derive(Debug, thiserror::Error)]
pub enum BearerTokensError {
    /// Bytes that are no text.
    #[error("the file is not UTF-8; expected one token a line")]
    NotText,
    /// Only blank lines and comments.
    #[error("the file holds no token; write one a line")]
    Empty,
    /// A token that could never be sent in a header.
    #[error(
        "line {line}: a token is visible ASCII without white space; agents' tokens have no name and no role"
    )]
    Unsendable {
        /// The line, from 1.
        line: usize,
    },
}

impl BearerTokens {
    /// Reads the content of a file: one token a line; blank lines and lines that start with `#` are skipped.
    ///
    /// # Errors
    /// See [`BearerTokensError`]; none of them quotes the file.
    pub fn parse(content: &[u8]) -> Result<Self, BearerTokensError> {
        let text = std::str::from_utf8(content).map_err(|_| BearerTokensError::NotText)?;
        let read = |(line, token)| {
            is_sendable(token).then(|| TokenHash::of(token)).ok_or(BearerTokensError::Unsendable { line })
        };
        let tokens = lines(text).map(read).collect::<Result<Vec<_>, _>>()?;
        if tokens.is_empty() { Err(BearerTokensError::Empty) } else { Ok(Self(tokens)) }
    }

    /// Whether an `Authorization` header's value shows one of the tokens. All of them are compared.
    pub fn accept(&self, authorization: &str) -> bool {
        let Some(shown) = TokenHash::shown(authorization) else { return false };
        self.0.iter().filter(|token| token.is(&shown)).count() > 0
    }
}

impl fmt::Debug for BearerTokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "BearerTokens({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_each_token_of_the_file_and_nothing_else() {
        let tokens = BearerTokens::parse(b"# people\nfirst-token\n\n  second  \r\n").unwrap();
        for (header, accepted) in [
            ("Bearer first-token", true),
            ("bearer second", true),
            ("Bearer  second ", true),
            ("Bearer first", false),
            ("Bearer # people", false),
            ("Bearer ", false),
            ("Bearer", false),
            ("Basic second", false),
            ("second", false),
            ("", false),
        ] {
            assert_eq!(tokens.accept(header), accepted, "{header:?}");
        }
        assert_eq!(format!("{tokens:?}"), "BearerTokens(2)");
    }

    #[test]
    fn a_file_without_tokens_is_an_error_that_quotes_nothing() {
        let no_token =
            "a token is visible ASCII without white space; agents' tokens have no name and no role";
        for (text, error) in [
            ("", "the file holds no token; write one a line".to_owned()),
            ("# only\n\n", "the file holds no token; write one a line".to_owned()),
            ("good\nse cret", format!("line 2: {no_token}")),
            ("anna admin 0123456789abcdef", format!("line 1: {no_token}")),
            ("sécret", format!("line 1: {no_token}")),
        ] {
            assert_eq!(BearerTokens::parse(text.as_bytes()).unwrap_err().to_string(), error);
        }
        assert!(matches!(BearerTokens::parse(b"\xff"), Err(BearerTokensError::NotText)));
    }
}

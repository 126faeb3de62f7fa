//! Bearer tokens (RFC 6750 section 2.1) that callers of this program show.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use service::secret_file::SecretFile;

/// The bearer tokens of a file.
pub type TokensFile = SecretFile<BearerTokens>;

/// The tokens of a file, as hashes: neither memory nor a comparison's duration tells them or their lengths.
#[derive(Clone)]
pub struct BearerTokens {
    hashes: Vec<[u8; SHA256_OUTPUT_LEN]>,
}

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
    #[error("line {line}: a token is visible ASCII without white space")]
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
        let mut hashes = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let token = line.trim();
            if token.is_empty() || token.starts_with('#') {
                continue;
            }
            if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(BearerTokensError::Unsendable { line: index + 1 });
            }
            hashes.push(hash(token));
        }
        if hashes.is_empty() { Err(BearerTokensError::Empty) } else { Ok(Self { hashes }) }
    }

    /// Whether an `Authorization` header's value shows one of the tokens. All of them are compared, each in constant time.
    pub fn accept(&self, authorization: &str) -> bool {
        let Some((scheme, token)) = authorization.split_once(' ') else {
            return false;
        };
        let shown = hash(token.trim());
        let known = self
            .hashes
            .iter()
            .filter(|hash| verify_slices_are_equal(hash.as_slice(), &shown).is_ok())
            .count();
        scheme.eq_ignore_ascii_case("bearer") && known > 0
    }
}

impl fmt::Debug for BearerTokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "BearerTokens({})", self.hashes.len())
    }
}

fn hash(token: &str) -> [u8; SHA256_OUTPUT_LEN] {
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
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
        for (text, error) in [
            ("", "the file holds no token; write one a line"),
            ("# only\n\n", "the file holds no token; write one a line"),
            ("good\nse cret", "line 2: a token is visible ASCII without white space"),
            ("sécret", "line 1: a token is visible ASCII without white space"),
        ] {
            assert_eq!(BearerTokens::parse(text.as_bytes()).unwrap_err().to_string(), error);
        }
        assert!(matches!(BearerTokens::parse(b"\xff"), Err(BearerTokensError::NotText)));
    }
}

//! `TOKEN_SERVER__GLOBAL_REVOCATION__TOKENS_FILE`: who may end all tokens of a user.
//!
//! ```text
//! token issuer     the bearer token of a sender, and the one issuer whose users it may name
//! token            one that may name users of every issuer that is trusted
//! ```

use std::fmt;
use std::sync::Arc;

use service::secret_file::SecretFile;

use crate::bearer::{TokenHash, is_sendable, lines};

/// The senders' tokens of a file.
pub type SendersFile = SecretFile<Senders>;

/// Tokens of a file. Each request is held against all of them.
const MAX_TOKENS: usize = 1_000;

/// Characters of a token. An issuer in its place is found by this, or by what it has in common with URLs.
const MIN_TOKEN: usize = 16;

/// The bearer tokens of a file, as hashes.
#[derive(Clone)]
pub struct Senders(Vec<Sender>);

#[derive(Clone)]
struct Sender {
    hash: TokenHash,
    issuer: Option<Arc<str>>,
    line: usize,
}

/// Who asks: a sender that may speak of one issuer's users, or of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound(pub Option<Arc<str>>);

/// Why a file gives no tokens. Quotes nothing of the file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendersError {
    /// Bytes that are no text.
    #[error("the file is not UTF-8; expected `token issuer` on each line")]
    NotText,
    /// More than are held against each request.
    #[error("the file holds more than {MAX_TOKENS} tokens; leave out those that are not used")]
    TooMany,
    /// Only blank lines and comments.
    #[error("the file holds no token; write `token issuer` on each line")]
    Empty,
    /// Neither one word nor two, or an issuer in the token's place.
    #[error(
        "line {line}: expected `token issuer` in this order, or a token alone; none of them has white space"
    )]
    Form {
        /// The line, from 1.
        line: usize,
    },
    /// A token that could be guessed, or never be sent.
    #[error("line {line}: a token is at least {MIN_TOKEN} characters of visible ASCII")]
    Token {
        /// The line, from 1.
        line: usize,
    },
    /// One token twice: it would be bound to two issuers.
    #[error("line {line}: the token stands on line {first} too; leave one of them out")]
    Same {
        /// The line, from 1.
        line: usize,
        /// The other line.
        first: usize,
    },
}

impl Senders {
    /// Reads the content of a file; blank lines and lines that start with `#` are skipped.
    ///
    /// # Errors
    /// See [`SendersError`].
    pub fn parse(content: &[u8]) -> Result<Self, SendersError> {
        let text = std::str::from_utf8(content).map_err(|_| SendersError::NotText)?;
        let mut senders: Vec<Sender> = Vec::new();
        for (line, text) in lines(text) {
            let sender = Sender::parse(line, text)?;
            if let Some(first) = senders.iter().find(|first| first.hash.is(&sender.hash)) {
                return Err(SendersError::Same { line, first: first.line });
            }
            if senders.len() == MAX_TOKENS {
                return Err(SendersError::TooMany);
            }
            senders.push(sender);
        }
        if senders.is_empty() { Err(SendersError::Empty) } else { Ok(Self(senders)) }
    }

    /// Whose token an `Authorization` header's value shows. All of them are compared.
    pub(crate) fn shown(&self, authorization: &str) -> Option<Bound> {
        let shown = TokenHash::shown(authorization)?;
        self.0.iter().fold(None, |found, sender| {
            if sender.hash.is(&shown) { Some(Bound(sender.issuer.clone())) } else { found }
        })
    }

    /// The issuers that tokens are bound to, with their lines.
    pub(crate) fn issuers(&self) -> impl Iterator<Item = (usize, &str)> {
        self.0.iter().filter_map(|sender| Some((sender.line, sender.issuer.as_deref()?)))
    }
}

impl Sender {
    fn parse(line: usize, text: &str) -> Result<Self, SendersError> {
        let mut words = text.split_whitespace();
        let (token, issuer) = match (words.next(), words.next(), words.next()) {
            (Some(token), issuer, None) => (token, issuer),
            _ => return Err(SendersError::Form { line }),
        };
        if token.contains("://") {
            return Err(SendersError::Form { line });
        }
        if token.len() < MIN_TOKEN || !is_sendable(token) {
            return Err(SendersError::Token { line });
        }
        Ok(Self { hash: TokenHash::of(token), issuer: issuer.map(Arc::from), line })
    }
}

impl fmt::Debug for Senders {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Senders({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_bound_to_one_issuer_or_to_none() {
        let file = "# okta\ntoken-of-okta-123456 https://id.example\n\n  token-of-a-desk-12345 \r\n";
        let senders = Senders::parse(file.as_bytes()).unwrap();
        for (header, found) in [
            ("Bearer token-of-okta-123456", Some(Some("https://id.example"))),
            ("bearer  token-of-a-desk-12345 ", Some(None)),
            ("Bearer token-of-okta-12345", None),
            ("Bearer token-of-okta-123456 https://id.example", None),
            ("Bearer https://id.example", None),
            ("Bearer ", None),
            ("Basic token-of-okta-123456", None),
            ("", None),
        ] {
            let shown = senders.shown(header);
            assert_eq!(shown, found.map(|issuer| Bound(issuer.map(Arc::from))), "{header:?}");
        }
        assert_eq!(senders.issuers().collect::<Vec<_>>(), [(2, "https://id.example")]);
        assert_eq!(format!("{senders:?}"), "Senders(2)");
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named_and_not_quoted() {
        for (text, error) in [
            ("", SendersError::Empty),
            ("# only\n", SendersError::Empty),
            ("secret-secret-secret https://id.example more", SendersError::Form { line: 1 }),
            ("\nhttps://id.example secret-secret-secret", SendersError::Form { line: 2 }),
            ("secret-15-chars", SendersError::Token { line: 1 }),
            ("sécret-sécret-sécret", SendersError::Token { line: 1 }),
            (
                "secret-secret-secret https://a.example\nsecret-secret-secret https://b.example",
                SendersError::Same { line: 2, first: 1 },
            ),
        ] {
            let found = Senders::parse(text.as_bytes()).unwrap_err();
            assert!(!found.to_string().contains("cret-"), "{found}");
            assert_eq!(found, error, "{text}");
        }
        assert_eq!(Senders::parse(b"\xff").unwrap_err(), SendersError::NotText);
        let many: String = (0..=MAX_TOKENS).map(|number| format!("token-of-a-sender-{number}\n")).collect();
        assert_eq!(Senders::parse(many.as_bytes()).unwrap_err(), SendersError::TooMany);
    }
}

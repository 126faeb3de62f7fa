//! The bearer tokens of operators, each with a name and a role.
//!
//! ```text
//! name role token     anna revoke 7Fq..
//! token               an administrator, named by the token's fingerprint: `token 1a2b3c4d`
//! ```

use std::fmt;

use service::secret_file::SecretFile;

use super::{Access, Caller, Kind, Role};
use crate::bearer::{TokenHash, is_sendable, lines};

/// The operators' tokens of a file.
pub type AdminTokensFile = SecretFile<AdminTokens>;

/// Tokens of a file. Each request is held against all of them.
const MAX_TOKENS: usize = 1_000;

/// Characters of a name.
const MAX_NAME: usize = 64;

/// Characters of a token beside a name. A name in the token's place is shorter, so that lines in another order are found before
/// a token stands in logs as a name.
const MIN_TOKEN: usize = 16;

/// The operators' tokens of a file, as hashes.
#[derive(Clone)]
pub struct AdminTokens(Vec<Token>);

#[derive(Clone)]
struct Token {
    hash: TokenHash,
    access: Access,
    line: usize,
}

/// Why a file gives no tokens. Quotes nothing of the file: what stands in a wrong place may be a token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminTokensError {
    /// Bytes that are no text.
    #[error("the file is not UTF-8; expected `name role token` on each line")]
    NotText,
    /// More than are held against each request.
    #[error("the file holds more than {MAX_TOKENS} tokens; leave out those that are not used")]
    TooMany,
    /// Only blank lines and comments.
    #[error("the file holds no token; write `name role token` on each line")]
    Empty,
    /// Neither one word nor three.
    #[error("line {line}: expected `name role token`, or a token alone; none of them has white space")]
    Form {
        /// The line, from 1.
        line: usize,
    },
    /// A name that logs could not show, or that may be a token.
    #[error("line {line}: a name has 1 to {MAX_NAME} characters: letters of ASCII, digits, . _ - + @")]
    Name {
        /// The line, from 1.
        line: usize,
    },
    /// A role that does not exist.
    #[error("line {line}: the second word is no role; write read, revoke or admin there")]
    Role {
        /// The line, from 1.
        line: usize,
    },
    /// A token that could never be sent in a header.
    #[error("line {line}: a token is visible ASCII without white space")]
    Unsendable {
        /// The line, from 1.
        line: usize,
    },
    /// A token that could be guessed, or no token at all.
    #[error(
        "line {line}: the token is shorter than {MIN_TOKEN} characters; write `name role token` in this order, with \
         a random token"
    )]
    Short {
        /// The line, from 1.
        line: usize,
    },
    /// Two tokens of one name: the trail of changes could not tell them apart.
    #[error("line {line}: the name stands on line {first} too; give each token a name of its own")]
    SameName {
        /// The line, from 1.
        line: usize,
        /// The other line.
        first: usize,
    },
    /// One token twice: it would have two names, or two roles.
    #[error("line {line}: the token stands on line {first} too; leave one of them out")]
    SameToken {
        /// The line, from 1.
        line: usize,
        /// The other line.
        first: usize,
    },
}

impl AdminTokens {
    /// Reads the content of a file; blank lines and lines that start with `#` are skipped.
    ///
    /// # Errors
    /// See [`AdminTokensError`].
    pub fn parse(content: &[u8]) -> Result<Self, AdminTokensError> {
        let text = std::str::from_utf8(content).map_err(|_| AdminTokensError::NotText)?;
        let mut tokens: Vec<Token> = Vec::new();
        for (line, text) in lines(text) {
            let token = Token::parse(line, text)?;
            for first in &tokens {
                if first.hash.is(&token.hash) {
                    return Err(AdminTokensError::SameToken { line, first: first.line });
                }
                if first.access.caller.name == token.access.caller.name {
                    return Err(AdminTokensError::SameName { line, first: first.line });
                }
            }
            if tokens.len() == MAX_TOKENS {
                return Err(AdminTokensError::TooMany);
            }
            tokens.push(token);
        }
        if tokens.is_empty() { Err(AdminTokensError::Empty) } else { Ok(Self(tokens)) }
    }

    /// Whose token an `Authorization` header's value shows. All of them are compared.
    pub(crate) fn access(&self, authorization: &str) -> Option<&Access> {
        let shown = TokenHash::shown(authorization)?;
        self.0
            .iter()
            .fold(None, |found, token| if token.hash.is(&shown) { Some(&token.access) } else { found })
    }
}

impl Token {
    fn parse(line: usize, text: &str) -> Result<Self, AdminTokensError> {
        let mut words = text.split_whitespace();
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(token), None, None, None) => {
                if !is_sendable(token) {
                    return Err(AdminTokensError::Unsendable { line });
                }
                let hash = TokenHash::of(token);
                let name = format!("token {}", hash.fingerprint());
                Ok(Self::new(line, hash, name, Role::Admin))
            }
            (Some(name), Some(role), Some(token), None) => {
                if !is_name(name) {
                    return Err(AdminTokensError::Name { line });
                }
                let role = Role::parse(role).ok_or(AdminTokensError::Role { line })?;
                if !is_sendable(token) {
                    return Err(AdminTokensError::Unsendable { line });
                }
                if token.len() < MIN_TOKEN {
                    return Err(AdminTokensError::Short { line });
                }
                Ok(Self::new(line, TokenHash::of(token), name.to_owned(), role))
            }
            _ => Err(AdminTokensError::Form { line }),
        }
    }

    fn new(line: usize, hash: TokenHash, name: String, role: Role) -> Self {
        Self { hash, access: Access { caller: Caller { name, kind: Kind::Token }, role }, line }
    }
}

fn is_name(word: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'@');
    word.len() <= MAX_NAME && word.bytes().all(fits)
}

impl fmt::Debug for AdminTokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "AdminTokens({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "# people\nanna revoke anna-token-of-a-size\n\n  ci@x.example  read\tci-token-of-a-size  \r\nold\n";

    #[test]
    fn a_token_has_a_name_and_a_role_and_a_bare_one_is_an_administrators() {
        let tokens = AdminTokens::parse(FILE.as_bytes()).unwrap();
        for (header, found) in [
            ("Bearer anna-token-of-a-size", Some(("anna", Role::Revoke))),
            ("bearer ci-token-of-a-size", Some(("ci@x.example", Role::Read))),
            // As `printf old | sha256sum` begins.
            ("Bearer  old ", Some(("token cba06b57", Role::Admin))),
            ("Bearer anna", None),
            ("Bearer anna revoke anna-token-of-a-size", None),
            ("Bearer revoke", None),
            ("Bearer # people", None),
            ("Bearer ", None),
            ("Basic old", None),
            ("old", None),
            ("", None),
        ] {
            let access = tokens.access(header);
            let told = access.map(|access| (access.caller.name.as_str(), access.role));
            assert_eq!(told, found, "{header:?}");
            assert!(access.is_none_or(|access| access.caller.kind == Kind::Token));
        }
        assert_eq!(format!("{tokens:?}"), "AdminTokens(3)");
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named_and_not_quoted() {
        for (text, error) in [
            ("", AdminTokensError::Empty),
            ("# only\n\n", AdminTokensError::Empty),
            ("good\nanna secret-secret-secret", AdminTokensError::Form { line: 2 }),
            ("anna read secret-secret-secret too", AdminTokensError::Form { line: 1 }),
            ("anna\u{a0}read\u{a0}secret-secret-secret x", AdminTokensError::Form { line: 1 }),
            ("#\nanna reader secret-secret-secret", AdminTokensError::Role { line: 2 }),
            ("anna READ secret-secret-secret", AdminTokensError::Role { line: 1 }),
            ("anna secret-secret-secret read", AdminTokensError::Role { line: 1 }),
            ("secret-secret-secret admin anna", AdminTokensError::Short { line: 1 }),
            ("anna read 15-characters-", AdminTokensError::Short { line: 1 }),
            ("anna read sécret-sécret-sécret", AdminTokensError::Unsendable { line: 1 }),
            ("sécret", AdminTokensError::Unsendable { line: 1 }),
            ("an/na read secret-secret-secret", AdminTokensError::Name { line: 1 }),
            ("jürgen read secret-secret-secret", AdminTokensError::Name { line: 1 }),
            (
                "anna read secret-secret-one\n\nanna admin secret-secret-two",
                AdminTokensError::SameName { line: 3, first: 1 },
            ),
            (
                "anna read secret-secret-one\nbert admin secret-secret-one",
                AdminTokensError::SameToken { line: 2, first: 1 },
            ),
            (
                "anna read secret-secret-one\nsecret-secret-one",
                AdminTokensError::SameToken { line: 2, first: 1 },
            ),
            ("secret-secret-one\nsecret-secret-one", AdminTokensError::SameToken { line: 2, first: 1 }),
        ] {
            let found = AdminTokens::parse(text.as_bytes()).unwrap_err();
            assert!(!found.to_string().contains("cret-"), "{found}");
            assert_eq!(found, error, "{text}");
        }
        let many: String = (0..=MAX_TOKENS).map(|number| format!("token-{number}\n")).collect();
        assert_eq!(AdminTokens::parse(many.as_bytes()).unwrap_err(), AdminTokensError::TooMany);
        assert_eq!(AdminTokens::parse(b"\xff").unwrap_err(), AdminTokensError::NotText);
        let longest = format!("{} read secret-secret-secret", "n".repeat(MAX_NAME));
        assert!(AdminTokens::parse(longest.as_bytes()).is_ok());
        assert_eq!(
            AdminTokens::parse(format!("n{longest}").as_bytes()).unwrap_err(),
            AdminTokensError::Name { line: 1 }
        );
    }

    #[test]
    fn the_words_of_an_error_name_the_cure() {
        for (text, told) in [
            (
                "anna x secret-secret-secret",
                "line 1: the second word is no role; write read, revoke or admin there",
            ),
            ("a b", "line 1: expected `name role token`, or a token alone; none of them has white space"),
        ] {
            assert_eq!(AdminTokens::parse(text.as_bytes()).unwrap_err().to_string(), told);
        }
    }
}

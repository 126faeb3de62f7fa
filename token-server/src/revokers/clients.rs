//! `TOKEN_SERVER__REVOKE__CLIENTS_FILE`: the clients that may revoke their tokens, and how each proves itself.
//!
//! ```text
//! client_id:sha256(secret)     shop-web:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! ```
//!
//! A client ID may itself hold a `:`, since some are URLs: the hash is what stands behind the last one. It is that of a random secret,
//! as providers make them; a word that can be guessed is found from its hash.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use service::secret_file::SecretFile;

use crate::bearer::lines;

/// The clients of a file.
pub type ClientsFile = SecretFile<Clients>;

/// Clients of a file. Each request is held against all of them.
const MAX_CLIENTS: usize = 1_000;

/// Bytes of a client ID.
const MAX_ID: usize = 512;

/// The clients of a file, with the hashes of their secrets.
#[derive(Clone)]
pub struct Clients(Vec<Client>);

#[derive(Clone)]
struct Client {
    id: Arc<str>,
    secret: [u8; SHA256_OUTPUT_LEN],
    line: usize,
}

/// Why a file gives no clients. Quotes nothing of the file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientsError {
    /// Bytes that are no text.
    #[error("the file is not UTF-8; expected `client_id:sha256(secret)` on each line")]
    NotText,
    /// More than are held against each request.
    #[error("the file holds more than {MAX_CLIENTS} clients; leave out those that are not used")]
    TooMany,
    /// Only blank lines and comments.
    #[error("the file holds no client; write `client_id:sha256(secret)` on each line")]
    Empty,
    /// No client ID.
    #[error(
        "line {line}: expected `client_id:sha256(secret)`; a client ID has 1 to {MAX_ID} bytes and no white space"
    )]
    Form {
        /// The line, from 1.
        line: usize,
    },
    /// What stands behind the last `:` may be a secret.
    #[error(
        "line {line}: behind the last : stand the 64 hex digits of the secret's SHA-256, as `printf %s SECRET | sha256sum` prints them"
    )]
    Hash {
        /// The line, from 1.
        line: usize,
    },
    /// A secret that is none.
    #[error("line {line}: the hash is that of an empty secret; `printf %s SECRET | sha256sum` had none")]
    NoSecret {
        /// The line, from 1.
        line: usize,
    },
    /// One client twice: which secret is its own?
    #[error("line {line}: the client stands on line {first} too; leave one of them out")]
    Same {
        /// The line, from 1.
        line: usize,
        /// The other line.
        first: usize,
    },
}

impl Clients {
    /// Reads the content of a file; blank lines and lines that start with `#` are skipped.
    ///
    /// # Errors
    /// See [`ClientsError`].
    pub fn parse(content: &[u8]) -> Result<Self, ClientsError> {
        let text = std::str::from_utf8(content).map_err(|_| ClientsError::NotText)?;
        let mut clients: Vec<Client> = Vec::new();
        for (line, text) in lines(text) {
            let client = Client::parse(line, text)?;
            if let Some(first) = clients.iter().find(|first| first.id == client.id) {
                return Err(ClientsError::Same { line, first: first.line });
            }
            if clients.len() == MAX_CLIENTS {
                return Err(ClientsError::TooMany);
            }
            clients.push(client);
        }
        if clients.is_empty() { Err(ClientsError::Empty) } else { Ok(Self(clients)) }
    }

    /// The client of this ID, if this is its secret. All of them are compared, so that the duration tells neither.
    pub(crate) fn authenticate(&self, id: &str, secret: &str) -> Option<Arc<str>> {
        let (named, shown) = (sha256(id), sha256(secret));
        self.0.iter().fold(None, |found, client| {
            let is_named = verify_slices_are_equal(&sha256(&client.id), &named).is_ok();
            let is_proven = verify_slices_are_equal(&client.secret, &shown).is_ok();
            if is_named & is_proven { Some(Arc::clone(&client.id)) } else { found }
        })
    }
}

impl Client {
    fn parse(line: usize, text: &str) -> Result<Self, ClientsError> {
        let (id, hash) = text.rsplit_once(':').ok_or(ClientsError::Form { line })?;
        if id.is_empty() || id.len() > MAX_ID || id.contains(char::is_whitespace) {
            return Err(ClientsError::Form { line });
        }
        let secret = hex(hash).ok_or(ClientsError::Hash { line })?;
        if secret == sha256("") {
            return Err(ClientsError::NoSecret { line });
        }
        Ok(Self { id: id.into(), secret, line })
    }
}

fn sha256(text: &str) -> [u8; SHA256_OUTPUT_LEN] {
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

fn hex(text: &str) -> Option<[u8; SHA256_OUTPUT_LEN]> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let bytes = pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?));
    bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

impl fmt::Debug for Clients {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Clients({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `printf %s test | sha256sum` and `printf %s other | sha256sum` print them.
    const TEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    const OTHER: &str = "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa";
    const NONE: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_client_proves_itself_by_its_own_secret_alone() {
        let file =
            format!("# web\nshop:{TEST}\n\n  https://client.example:8443/id:{}  \n", OTHER.to_uppercase());
        let clients = Clients::parse(file.as_bytes()).unwrap();
        for (id, secret, found) in [
            ("shop", "test", Some("shop")),
            ("https://client.example:8443/id", "other", Some("https://client.example:8443/id")),
            ("shop", "other", None),
            ("shop", "", None),
            ("shop", "test ", None),
            ("shop", TEST, None),
            ("Shop", "test", None),
            ("", "test", None),
            ("# web", "test", None),
            ("https", "other", None),
        ] {
            assert_eq!(clients.authenticate(id, secret).as_deref(), found, "{id} {secret}");
        }
        assert_eq!(format!("{clients:?}"), "Clients(2)");
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named_and_not_quoted() {
        for (text, error) in [
            (String::new(), ClientsError::Empty),
            ("# only\n\n".to_owned(), ClientsError::Empty),
            ("shop".to_owned(), ClientsError::Form { line: 1 }),
            (format!("\n:{TEST}"), ClientsError::Form { line: 2 }),
            (format!("shop web:{TEST}"), ClientsError::Form { line: 1 }),
            (format!("{}:{TEST}", "i".repeat(513)), ClientsError::Form { line: 1 }),
            ("shop:plain-secret".to_owned(), ClientsError::Hash { line: 1 }),
            (format!("shop:{TEST}0"), ClientsError::Hash { line: 1 }),
            (format!("shop:{TEST}00"), ClientsError::Hash { line: 1 }),
            (format!("shop:+{}", &TEST[1..]), ClientsError::Hash { line: 1 }),
            (format!("shop: {TEST}"), ClientsError::Hash { line: 1 }),
            (format!("shop:{NONE}"), ClientsError::NoSecret { line: 1 }),
            (format!("shop:{TEST}\n#\nshop:{OTHER}"), ClientsError::Same { line: 3, first: 1 }),
        ] {
            let found = Clients::parse(text.as_bytes()).unwrap_err();
            assert!(!found.to_string().contains("plain-secret"), "{found}");
            assert_eq!(found, error, "{text}");
        }
        assert_eq!(Clients::parse(b"\xff").unwrap_err(), ClientsError::NotText);
        let many: String = (0..=MAX_CLIENTS).map(|number| format!("c{number}:{TEST}\n")).collect();
        assert_eq!(Clients::parse(many.as_bytes()).unwrap_err(), ClientsError::TooMany);
    }
}

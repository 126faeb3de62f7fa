//! What a client asks, and by what it proves itself (RFC 7009 section 2.1, RFC 6749 sections 2.3 and 3.2). Knows no token.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::revokers::Clients;

/// A request to revoke a token. It has secrets, and no Debug.
pub(super) struct Asked {
    /// The token.
    pub(super) token: String,
    /// By what the client proves itself.
    pub(super) shown: Shown,
}

/// By what a client proves itself.
pub(super) enum Shown {
    /// By nothing but the token.
    Token,
    /// By the token; it says who it is.
    Id(String),
    /// By a secret.
    Secret {
        /// Client IDs and secrets: the header can be read in two ways.
        read: Vec<Pair>,
        /// Whether in the header `Authorization`.
        basic: bool,
    },
}

/// A client ID and a secret. It has no Debug.
pub(super) struct Pair {
    id: String,
    secret: String,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Client {
    /// One whose secret was right.
    Known(Arc<str>),
    /// The bearer of the token, and who it says to be.
    Bearer(Option<String>),
}

/// Why nothing is asked that could be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// `invalid_request`
    #[error("{0}")]
    Request(&'static str),
    /// `invalid_client`
    #[error("{why}")]
    Client {
        /// What is wrong with it.
        why: &'static str,
        /// Whether the client used the header `Authorization`.
        basic: bool,
    },
}

impl Asked {
    /// Reads the values of the header `Authorization` and the parameters of the body.
    pub(super) fn read<'a>(
        mut authorizations: impl Iterator<Item = &'a [u8]>,
        parameters: Vec<(String, String)>,
    ) -> Result<Self, Fault> {
        let mut names = HashSet::new();
        if !parameters.iter().all(|(name, _)| names.insert(name)) {
            return Err(Fault::Request("a parameter comes twice"));
        }
        // RFC 6749 section 3.2: without a value it is as if it were not there, and unknown ones are ignored.
        let take = |name| {
            let value = parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value);
            value.filter(|value| !value.is_empty()).cloned()
        };
        let header = match (authorizations.next(), authorizations.next()) {
            (None, _) => None,
            (Some(header), None) => Some(header),
            (Some(_), Some(_)) => return Err(Fault::Request("two Authorization headers")),
        };
        let (id, secret) = (take("client_id"), take("client_secret"));
        if header.is_some() && secret.is_some() {
            return Err(Fault::Request(
                "a client proves itself in one way: by the header or by client_secret",
            ));
        }
        if take("client_assertion").is_some() || take("client_assertion_type").is_some() {
            return Err(Fault::Client {
                why: "client assertions are not accepted here",
                basic: header.is_some(),
            });
        }
        let shown = match (header, id, secret) {
            (Some(header), id, _) => {
                let wrong =
                    Fault::Client { why: "the Authorization header is no client_secret_basic", basic: true };
                let read = basic(header).filter(|read| !read.is_empty()).ok_or(wrong)?;
                if id.is_some_and(|id| read.iter().all(|pair| pair.id != id)) {
                    return Err(Fault::Request("client_id is another client than the header names"));
                }
                Shown::Secret { read, basic: true }
            }
            (None, Some(id), Some(secret)) => Shown::Secret { read: vec![Pair { id, secret }], basic: false },
            (None, None, Some(_)) => return Err(Fault::Request("client_secret without client_id")),
            (None, Some(id), None) => Shown::Id(id),
            (None, None, None) => Shown::Token,
        };
        let token = take("token").ok_or(Fault::Request("the parameter token is missing"))?;
        Ok(Self { token, shown })
    }
}

impl Client {
    /// Who asks, by the clients that are known here; absent: each proves itself by the token.
    pub(super) fn of(shown: Shown, known: Option<&Clients>) -> Result<Self, Fault> {
        match (shown, known) {
            (Shown::Token, None) => Ok(Self::Bearer(None)),
            (Shown::Id(id), None) => Ok(Self::Bearer(Some(id))),
            (Shown::Secret { basic, .. }, None) => Err(Fault::Client {
                why: "no client's secret is known here: TOKEN_SERVER__REVOKE__CLIENTS_FILE is not set",
                basic,
            }),
            (Shown::Token | Shown::Id(_), Some(_)) => {
                Err(Fault::Client { why: "the client does not prove itself", basic: false })
            }
            (Shown::Secret { read, basic }, Some(clients)) => {
                let wrong = Fault::Client { why: "the client or its secret is not known", basic };
                let proven = read.iter().find_map(|Pair { id, secret }| clients.authenticate(id, secret));
                proven.map(Self::Known).ok_or(wrong)
            }
        }
    }

    /// Whether a token that was issued to this client, as far as it says so, is the asker's.
    pub(super) fn owns(&self, issued_to: Option<&str>) -> bool {
        match self {
            Self::Known(id) => issued_to == Some(&**id),
            Self::Bearer(Some(id)) => issued_to == Some(id),
            Self::Bearer(None) => true,
        }
    }
}

/// RFC 6749 section 2.3.1: both are form-urlencoded before they are joined. Some clients forget it, so that what they send is read as it
/// stands too: it has to be right in one way.
fn basic(header: &[u8]) -> Option<Vec<Pair>> {
    let (scheme, pair) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(pair.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let plain = decoded(id).zip(decoded(secret)).map(|(id, secret)| Pair { id, secret });
    let as_it_stands = Pair { id: id.to_owned(), secret: secret.to_owned() };
    Some(plain.into_iter().chain([as_it_stands]).filter(|pair| !pair.id.is_empty()).collect())
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests;

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
    /// Who asks.
    pub(super) client: Client,
}

/// A client that the header `Authorization` has proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proven(Arc<str>);

/// A client ID and a secret. It has no Debug.
struct Pair {
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

const UNKNOWN: &str = "the client or its secret is not known";
const NO_SECRETS: &str = "no client's secret is known here: TOKEN_SERVER__REVOKE__CLIENTS_FILE is not set";

impl Proven {
    /// Judges the values of the header `Authorization`, by the clients that are known here. Absent: there is none, and the client
    /// may prove itself in the body.
    pub(super) fn by_header<'a>(
        mut authorizations: impl Iterator<Item = &'a [u8]>,
        known: Option<&Clients>,
    ) -> Result<Option<Self>, Fault> {
        let header = match (authorizations.next(), authorizations.next()) {
            (None, _) => return Ok(None),
            (Some(header), None) => header,
            (Some(_), Some(_)) => return Err(Fault::Request("two Authorization headers")),
        };
        let wrong = |why| Fault::Client { why, basic: true };
        let read = basic(header).filter(|read| !read.is_empty());
        let read = read.ok_or(wrong("the Authorization header is no client_secret_basic"))?;
        let clients = known.ok_or(wrong(NO_SECRETS))?;
        let proven = read.iter().find_map(|Pair { id, secret }| clients.authenticate(id, secret));
        Ok(Some(Self(proven.ok_or(wrong(UNKNOWN))?)))
    }
}

impl Asked {
    /// Reads the parameters of the body, sent by the client that the header has proven, or else by one that has to prove itself here.
    pub(super) fn read(
        parameters: Vec<(String, String)>,
        proven: Option<Proven>,
        known: Option<&Clients>,
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
        let (id, secret) = (take("client_id"), take("client_secret"));
        if take("client_assertion").is_some() || take("client_assertion_type").is_some() {
            return Err(Fault::Client {
                why: "client assertions are not accepted here",
                basic: proven.is_some(),
            });
        }
        let client = match (proven, id, secret) {
            (Some(_), _, Some(_)) => {
                return Err(Fault::Request(
                    "a client proves itself in one way: by the header or by client_secret",
                ));
            }
            (Some(Proven(client)), Some(id), None) if *client != *id => {
                return Err(Fault::Request("client_id is another client than the header names"));
            }
            (Some(Proven(client)), _, None) => Client::Known(client),
            (None, None, Some(_)) => return Err(Fault::Request("client_secret without client_id")),
            (None, Some(id), Some(secret)) => Client::by_secret(&id, &secret, known)?,
            (None, id, None) => Client::by_token(id, known)?,
        };
        let token = take("token").ok_or(Fault::Request("the parameter token is missing"))?;
        Ok(Self { token, client })
    }
}

impl Client {
    fn by_secret(id: &str, secret: &str, known: Option<&Clients>) -> Result<Self, Fault> {
        let wrong = |why| Fault::Client { why, basic: false };
        let clients = known.ok_or(wrong(NO_SECRETS))?;
        clients.authenticate(id, secret).map(Self::Known).ok_or(wrong(UNKNOWN))
    }

    fn by_token(id: Option<String>, known: Option<&Clients>) -> Result<Self, Fault> {
        match known {
            None => Ok(Self::Bearer(id)),
            Some(_) => Err(Fault::Client { why: "the client does not prove itself", basic: false }),
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

//! The one token of a request, from the places where it may stand. One reader for all programs, so that what one of them
//! takes for a token is a token for the other.
//!
//! A client that could slip in a second token would choose which one is judged here and which one the application reads. So two
//! places may only agree, and each may be there once.

mod found;
mod names;
mod pairs;
mod websocket;

use std::borrow::Cow;

pub(crate) use self::found::trimmed;
use self::found::{Found, Other, is_one};
use crate::{Reject, base64url};

/// A place of a request, with what stands there.
pub enum Place<'a> {
    /// The value of the `Authorization` header: `credentials = auth-scheme 1*SP token68` (RFC 7235 section 2.1).
    Authorization(&'a str),
    /// A value that is a token, with or without a scheme: of a header of another name, or what a proxy took from anywhere.
    Bare(&'a str),
    /// The values of the `Cookie` headers, and the name of the cookie that may hold the token.
    Cookie {
        /// The cookie's name.
        name: &'a str,
        /// All headers: over HTTP/2 each cookie may come in one of its own (RFC 9113 section 8.2.3).
        headers: Vec<&'a str>,
    },
    /// The query, and the name of the parameter that may hold the token.
    Query {
        /// The parameter's name, decoded.
        name: &'a str,
        /// What follows the question mark, as it was sent.
        query: &'a str,
    },
    /// The value of `Sec-WebSocket-Protocol`, the one header that a script can set when it opens a WebSocket: `bearer`
    /// and the token as two members of the list, or the one member
    /// `base64url.bearer.authorization.k8s.io.<base64url(token)>` of Kubernetes.
    WebSocket(&'a str),
}

/// What a request shows.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// This token.
    Token(Cow<'a, str>),
    /// Nothing.
    Missing,
    /// Nothing but credentials of another scheme, such as `Basic`.
    OtherScheme,
}

impl std::fmt::Debug for Credentials<'_> {
    // A token is a secret.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Token(_) => "Token",
            Self::Missing => "Missing",
            Self::OtherScheme => "OtherScheme",
        })
    }
}

impl<'a> Credentials<'a> {
    /// Reads the places in turn. `schemes` are those that stand before a token, letter case apart.
    ///
    /// Another scheme counts as nothing beside a token, unless what follows it may be a token too.
    ///
    /// # Errors
    ///
    /// The first that a place says of itself; [`Reject::Ambiguous`] for two tokens, or a place that is there twice;
    /// [`Reject::Malformed`]; [`Reject::TokenSize`] for a token of more than `max_bytes`; [`Reject::Scheme`] for what may
    /// be a token behind another scheme.
    pub fn read(
        places: impl IntoIterator<Item = Result<Place<'a>, Reject>>,
        schemes: &[String],
        max_bytes: usize,
    ) -> Result<Self, Reject> {
        let (mut token, mut other): (Option<Cow<'a, str>>, Option<Other>) = (None, None);
        for place in places {
            match place?.read(schemes)? {
                Found::Nothing => {}
                Found::Other(found) => other = Some(other.map_or(found, |before| before.max(found))),
                Found::Token(found) => match &token {
                    Some(before) if *before != found => return Err(Reject::Ambiguous),
                    Some(_) => {}
                    None => token = Some(found),
                },
            }
        }
        match (token, other) {
            (Some(_), Some(Other::Resembling)) => Err(Reject::Ambiguous),
            (Some(token), _) if token.len() > max_bytes => Err(Reject::TokenSize),
            (Some(token), _) => Ok(Self::Token(token)),
            (None, Some(Other::Resembling)) => Err(Reject::Scheme),
            (None, Some(Other::Plain)) => Ok(Self::OtherScheme),
            (None, None) => Ok(Self::Missing),
        }
    }

    /// The token, where there must be one.
    ///
    /// # Errors
    ///
    /// [`Reject::Missing`], [`Reject::Scheme`].
    pub fn required(self) -> Result<Cow<'a, str>, Reject> {
        match self {
            Self::Token(token) => Ok(token),
            Self::Missing => Err(Reject::Missing),
            Self::OtherScheme => Err(Reject::Scheme),
        }
    }
}

impl<'a> Place<'a> {
    fn read(self, schemes: &[String]) -> Result<Found<'a>, Reject> {
        match self {
            Self::Authorization(value) => Ok(authorization(value, schemes)),
            Self::Bare(value) => Ok(bare(value, schemes)),
            Self::Cookie { name, headers } => {
                Ok(pairs::in_cookies(&headers, name)?.map_or(Found::Nothing, |value| bare(value, schemes)))
            }
            Self::Query { name, query } => {
                Ok(pairs::in_query(query, name)?.map_or(Found::Nothing, |value| bare(value, schemes)))
            }
            Self::WebSocket(value) => websocket::read(value, schemes),
        }
    }
}

fn authorization<'a>(value: &'a str, schemes: &[String]) -> Found<'a> {
    let value = trimmed(value);
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.is_empty() {
        return Found::Nothing;
    }
    if !is_one(scheme, schemes) {
        return other(value);
    }
    let token = token.trim_start_matches(' ');
    if token.is_empty() { Found::Nothing } else { Found::Token(token.into()) }
}

/// A token that may stand in quotes, as values of cookies may (RFC 6265 section 4.1.1), and behind a scheme, which some
/// libraries then percent-encode with its space.
fn bare<'a>(value: &'a str, schemes: &[String]) -> Found<'a> {
    let value = trimmed(value);
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let value = trimmed(value);
    if value.is_empty() {
        return Found::Nothing;
    }
    for scheme in schemes {
        let Some((start, rest)) = value.split_at_checked(scheme.len()) else { continue };
        if start.eq_ignore_ascii_case(scheme) && (rest.is_empty() || after_space(rest).is_some()) {
            let mut token = rest;
            while let Some(rest) = after_space(token) {
                token = rest;
            }
            return if token.is_empty() { Found::Nothing } else { Found::Token(token.into()) };
        }
    }
    if value.contains(' ') { other(value) } else { Found::Token(value.into()) }
}

fn after_space(text: &str) -> Option<&str> {
    [" ", "%20", "+"].iter().find_map(|space| text.strip_prefix(space))
}

fn other<'a>(value: &str) -> Found<'a> {
    Found::Other(if resembles_a_token(value) { Other::Resembling } else { Other::Plain })
}

/// Whether some run of characters has a dot and, before it, what decodes to the beginning of a JSON object. `Basic`,
/// `Negotiate` and the signatures of cloud APIs never have.
fn resembles_a_token(value: &str) -> bool {
    /// Enough for any white space that stands before the bracket in earnest.
    const MAX_START: usize = 64;
    let is_of_tokens = |letter: char| letter.is_ascii_alphanumeric() || "-_+/=.".contains(letter);
    value.split(|letter| !is_of_tokens(letter)).any(|run| {
        let Some((start, _)) = run.split_once('.') else { return false };
        let start = start.trim_end_matches('=').rsplit('=').next().unwrap_or_default();
        // Whole groups of four letters have no stray bits that some decoders forgive.
        let whole = (start.len() - start.len() % 4).min(MAX_START);
        let decoded = base64url::decode_tolerantly(start.get(..whole).unwrap_or_default());
        decoded.is_ok_and(|bytes| {
            let object = bytes.trim_ascii_start().strip_prefix(b"{");
            let first = object.map(|members| members.trim_ascii_start().first().copied());
            first.is_some_and(|first| matches!(first, None | Some(b'"' | b'}')))
        })
    })
}

#[cfg(test)]
mod tests;

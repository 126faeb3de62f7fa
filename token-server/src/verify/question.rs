//! What a proxy asks about one request, read from its words alone: the token to judge, or why there need be none.

use std::borrow::Cow;

use axum::http::request::Parts;
use axum::http::{Method, header};
use jose::{Credentials, Reject};

use super::proxy::Original;
use super::{Guard, TokenPlace, VerifySettings, token};

/// The longest name of a request that is logged, in bytes: a UUID has 36.
const MAX_REQUEST_ID: usize = 128;

/// A request, as far as it decides anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question<'a> {
    /// It shows this one token.
    Token(Cow<'a, str>),
    /// It shows none, and its policy lets it pass so.
    Missing,
    /// It is a CORS preflight, which its policy lets pass.
    Preflight,
}

impl<'a> Question<'a> {
    /// Reads a request that is asked about under this policy.
    ///
    /// # Errors
    /// It shows no token, more than one, or one that is no text or too long; or the proxy's words are there twice
    /// or name no path of the request.
    pub fn read(parts: &'a Parts, settings: &VerifySettings, guard: &'a Guard) -> Result<Self, Reject> {
        let VerifySettings { proxy, schemes, max_token_bytes, .. } = settings;
        let original = Original::read(parts, *proxy)?;
        if guard.preflight && is_preflight(&original, parts) {
            return Ok(Self::Preflight);
        }
        let reads_query = guard.places.iter().any(TokenPlace::is_told_by_the_proxy);
        let query = if reads_query { original.query()? } else { None };
        match token::find(&parts.headers, query, &guard.places, schemes, *max_token_bytes)? {
            Credentials::Missing | Credentials::OtherScheme if guard.allow_missing => Ok(Self::Missing),
            found => found.required().map(Self::Token),
        }
    }
}

/// By the Fetch standard, section 3.3.5: the method and two headers that scripts cannot set.
fn is_preflight(original: &Original<'_>, parts: &Parts) -> bool {
    original.method == Some(Method::OPTIONS.as_str())
        && parts.headers.contains_key(header::ORIGIN)
        && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// What the logs of others call the request, for ours; it decides nothing.
pub(super) fn request_id(parts: &Parts) -> Option<&str> {
    let name = parts.headers.get("x-request-id")?.to_str().ok()?;
    (1..=MAX_REQUEST_ID).contains(&name.len()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    #[test]
    fn a_name_that_would_fill_the_log_is_none() {
        let named = |name: &[u8]| {
            let request = Request::builder().header("x-request-id", name);
            let parts = request.body(()).unwrap().into_parts().0;
            request_id(&parts).map(str::to_owned)
        };
        assert_eq!(named(b"r1"), Some("r1".to_owned()));
        assert_eq!(named(&[b'r'; MAX_REQUEST_ID]).map(|name| name.len()), Some(MAX_REQUEST_ID));
        for refused in [&[b'r'; MAX_REQUEST_ID + 1][..], b"", b"\xff"] {
            assert_eq!(named(refused), None);
        }
    }
}

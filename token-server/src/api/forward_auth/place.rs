//! The places in which forward-auth looks for the token of a request.

use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use jose::{Credentials, Place, Reject};

/// The most places that one policy may name.
pub const MAX_PLACES: usize = 16;

/// A place that may hold the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// `authorization`: the `Authorization` header, behind a scheme.
    Authorization,
    /// `header:NAME`: a header of another name, with or without a scheme.
    Header(HeaderName),
    /// `cookie:NAME`, with or without a scheme.
    Cookie(String),
    /// `query:NAME`: a parameter of the query, with or without a scheme.
    Query(String),
    /// `websocket`: among the subprotocols in `Sec-WebSocket-Protocol`.
    WebSocket,
}

impl FromStr for TokenPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once(':') {
            None if text == "authorization" => Ok(Self::Authorization),
            None if text == "websocket" => Ok(Self::WebSocket),
            Some(("header", name)) => name.parse().map(Self::Header).map_err(|_| ()),
            // What a cookie is called is what a header may be called (RFC 6265 section 4.1.1), letter case kept.
            Some(("cookie", name)) if name.parse::<HeaderName>().is_ok() => Ok(Self::Cookie(name.to_owned())),
            Some(("query", name)) if !name.is_empty() => Ok(Self::Query(name.to_owned())),
            Some(_) | None => Err(()),
        }
    }
}

impl TokenPlace {
    /// Whether only the proxy can tell what stands there.
    pub fn is_told_by_the_proxy(&self) -> bool {
        matches!(self, Self::Query(_))
    }

    fn read<'a>(
        &'a self,
        headers: &'a HeaderMap,
        query: Option<&'a str>,
    ) -> Result<Option<Place<'a>>, Reject> {
        Ok(match self {
            Self::Authorization => only(headers, &header::AUTHORIZATION)?.map(Place::Authorization),
            Self::Header(name) => only(headers, name)?.map(Place::Bare),
            Self::WebSocket => only(headers, &header::SEC_WEBSOCKET_PROTOCOL)?.map(Place::WebSocket),
            Self::Query(name) => query.map(|query| Place::Query { name, query }),
            Self::Cookie(name) => {
                let headers =
                    headers.get_all(header::COOKIE).iter().map(text).collect::<Result<Vec<_>, _>>()?;
                Some(Place::Cookie { name, headers })
            }
        })
    }
}

/// Finds the token.
///
/// # Errors
///
/// [`Reject::DuplicateHeader`] for a header that is there twice, [`Reject::Malformed`] for one that is no text, and those of
/// [`Credentials::read`].
pub(super) fn find<'a>(
    headers: &'a HeaderMap,
    query: Option<&'a str>,
    places: &'a [TokenPlace],
    schemes: &[String],
    max_bytes: usize,
) -> Result<Credentials<'a>, Reject> {
    let places = places.iter().filter_map(|place| place.read(headers, query).transpose());
    Credentials::read(places, schemes, max_bytes)
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Reject> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Reject::DuplicateHeader),
        (value, _) => value.map(text).transpose(),
    }
}

fn text(value: &HeaderValue) -> Result<&str, Reject> {
    value.to_str().map_err(|_| Reject::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[(&str, &str)], query: Option<&str>, places: &[&str]) -> Result<String, Reject> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let places: Vec<TokenPlace> = places.iter().map(|place| place.parse().unwrap()).collect();
        let found = find(&map, query, &places, &["Bearer".to_owned()], 8)?;
        found.required().map(std::borrow::Cow::into_owned)
    }

    #[test]
    fn finds_the_one_token_or_says_why_there_is_none() {
        const A: (&str, &str) = ("authorization", "Bearer a.b.c");
        const USUAL: &[&str] = &["authorization", "cookie:session", "query:t"];
        const ALL: &[&str] = &["authorization", "header:x-a", "header:X-B", "websocket", "cookie:session"];
        for (places, headers, query, expected) in [
            (USUAL, &[A][..], None, Ok("a.b.c")),
            (USUAL, &[("cookie", "session=a.b.c")], None, Ok("a.b.c")),
            (USUAL, &[("cookie", "x=1"), ("cookie", "session=a.b.c")], None, Ok("a.b.c")),
            (USUAL, &[], Some("x=1&t=a.b.c&y"), Ok("a.b.c")),
            (USUAL, &[A, ("cookie", "session=a.b.c")], Some("t=a.b.c"), Ok("a.b.c")),
            (USUAL, &[("authorization", ""), ("cookie", "session=a.b.c")], None, Ok("a.b.c")),
            (USUAL, &[], None, Err(Reject::Missing)),
            (USUAL, &[("x-a", "a.b.c")], None, Err(Reject::Missing)),
            (USUAL, &[A, A], None, Err(Reject::DuplicateHeader)),
            (USUAL, &[A, ("authorization", "")], None, Err(Reject::DuplicateHeader)),
            (USUAL, &[("authorization", "Basic x")], Some("t=a.b.c"), Ok("a.b.c")),
            (USUAL, &[("authorization", "Bearer é")], None, Err(Reject::Malformed)),
            (USUAL, &[("cookie", "session=é")], None, Err(Reject::Malformed)),
            (
                USUAL,
                &[("cookie", "session=a.b.c"), ("cookie", "session=a.b.c")],
                None,
                Err(Reject::Ambiguous),
            ),
            (ALL, &[("x-a", "a.b.c")], None, Ok("a.b.c")),
            (ALL, &[("x-b", "bearer a.b.c"), ("x-a", "a.b.c")], None, Ok("a.b.c")),
            (ALL, &[("x-b", "x.y.z"), ("x-a", "a.b.c")], None, Err(Reject::Ambiguous)),
            (ALL, &[("x-b", "a.b.c"), ("x-b", "a.b.c")], None, Err(Reject::DuplicateHeader)),
            (ALL, &[("sec-websocket-protocol", "chat, bearer, a.b.c")], None, Ok("a.b.c")),
            (&["header:x-a"], &[A], None, Err(Reject::Missing)),
            (&["header:authorization"], &[("authorization", "a.b.c")], None, Ok("a.b.c")),
        ] {
            assert_eq!(found(headers, query, places), expected.map(str::to_owned), "{headers:?} {query:?}");
        }
    }

    #[test]
    fn a_place_is_named_by_its_kind_and_what_it_is_called_there() {
        for text in [
            "",
            "Authorization",
            "header",
            "header:",
            "header:a b",
            "cookie:",
            "cookie:a=b",
            "query:",
            "websocket:x",
        ] {
            assert_eq!(text.parse::<TokenPlace>(), Err(()), "{text}");
        }
        assert_eq!("cookie:__Host-Token".parse(), Ok(TokenPlace::Cookie("__Host-Token".to_owned())));
        assert_eq!("query:a:b".parse(), Ok(TokenPlace::Query("a:b".to_owned())));
    }
}

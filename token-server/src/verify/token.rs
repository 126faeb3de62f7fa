//! The one token of a request: from its `Authorization` header, a cookie, or a query parameter.

use axum::http::{HeaderMap, HeaderValue, header};
use jose::Reject;
use service::credentials;

use super::Guard;

/// Finds the token.
///
/// # Errors
/// No token, more than one, one behind another scheme, or one that is too long. Two places may only agree: whoever could
/// slip in a second token would otherwise choose which one is judged here, and which one the application reads.
pub(super) fn find<'a>(
    headers: &'a HeaderMap,
    query: Option<&'a str>,
    guard: &Guard,
    schemes: &[String],
    max_bytes: usize,
) -> Result<&'a str, Reject> {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    let authorization = match (authorizations.next(), authorizations.next()) {
        (Some(_), Some(_)) => return Err(Reject::DuplicateHeader),
        (value, _) => value.filter(|value| !value.is_empty()),
    };
    let credentials =
        authorization.map(|value| text(value).and_then(|value| credentials::token(value, schemes)));
    let mut token = credentials.transpose()?;
    if let Some(name) = &guard.cookie {
        for value in headers.get_all(header::COOKIE) {
            for pair in text(value)?.split(';') {
                accept(&mut token, pair.trim_matches([' ', '\t']), name, unquoted)?;
            }
        }
    }
    if let Some(name) = &guard.query {
        for pair in query.into_iter().flat_map(|query| query.split('&')) {
            accept(&mut token, pair, name, |value| value)?;
        }
    }
    let token = token.ok_or(Reject::Missing)?;
    if token.len() > max_bytes { Err(Reject::TokenSize) } else { Ok(token) }
}

/// Takes the value of `name=value` if it has this name and is no other token than the one found before.
fn accept<'a>(
    found: &mut Option<&'a str>,
    pair: &'a str,
    name: &str,
    read: impl Fn(&'a str) -> &'a str,
) -> Result<(), Reject> {
    let value = match pair.split_once('=') {
        Some((own, value)) if own == name => read(value),
        Some(_) | None => return Ok(()),
    };
    match *found {
        Some(other) if other != value && !value.is_empty() => Err(Reject::Ambiguous),
        Some(_) => Ok(()),
        None => {
            *found = Some(value).filter(|value| !value.is_empty());
            Ok(())
        }
    }
}

fn text(value: &HeaderValue) -> Result<&str, Reject> {
    value.to_str().map_err(|_| Reject::Malformed)
}

/// A cookie's value may stand in quotes (RFC 6265 section 4.1.1).
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::ClaimHeaders;

    fn found(headers: &[(&str, &str)], query: Option<&str>) -> Result<String, Reject> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let guard = Guard {
            cookie: Some("session".into()),
            query: Some("t".into()),
            allow_missing: false,
            preflight: false,
            headers: ClaimHeaders::default(),
        };
        find(&map, query, &guard, &["Bearer".to_owned()], 8).map(str::to_owned)
    }

    #[test]
    fn finds_the_one_token_or_says_why_there_is_none() {
        const A: (&str, &str) = ("authorization", "Bearer a.b.c");
        for (headers, query, expected) in [
            (&[A][..], None, Ok("a.b.c")),
            (&[("cookie", "session=a.b.c")], None, Ok("a.b.c")),
            (&[("cookie", "x=1; session=\"a.b.c\"; y=2")], None, Ok("a.b.c")),
            (&[("cookie", "x=1"), ("cookie", "session=a.b.c")], None, Ok("a.b.c")),
            (&[], Some("x=1&t=a.b.c&y"), Ok("a.b.c")),
            (&[A, ("cookie", "session=a.b.c")], Some("t=a.b.c&t=a.b.c"), Ok("a.b.c")),
            (&[A, ("cookie", "session=")], Some("t="), Ok("a.b.c")),
            (&[("authorization", ""), ("cookie", "session=a.b.c")], None, Ok("a.b.c")),
            (&[], None, Err(Reject::Missing)),
            (&[("authorization", "")], None, Err(Reject::Missing)),
            (&[("authorization", "Bearer ")], None, Err(Reject::Missing)),
            (&[("cookie", "Session=a.b.c; xsession=a.b.c; session")], Some("T=a.b.c"), Err(Reject::Missing)),
            (&[A, A], None, Err(Reject::DuplicateHeader)),
            (&[A, ("authorization", "")], None, Err(Reject::DuplicateHeader)),
            (&[("authorization", "Basic x")], Some("t=a.b.c"), Err(Reject::Scheme)),
            (&[("authorization", "Bearer é")], None, Err(Reject::Malformed)),
            (&[("cookie", "session=é")], None, Err(Reject::Malformed)),
            (&[A], Some("t=x.y.z"), Err(Reject::Ambiguous)),
            (&[A, ("cookie", "session=x.y.z")], None, Err(Reject::Ambiguous)),
            (&[("cookie", "session=a.b.c; session=x.y.z")], None, Err(Reject::Ambiguous)),
            (&[], Some("t=a.b.c&t=x.y.z"), Err(Reject::Ambiguous)),
            (&[("cookie", "session=aaa.bbb.ccc")], None, Err(Reject::TokenSize)),
        ] {
            assert_eq!(found(headers, query), expected.map(str::to_owned), "{headers:?} {query:?}");
        }
    }
}

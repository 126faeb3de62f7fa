//! The one token of a request: from its `Authorization` header, a cookie, or a query parameter.

use axum::http::{HeaderMap, HeaderValue, header};
use jose::Reject;
use service::credentials;

use super::Guard;
use super::names::Place;

/// Finds the token.
///
/// # Errors
/// No token, more than one, one behind another scheme, or one that is too long. Two places may only agree, and each may be
/// there once: whoever could slip in a second token would otherwise choose which one is judged here, and which one the
/// application reads.
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
        accept(&mut token, in_cookies(headers, name)?)?;
    }
    if let Some(name) = &guard.query {
        accept(&mut token, in_query(query.unwrap_or_default(), name)?)?;
    }
    let token = token.ok_or(Reject::Missing)?;
    if token.len() > max_bytes { Err(Reject::TokenSize) } else { Ok(token) }
}

/// The value of the cookie of this name.
fn in_cookies<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Reject> {
    let mut pairs = Vec::new();
    // Over HTTP/2 each cookie may come in a header of its own (RFC 9113 section 8.2.3).
    for value in headers.get_all(header::COOKIE) {
        pairs.extend(
            text(value)?.split(';').filter_map(|pair| pair.trim_matches([' ', '\t']).split_once('=')),
        );
    }
    let alike = pairs.iter().filter(|(written, _)| Place::Cookie.may_mean(written, name)).count();
    let own = pairs.iter().find(|(written, _)| Place::Cookie.means(written, name));
    only(alike, own.map(|(_, value)| unquoted(value)))
}

/// The value of the parameter of this name. A semicolon parts parameters for some applications and not for others.
fn in_query<'a>(query: &'a str, name: &str) -> Result<Option<&'a str>, Reject> {
    let pair = |pair: &'a str| pair.split_once('=').unwrap_or((pair, ""));
    let alike =
        query.split(['&', ';']).filter(|written| Place::Query.may_mean(pair(written).0, name)).count();
    let own = query.split('&').map(pair).find(|(written, _)| Place::Query.means(written, name));
    only(alike, own.map(|(_, value)| value))
}

/// What is there once, in the one spelling that all applications read alike.
fn only(alike: usize, own: Option<&str>) -> Result<Option<&str>, Reject> {
    match (alike, own) {
        (0, _) => Ok(None),
        (1, Some(value)) => Ok(Some(value)),
        (_, _) => Err(Reject::Ambiguous),
    }
}

/// Takes a token that is no other than the one found before.
fn accept<'a>(found: &mut Option<&'a str>, value: Option<&'a str>) -> Result<(), Reject> {
    let value = value.filter(|value| !value.is_empty());
    match (*found, value) {
        (Some(found), Some(value)) if found != value => Err(Reject::Ambiguous),
        (Some(_), _) => Ok(()),
        (None, value) => {
            *found = value;
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

    /// Every name under which some application reads the parameter `my_t` or the cookie `my_s`.
    #[test]
    fn a_place_that_is_there_twice_is_refused_in_every_spelling_of_its_name() {
        let guard = Guard {
            cookie: Some("my_s".into()),
            query: Some("my_t".into()),
            allow_missing: true,
            preflight: false,
            headers: ClaimHeaders::default(),
        };
        let found = |cookie: &str, query: &str| {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookie).unwrap())]);
            find(&headers, Some(query), &guard, &["Bearer".to_owned()], 8).map(str::to_owned)
        };
        for name in [
            "my_t",
            "my%5Ft",
            "my%5ft",
            "%6dy_t",
            "MY_T",
            "my.t",
            "my+t",
            "my%20t",
            "my%2Et",
            "my[t",
            "my_t[]",
            "my_t[a]",
            "my_t%5B%5D",
            "+my_t",
            "%20my_t",
            "my_t%00x",
        ] {
            for query in [
                format!("my_t=a.b.c&{name}=x.y.z"),
                format!("{name}=x.y.z&my_t=a.b.c"),
                format!("my_t=a.b.c&{name}=a.b.c"),
                format!("my_t=a.b.c&{name}="),
                format!("{name}&my_t=a.b.c"),
                format!("a=1;{name}=x.y.z&my_t=a.b.c"),
            ] {
                assert_eq!(found("a=1", &query), Err(Reject::Ambiguous), "{query}");
            }
        }
        // Of another spelling alone, and so read by one application and not by another.
        for query in ["MY_T=x.y.z", "my.t=x.y.z", "my_t[]=x.y.z", "a=1;my_t=x.y.z"] {
            assert_eq!(found("a=1", query), Err(Reject::Ambiguous), "{query}");
        }
        // Read as one parameter by some applications and as two by others: no token.
        assert_eq!(found("a=1", "my_t=a.b;c=1"), Ok("a.b;c=1".to_owned()));
        for name in ["my_s", "my.s", "my s", "my[s", "my_s[]", "my_s[a]", "my%5Fs"] {
            for cookie in [
                format!("my_s=a.b.c; {name}=x.y.z"),
                format!("{name}=x.y.z; my_s=a.b.c"),
                format!("my_s=a.b.c;{name}=a.b.c"),
                format!("my_s=a.b.c; {name}="),
            ] {
                assert_eq!(found(&cookie, "a=1"), Err(Reject::Ambiguous), "{cookie}");
            }
        }
        assert_eq!(found("my_s=a.b.c; MY_S=x.y.z; my-s=x.y.z; _my_s=1", "my-t=1"), Ok("a.b.c".to_owned()));
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
            (&[A, ("cookie", "session=a.b.c")], Some("t=a.b.c"), Ok("a.b.c")),
            (&[], Some("%74=a.b.c"), Ok("a.b.c")),
            (&[], Some("x=t&tt=x.y.z&t=a.b.c&y=t=x.y.z&-t=1&t-=1&t%5=1&t_=1"), Ok("a.b.c")),
            (&[A, ("cookie", "session=")], Some("t="), Ok("a.b.c")),
            (&[("authorization", ""), ("cookie", "session=a.b.c")], None, Ok("a.b.c")),
            (&[], None, Err(Reject::Missing)),
            (&[("authorization", "")], None, Err(Reject::Missing)),
            (&[("authorization", "Bearer ")], None, Err(Reject::Missing)),
            (&[("cookie", "Session=a.b.c; xsession=a.b.c; session")], Some("tt=a.b.c"), Err(Reject::Missing)),
            (&[A, A], None, Err(Reject::DuplicateHeader)),
            (&[A, ("authorization", "")], None, Err(Reject::DuplicateHeader)),
            (&[("authorization", "Basic x")], Some("t=a.b.c"), Err(Reject::Scheme)),
            (&[("authorization", "Bearer é")], None, Err(Reject::Malformed)),
            (&[("cookie", "session=é")], None, Err(Reject::Malformed)),
            (&[A], Some("t=x.y.z"), Err(Reject::Ambiguous)),
            (&[A, ("cookie", "session=x.y.z")], None, Err(Reject::Ambiguous)),
            (&[("cookie", "session=a.b.c; session=x.y.z")], None, Err(Reject::Ambiguous)),
            (&[], Some("t=a.b.c&t=x.y.z"), Err(Reject::Ambiguous)),
            (&[], Some("t=a.b.c&t=a.b.c"), Err(Reject::Ambiguous)),
            (&[A], Some("T=x.y.z"), Err(Reject::Ambiguous)),
            (&[("cookie", "session=aaa.bbb.ccc")], None, Err(Reject::TokenSize)),
        ] {
            assert_eq!(found(headers, query), expected.map(str::to_owned), "{headers:?} {query:?}");
        }
    }
}

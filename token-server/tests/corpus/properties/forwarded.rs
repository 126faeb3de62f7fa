//! What a proxy asks: headers, cookies and queries that a client wrote and a proxy passed on. There is one token in them or
//! none, and who adds another is refused, wherever he puts it.

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Request};
use jose::Reject;
use token_server::api::forward_auth::{ClaimHeaders, Guard, Proxy, Settings, TokenPlace, question};
use token_server::verify::{Limits, PolicyId, Shown};

const COOKIE: &str = "session";
const QUERY: &str = "t";
const MAX_TOKEN_BYTES: usize = 256;

/// A token that no client has sent.
const ANOTHER: &str = "added.by.another";

/// Headers in which proxies tell of the original request; each proxy has its own.
const FAMILIES: [(Proxy, &[&str]); 3] = [
    (Proxy::Traefik, &["x-forwarded-method", "x-forwarded-uri"]),
    (Proxy::Nginx, &["x-original-method", "x-original-url"]),
    (Proxy::Envoy, &[]),
];

/// The first byte says how the server is configured (bits 0 and 1: which proxy asks; bit 2: requests without a token pass;
/// bit 3: preflights pass); then the first line is method and URI, every other one a header.
pub fn forwarded(input: &[u8]) {
    token(input);
}

/// The same, and the token that is to be judged; nothing for an input that is no request.
pub fn token(input: &[u8]) -> Option<Result<Option<String>, Reject>> {
    let (behaviour, request) = input.split_first()?;
    let guard = Guard {
        places: vec![
            TokenPlace::Authorization,
            TokenPlace::Cookie(COOKIE.to_owned()),
            TokenPlace::Query(QUERY.to_owned()),
        ],
        allow_missing: behaviour & 4 != 0,
        preflight: behaviour & 8 != 0,
        headers: ClaimHeaders::default(),
    };
    let proxy = FAMILIES.get(usize::from(behaviour & 3)).map(|(proxy, _)| *proxy);
    let settings = settings(proxy, guard.clone());
    let parts = parts(request)?;
    let read = read(&parts, &settings, &guard);
    assert_eq!(self::read(&without_others(&parts, settings.proxy), &settings, &guard), read);
    let told_once = parts.headers.get_all("x-original-url").iter().count() == 1;
    if told_once {
        assert_no_host_matters(&parts, &settings, &guard);
    }
    Some(match read {
        Err(reject) => Err(reject),
        Ok(Shown::Missing) => {
            assert!(guard.allow_missing);
            Ok(None)
        }
        Ok(Shown::Preflight) => {
            assert!(guard.preflight && settings.proxy.is_some());
            Ok(None)
        }
        Ok(Shown::Token(token)) => {
            assert!(!token.is_empty() && token.len() <= MAX_TOKEN_BYTES);
            assert_a_second_token_is_refused(&parts, &settings, &guard);
            Ok(Some(token.into_owned()))
        }
    })
}

/// What a request shows by the one policy.
fn read(parts: &Parts, settings: &Settings, guard: &Guard) -> Result<Shown<'static>, Reject> {
    let shown = question(parts, settings, Some(PolicyId::DEFAULT)).shown(&guard.for_decisions())?;
    Ok(match shown {
        Shown::Token(token) => Shown::Token(token.into_owned().into()),
        Shown::Missing => Shown::Missing,
        Shown::Preflight => Shown::Preflight,
    })
}

/// A client that can add a header, a cookie or a parameter cannot choose which token is judged.
fn assert_a_second_token_is_refused(parts: &Parts, settings: &Settings, guard: &Guard) {
    let bearer = format!("Bearer {ANOTHER}");
    for (name, value) in [("authorization", bearer), ("cookie", format!("a=b; {COOKIE}={ANOTHER}"))] {
        let mut more = parts.clone();
        more.headers.append(HeaderName::from_static(name), value.parse().unwrap());
        let read = read(&more, settings, guard);
        assert!(matches!(read, Err(Reject::Ambiguous | Reject::DuplicateHeader)), "{name}: {read:?}");
    }
    for parameter in [QUERY, "%74", "T", "+t", "t[]", "a=1;t"] {
        if let Some(more) = with_parameter(parts, settings.proxy, &format!("{parameter}={ANOTHER}")) {
            let read = read(&more, settings, guard);
            assert!(matches!(read, Err(Reject::Ambiguous | Reject::Malformed)), "{parameter}: {read:?}");
        }
    }
    for name in own(settings.proxy).iter().filter(|name| parts.headers.contains_key(**name)) {
        let mut more = parts.clone();
        more.headers.append(HeaderName::from_static(name), HeaderValue::from_static("/"));
        assert_eq!(read(&more, settings, guard), Err(Reject::Ambiguous), "{name}");
    }
}

/// The request with one more parameter; nothing where its target is not told in origin form.
fn with_parameter(parts: &Parts, proxy: Option<Proxy>, parameter: &str) -> Option<Parts> {
    let longer = |told: &str| format!("{told}{}{parameter}", if told.contains('?') { "&" } else { "?" });
    let mut more = parts.clone();
    if proxy == Some(Proxy::Envoy) {
        more.uri = longer(&parts.uri.to_string()).parse().ok()?;
    } else {
        let name = *own(proxy).last()?;
        let told = parts.headers.get(name).map_or(Ok("/"), HeaderValue::to_str).ok()?;
        if !told.starts_with('/') {
            return None;
        }
        more.headers.insert(name, longer(told).parse().ok()?);
    }
    Some(more)
}

/// The client's Host, which nginx's configuration may put before the target, changes nothing.
fn assert_no_host_matters(parts: &Parts, settings: &Settings, guard: &Guard) {
    let Some(told) = parts.headers.get("x-original-url").and_then(|told| told.to_str().ok()) else { return };
    if settings.proxy != Some(Proxy::Nginx) || !told.starts_with('/') {
        return;
    }
    for host in ["", "h", "h:1", "h?t=x.y.z", "h#", "h?t=x.y.z#", "u@h?%74=x.y.z&t=x.y.z"] {
        let mut hosted = parts.clone();
        hosted.headers.insert("x-original-url", format!("https://{host}{told}").parse().unwrap());
        assert_eq!(read(&hosted, settings, guard), read(parts, settings, guard), "{host}");
    }
}

/// The request without what proxies of another kind would have said.
fn without_others(parts: &Parts, proxy: Option<Proxy>) -> Parts {
    let mut less = parts.clone();
    for name in FAMILIES.iter().flat_map(|(_, names)| *names).filter(|name| !own(proxy).contains(name)) {
        less.headers.remove(*name);
    }
    less
}

fn own(proxy: Option<Proxy>) -> &'static [&'static str] {
    let family = FAMILIES.iter().find(|(owner, _)| Some(*owner) == proxy);
    family.map_or(&[], |(_, names)| names)
}

fn parts(request: &[u8]) -> Option<Parts> {
    let mut lines = request.split(|byte| *byte == b'\n');
    let (method, uri) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
    let mut parts = Request::builder().method(method).uri(uri).body(()).ok()?.into_parts().0;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":")?.trim_ascii();
        parts.headers.append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(parts)
}

fn settings(proxy: Option<Proxy>, guard: Guard) -> Settings {
    Settings {
        proxy,
        schemes: vec!["Bearer".to_owned()],
        max_token_bytes: MAX_TOKEN_BYTES,
        log_refusals: Default::default(),
        cache: Limits { entries: 0, bytes: 0 },
        guards: vec![guard],
    }
}

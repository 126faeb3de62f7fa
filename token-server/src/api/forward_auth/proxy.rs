//! What a proxy tells of the request that it asks about.
//!
//! Each proxy has its own way, and passes on what the client sent in the way of the others: only the configured one is
//! read. A header that is there twice is refused, since it cannot be told which one the proxy wrote.

use std::str::FromStr;

use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use jose::Reject;

/// A proxy that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// `forwardAuth`: `X-Forwarded-Method` and `X-Forwarded-Uri`, which it sets itself.
    Traefik,
    /// `auth_request`: `X-Original-Method` and `X-Original-URL` (the target), which the shipped configuration sets.
    Nginx,
    /// `ext_authz` over HTTP: the question has the method of the original request, and its path behind ours.
    Envoy,
}

impl FromStr for Proxy {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "traefik" => Ok(Self::Traefik),
            "nginx" => Ok(Self::Nginx),
            "envoy" => Ok(Self::Envoy),
            _ => Err(()),
        }
    }
}

/// The original request, as far as it decides anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Original<'a> {
    /// Its method.
    pub(super) method: Option<&'a str>,
    /// Its target, as it was sent, in origin form (RFC 9112 section 3.2.1) where it has a query.
    target: Option<&'a str>,
}

impl<'a> Original<'a> {
    /// Reads what `proxy` tells.
    ///
    /// # Errors
    /// [`Reject::Ambiguous`] for a header that is there twice, [`Reject::Malformed`] for one that is no text.
    pub(super) fn read(parts: &'a Parts, proxy: Option<Proxy>) -> Result<Self, Reject> {
        let headers = &parts.headers;
        match proxy {
            None => Ok(Self::default()),
            Some(Proxy::Traefik) => Self::told(headers, "x-forwarded-method", "x-forwarded-uri"),
            Some(Proxy::Nginx) => {
                let told = Self::told(headers, "x-original-method", "x-original-url")?;
                Ok(Self { target: told.target.map(without_host), ..told })
            }
            Some(Proxy::Envoy) => {
                let target = parts.uri.path_and_query().map(PathAndQuery::as_str);
                Ok(Self { method: Some(parts.method.as_str()), target })
            }
        }
    }

    fn told(headers: &'a HeaderMap, method: &str, target: &str) -> Result<Self, Reject> {
        Ok(Self { method: only(headers, method)?, target: only(headers, target)? })
    }

    /// Its query, as it was sent.
    ///
    /// # Errors
    /// [`Reject::Malformed`] for one that does not stand behind a path, or with a fragment, which no client sends: where
    /// it begins and ends the application may see otherwise.
    pub(super) fn query(&self) -> Result<Option<&'a str>, Reject> {
        let Some((path, query)) = self.target.and_then(|target| target.split_once('?')) else {
            return Ok(None);
        };
        let plain = path.starts_with('/') && ![path, query].iter().any(|part| part.contains('#'));
        if plain { Ok(Some(query)) } else { Err(Reject::Malformed) }
    }
}

/// Configurations of nginx may tell `$scheme://$http_host$request_uri`. The middle is the client's, and may hold `?` and
/// `#`, but nginx refuses a slash there: the target begins at the first one.
fn without_host(told: &str) -> &str {
    let rest = ["http://", "https://"].iter().find_map(|scheme| told.strip_prefix(scheme));
    match rest.map(|rest| rest.find('/').and_then(|slash| rest.get(slash..))) {
        None => told,
        Some(target) => target.unwrap_or(told),
    }
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Reject> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Reject::Malformed),
        (Some(_), Some(_)) => Err(Reject::Ambiguous),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    const EVERY_FAMILY: [(&str, &str); 4] = [
        ("x-forwarded-method", "PUT"),
        ("x-forwarded-uri", "/a?t=1"),
        ("x-original-method", "DELETE"),
        ("x-original-url", "/b?t=2"),
    ];

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method("PATCH").uri("/verify/p/c?t=3");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_the_configured_proxys_way_is_read() {
        let parts = parts(&EVERY_FAMILY);
        for (proxy, method, query) in [
            (None, None, None),
            (Some(Proxy::Traefik), Some("PUT"), Some("t=1")),
            (Some(Proxy::Nginx), Some("DELETE"), Some("t=2")),
            (Some(Proxy::Envoy), Some("PATCH"), Some("t=3")),
        ] {
            let original = Original::read(&parts, proxy).unwrap();
            assert_eq!((original.method, original.query()), (method, Ok(query)), "{proxy:?}");
        }
    }

    #[test]
    fn a_header_that_is_there_twice_is_refused_where_it_is_read() {
        for (name, proxy) in [
            ("x-forwarded-method", Proxy::Traefik),
            ("x-forwarded-uri", Proxy::Traefik),
            ("x-original-method", Proxy::Nginx),
            ("x-original-url", Proxy::Nginx),
        ] {
            let mut twice = parts(&EVERY_FAMILY);
            let value = twice.headers.get(name).unwrap().clone();
            twice.headers.append(axum::http::HeaderName::from_static(name), value);
            for asking in [Proxy::Traefik, Proxy::Nginx, Proxy::Envoy] {
                let read = Original::read(&twice, Some(asking));
                assert_eq!(read.err(), (asking == proxy).then_some(Reject::Ambiguous), "{name} {asking:?}");
            }
        }
        assert_eq!(Original::read(&parts(&[]), Some(Proxy::Nginx)), Ok(Original::default()));
    }
}

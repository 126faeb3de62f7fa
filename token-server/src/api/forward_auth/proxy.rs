//! What a proxy tells of the request that it asks about.
//!
//! Each proxy has its own way, and passes on what the client sent in the way of the others: only the configured one is
//! read. A header that is there twice is refused, since it cannot be told which one the proxy wrote.

use axum::http::request::Parts;
use axum::http::uri::{Authority, PathAndQuery};
use axum::http::{HeaderMap, header};
use jose::Reject;

/// A proxy that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// `forwardAuth`: `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`, which it sets itself.
    Traefik,
    /// `auth_request`: `X-Original-Method` and `X-Original-URL` (the target, or the whole URL), which its configuration sets.
    Nginx,
    /// `ext_authz` over HTTP: the question has method and host of the original request, its path behind ours, and
    /// `x-forwarded-proto`.
    Envoy,
}

impl Proxy {
    /// What a setting may say.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("traefik", Self::Traefik), ("nginx", Self::Nginx), ("envoy", Self::Envoy)];
}

/// The original request, as far as it decides anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Original<'a> {
    /// Its method.
    pub(super) method: Option<&'a str>,
    /// Its target, as it was sent, in origin form (RFC 9112 section 3.2.1) where it has a query.
    target: Option<&'a str>,
    /// The same without what stands before it in the question.
    own: Option<&'a str>,
}

/// Where a client reached the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReachedAt<'a> {
    /// Whether over TLS.
    pub is_tls: bool,
    /// The host and perhaps a port, as the client wrote them.
    pub host: &'a str,
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
                let target = told.target.map(without_host);
                Ok(Self { target, own: target, ..told })
            }
            Some(Proxy::Envoy) => {
                let target = parts.uri.path_and_query().map(PathAndQuery::as_str);
                Ok(Self { method: Some(parts.method.as_str()), target, own: target.and_then(behind_policy) })
            }
        }
    }

    fn told(headers: &'a HeaderMap, method: &str, target: &str) -> Result<Self, Reject> {
        let target = only(headers, target)?;
        Ok(Self { method: only(headers, method)?, target, own: target })
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

    /// Its path, as it was sent. It is never the question's own, where that is another one.
    ///
    /// # Errors
    /// [`Reject::Argument`] where the proxy tells none, and [`Reject::Malformed`] for one with a fragment, as
    /// [`query`](Self::query).
    pub(super) fn path(&self) -> Result<&'a str, Reject> {
        let path = self.own.and_then(|target| target.split('?').next()).filter(|path| path.starts_with('/'));
        let path = path.ok_or(Reject::Argument)?;
        if path.contains('#') { Err(Reject::Malformed) } else { Ok(path) }
    }
}

impl<'a> ReachedAt<'a> {
    /// Reads what `proxy` tells; absent where it does not tell both, or something twice.
    pub(super) fn read(parts: &'a Parts, proxy: Option<Proxy>) -> Option<Self> {
        let told = |name| only(&parts.headers, name).ok().flatten();
        let (scheme, host) = match proxy? {
            Proxy::Traefik => (told("x-forwarded-proto")?, told("x-forwarded-host")?),
            Proxy::Nginx => told("x-original-url")?.split_once("://")?,
            Proxy::Envoy => (told("x-forwarded-proto")?, authority(parts)?),
        };
        let is_tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        // nginx tells the whole URL; a host holds no slash.
        let host = host.split('/').next().unwrap_or_default();
        Some(Self { is_tls, host })
    }
}

/// The host that a question is for: `Host`, or `:authority` over HTTP/2.
fn authority(parts: &Parts) -> Option<&str> {
    let host = only(&parts.headers, header::HOST.as_str()).ok()?;
    match (parts.uri.authority().map(Authority::as_str), host) {
        (Some(authority), Some(host)) => (authority == host).then_some(host),
        (authority, host) => authority.or(host),
    }
}

/// Envoy writes the target of the original request behind its `path_prefix`, which ends with the policy.
fn behind_policy(target: &str) -> Option<&str> {
    let rest = target.strip_prefix("/verify/")?;
    let end = rest.find(['/', '?'])?;
    rest.get(end..).filter(|target| target.starts_with('/'))
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

    fn path_and_place(uri: &str, proxy: Proxy, headers: &[(&str, &str)]) -> (Result<String, Reject>, String) {
        let mut parts = parts(headers);
        parts.uri = uri.parse().unwrap();
        let path =
            Original::read(&parts, Some(proxy)).and_then(|original| original.path().map(str::to_owned));
        let place = ReachedAt::read(&parts, Some(proxy));
        let place = place.map(|ReachedAt { is_tls, host }| format!("{is_tls} {host}"));
        (path, place.unwrap_or_default())
    }

    #[test]
    fn the_path_is_the_original_requests_and_never_the_questions_own() {
        let (traefik, nginx, envoy) = (Proxy::Traefik, Proxy::Nginx, Proxy::Envoy);
        for (proxy, uri, told, expected) in [
            (traefik, "/verify", "/a/b?c=/d", Ok("/a/b")),
            (traefik, "/verify/p", "/", Ok("/")),
            (traefik, "/verify", "a", Err(Reject::Argument)),
            (traefik, "/verify", "https://h/a", Err(Reject::Argument)),
            (traefik, "/verify", "*", Err(Reject::Argument)),
            (traefik, "/verify", "", Err(Reject::Argument)),
            (traefik, "/verify", "?/a", Err(Reject::Argument)),
            (traefik, "/verify", "/a#b", Err(Reject::Malformed)),
            (traefik, "/verify", "/a?b#c", Ok("/a")),
            (nginx, "/verify", "/a%2F?b", Ok("/a%2F")),
            (nginx, "/verify", "https://h:1/a?b", Ok("/a")),
            (nginx, "/verify", "https://h?x/a", Ok("/a")),
            (nginx, "/verify", "https://h", Err(Reject::Argument)),
            (nginx, "/verify", "ftp://h/a", Err(Reject::Argument)),
            (envoy, "/verify/p/a/b?c", "/forged", Ok("/a/b")),
            (envoy, "/verify/p//a", "/forged", Ok("//a")),
            (envoy, "/verify/p/", "/forged", Ok("/")),
            (envoy, "/verify/p", "/forged", Err(Reject::Argument)),
            (envoy, "/verify/p?/a", "/forged", Err(Reject::Argument)),
            (envoy, "/verify", "/forged", Err(Reject::Argument)),
        ] {
            let headers = [("x-forwarded-uri", told), ("x-original-url", told)];
            let (path, _) = path_and_place(uri, proxy, &headers);
            assert_eq!(path, expected.map(str::to_owned), "{proxy:?} {uri} {told}");
        }
        for proxy in [traefik, nginx] {
            assert_eq!(path_and_place("/verify", proxy, &[]).0, Err(Reject::Argument));
        }
    }

    #[test]
    fn scheme_and_host_are_told_once_and_by_the_configured_proxy_alone_or_not_at_all() {
        const PROTO: (&str, &str) = ("x-forwarded-proto", "https");
        const TOLD: (&str, &str) = ("x-forwarded-host", "h:1");
        const HOST: (&str, &str) = ("host", "own");
        const URL: (&str, &str) = ("x-original-url", "http://n?x/a/b");
        for (headers, traefik, nginx, envoy) in [
            (&[PROTO, TOLD, HOST, URL][..], "true h:1", "false n?x", "true own"),
            (&[PROTO, HOST], "", "", "true own"),
            (&[TOLD, HOST], "", "", ""),
            (&[PROTO, PROTO, TOLD, HOST], "", "", ""),
            (&[PROTO, TOLD, TOLD, HOST, HOST], "", "", ""),
            (&[("x-forwarded-proto", "https,http"), TOLD, HOST], "", "", ""),
            (&[("x-forwarded-proto", "HTTPS"), TOLD, HOST], "", "", ""),
            (&[("x-forwarded-proto", "wss"), TOLD, HOST], "", "", ""),
            (&[("x-forwarded-proto", "http"), ("x-forwarded-host", ""), HOST], "false ", "", "false own"),
            (&[URL, URL], "", "", ""),
            (&[("x-original-url", "/a")], "", "", ""),
            (&[("x-original-url", "ftp://n/a")], "", "", ""),
            (&[("x-original-url", "https:///a")], "", "true ", ""),
        ] {
            for (proxy, expected) in [(Proxy::Traefik, traefik), (Proxy::Nginx, nginx), (Proxy::Envoy, envoy)]
            {
                assert_eq!(
                    path_and_place("/verify/p/a", proxy, headers).1,
                    expected,
                    "{proxy:?} {headers:?}"
                );
            }
        }
        for (uri, expected) in [("https://own/verify/p/a", "true own"), ("https://other/verify/p/a", "")] {
            assert_eq!(path_and_place(uri, Proxy::Envoy, &[PROTO, HOST]).1, expected, "{uri}");
        }
        assert_eq!(path_and_place("https://a/verify/p/a", Proxy::Envoy, &[PROTO]).1, "true a");
        assert_eq!(ReachedAt::read(&parts(&[PROTO, TOLD, HOST, URL]), None), None);
    }
}

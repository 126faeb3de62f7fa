//! Scheme, host and port of a URL (RFC 6454): what credentials and redirects are bound to.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    pub(crate) fn of(url: &Url) -> Self {
        Self {
            scheme: url.scheme().to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default(),
        }
    }

    /// Whether nothing but its own machine, or TLS, stands between us and it.
    pub(crate) fn is_private(&self) -> bool {
        self.scheme == "https" || self.is_loopback()
    }

    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }
}

/// The address that a URL's host is, if it is no name.
pub(crate) fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether a host is this machine, by RFC 6761 section 6.3 or by its address.
fn is_loopback(host: &str) -> bool {
    match address(host) {
        Some(address) => address.is_loopback(),
        None => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_an_address_or_a_name_that_can_be_nothing_else() {
        for (url, loopback) in [
            ("http://localhost/", true),
            ("http://LOCALHOST:1/", true),
            ("http://a.localhost/", true),
            ("http://127.0.0.1/", true),
            ("http://127.9.9.9/", true),
            ("http://0x7f.1/", true),
            ("http://[::1]:8080/", true),
            ("http://localhost.example/", false),
            ("http://127.0.0.1.example/", false),
            ("http://128.0.0.1/", false),
            ("http://[::2]/", false),
        ] {
            let origin = Origin::of(&Url::parse(url).unwrap());
            assert_eq!((origin.is_loopback(), origin.is_private()), (loopback, loopback), "{url}");
        }
        let of = |url: &str| Origin::of(&Url::parse(url).unwrap());
        assert_eq!(of("https://A.example/x?y"), of("https://u:p@a.example:443/"));
        assert_ne!(of("https://a.example/"), of("https://a.example:8443/"));
        assert_eq!(of("https://u:p@a.example/x").to_string(), "https://a.example:443");
    }
}

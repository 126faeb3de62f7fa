//! Scheme, host and port (RFC 6454 section 4) in one spelling (RFC 3986 sections 6.2.2 and 6.2.3).

use std::fmt::{self, Write as _};
use std::net::Ipv6Addr;
use std::str::FromStr;

/// The most bytes of a host's name (RFC 1035 section 2.3.4).
const MAX_HOST_BYTES: usize = 255;

/// Where a server is reached, in the one spelling that all others are brought to: lower case, no default port, IPv6
/// addresses as RFC 5952 writes them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetOrigin(String);

/// The text is no URI that a request can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected http:// or https://, a host in ASCII and perhaps a port, such as https://api.example.com")]
pub struct UriFault;

impl TargetOrigin {
    /// The origin of a request, by its `Host` field (RFC 9110 section 7.2) and whether it came over TLS.
    ///
    /// # Errors
    ///
    /// A host that is none in ASCII, a port that is none, user information.
    pub fn of_request(is_tls: bool, host: &str) -> Result<Self, UriFault> {
        Self::of(if is_tls { Scheme::Https } else { Scheme::Http }, host)
    }

    /// Splits an absolute URI behind its authority.
    pub(super) fn split(uri: &str) -> Result<(Self, &str), UriFault> {
        let (scheme, rest) = uri.split_once("://").ok_or(UriFault)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).ok_or(UriFault)?;
        Ok((Self::of(Scheme::parse(scheme)?, authority)?, rest))
    }

    fn of(scheme: Scheme, authority: &str) -> Result<Self, UriFault> {
        let mut origin = String::with_capacity(scheme.prefix().len().saturating_add(authority.len()));
        origin.push_str(scheme.prefix());
        // Writing to a String cannot fail.
        let port = match authority.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(UriFault)?;
                let address: Ipv6Addr = address.parse().map_err(|_| UriFault)?;
                write!(origin, "[{address}]").map_err(|_| UriFault)?;
                port
            }
            None => {
                let end = authority.find(':').unwrap_or(authority.len());
                let (host, port) = authority.split_at_checked(end).ok_or(UriFault)?;
                if !is_name(host) {
                    return Err(UriFault);
                }
                origin.push_str(host);
                origin.make_ascii_lowercase();
                port
            }
        };
        let port = match port {
            // A colon without a port names the default one (RFC 3986 section 6.2.3).
            "" | ":" => None,
            port => Some(number(port.strip_prefix(':').ok_or(UriFault)?)?),
        };
        if let Some(port) = port.filter(|port| *port != scheme.default_port()) {
            write!(origin, ":{port}").map_err(|_| UriFault)?;
        }
        Ok(Self(origin))
    }

    /// The text in its one spelling, without a `/` at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads an origin that nothing follows but one `/`, such as `https://api.example.com`.
impl FromStr for TargetOrigin {
    type Err = UriFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Self::split(text)? {
            (origin, "" | "/") => Ok(origin),
            (_, _) => Err(UriFault),
        }
    }
}

impl fmt::Display for TargetOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn parse(text: &str) -> Result<Self, UriFault> {
        if text.eq_ignore_ascii_case("https") {
            Ok(Self::Https)
        } else if text.eq_ignore_ascii_case("http") {
            Ok(Self::Http)
        } else {
            Err(UriFault)
        }
    }

    /// What an origin begins with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A registered name or an IPv4 address. One that is international is known by its A-labels alone (RFC 5890), since who
/// maps other characters may map them in another way than we do.
fn is_name(host: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=MAX_HOST_BYTES).contains(&host.len()) && host.bytes().all(is_of_name)
}

/// A port, without the sign that Rust's own reading takes.
fn number(text: &str) -> Result<u16, UriFault> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0).ok_or(UriFault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_an_origin_become_one() {
        for (text, expected) in [
            ("https://api.example.com", "https://api.example.com"),
            ("https://api.example.com/", "https://api.example.com"),
            ("HTTPS://API.Example.COM", "https://api.example.com"),
            ("https://api.example.com:443", "https://api.example.com"),
            ("https://api.example.com:0443", "https://api.example.com"),
            ("https://api.example.com:", "https://api.example.com"),
            ("https://api.example.com:80", "https://api.example.com:80"),
            ("http://api.example.com:80", "http://api.example.com"),
            ("http://api.example.com:443", "http://api.example.com:443"),
            ("https://api.example.com:8443", "https://api.example.com:8443"),
            ("https://api.example.com.", "https://api.example.com."),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
            ("https://192.0.2.1:8443", "https://192.0.2.1:8443"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
            ("https://[2001:db8:0:0:0:0:0:1]:443", "https://[2001:db8::1]"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("http://[::1]:", "http://[::1]"),
        ] {
            assert_eq!(text.parse::<TargetOrigin>().unwrap().as_str(), expected, "{text}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_origin() {
        for text in [
            "",
            "api.example.com",
            "//api.example.com",
            "https:",
            "https:/api.example.com",
            "https://",
            "https:///x",
            "https://:443",
            "ftp://api.example.com",
            "wss://api.example.com",
            " https://api.example.com",
            "https://api.example.com ",
            "https://api.example.com/x",
            "https://api.example.com?",
            "https://api.example.com#",
            "https://user@api.example.com",
            "https://user:secret@api.example.com",
            "https://api.example.com@evil.example",
            "https://api.example.com\\@evil.example",
            "https://api%2eexample.com",
            "https://b\u{fc}cher.example",
            "https://api.example.com:x",
            "https://api.example.com:+443",
            "https://api.example.com:-1",
            "https://api.example.com:0",
            "https://api.example.com:65536",
            "https://api.example.com:443:443",
            "https://[::1",
            "https://::1",
            "https://[::1]443",
            "https://[fe80::1%25eth0]",
            "https://[v1.a]",
            "https://[]",
            "https://a,b",
            "https://a\0b",
        ] {
            assert_eq!(text.parse::<TargetOrigin>(), Err(UriFault), "{text}");
        }
        assert_eq!(format!("https://{}", "a".repeat(256)).parse::<TargetOrigin>(), Err(UriFault));
    }

    #[test]
    fn the_origin_of_a_request_is_that_of_its_host_field() {
        let of = |is_tls, host| TargetOrigin::of_request(is_tls, host).map(|origin| origin.to_string());
        assert_eq!(of(true, "API.example:443").as_deref(), Ok("https://api.example"));
        assert_eq!(of(false, "api.example:443").as_deref(), Ok("http://api.example:443"));
        for host in ["", "a/b", "a?b", "a#b", "u@a", "a b", "a,b"] {
            assert_eq!(of(true, host), Err(UriFault), "{host}");
        }
    }
}

//! Where a token-server answers.

use std::fmt;
use std::net::SocketAddr;

/// Plain or over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// `http://`.
    Http,
    /// `https://`.
    Https,
}

/// Where one process answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// What it is called, in the `Host` header and in its certificate: a name, or the address again.
    pub host: String,
    /// Where it is.
    pub address: SocketAddr,
}

impl Endpoint {
    /// The URL of its root, with the name.
    pub fn url(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let (host, port) = (&self.host, self.address.port());
        if host.contains(':') {
            format!("{scheme}://[{host}]:{port}/")
        } else {
            format!("{scheme}://{host}:{port}/")
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = self.address.ip().to_string();
        let place = if self.host == ip { String::new() } else { format!(" ({ip})") };
        write!(out, "{}{place}", self.url().trim_end_matches('/'))
    }
}

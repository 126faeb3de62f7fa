//! The API that is protected, as OAuth names it: the resource identifier that clients ask tokens for (RFC 8707), and the
//! document that tells them where to ask (RFC 9728).
//!
//! Clients compare identifiers as texts (RFC 9728 section 3.3), and `aud` holds one as a text. So there is one spelling:
//! what a client's URL parser would write in another way is a fault, and never put right in silence.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::Serialize;

/// What stands between host and path in the document's address (RFC 9728 section 3).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
/// Before the host.
const SCHEME: &str = "https://";
/// The longest identifier, bytes: it stands in each challenge.
pub const MAX_RESOURCE_BYTES: usize = 512;

/// A resource identifier (RFC 9728 section 1.2): an https URL in its canonical spelling, without query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    text: String,
    /// Where the path begins in `text`: behind the host and its port.
    path_at: usize,
}

/// Why a text is no [`Resource`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResourceFault {
    /// Longer than [`MAX_RESOURCE_BYTES`].
    #[error("expected at most {MAX_RESOURCE_BYTES} bytes")]
    Length,
    /// Another scheme, or none, or one in capital letters.
    #[error("expected a URL that begins with https://")]
    Scheme,
    /// No host, or one that is not written as clients write it; or a user before it.
    #[error("expected a host in small letters, without a user before it, such as https://api.example.com")]
    Host,
    /// No port behind the colon, one that is no number from 1 to 65535, or the default one.
    #[error("expected no port, or one from 1 to 65535 but 443, which is the default and is not written")]
    Port,
    /// A query or a fragment.
    #[error("expected a URL without ? and #")]
    Suffix,
    /// A slash at the end of a longer path.
    #[error(
        "expected no slash at the end: clients compare the text, and https://h/mcp/ is not https://h/mcp"
    )]
    TrailingSlash,
    /// A path that a client would write in another way.
    #[error(
        "expected a path as clients write it: no //, . or .. in it, %XX with capital letters and only where it is needed"
    )]
    Path,
}

impl Resource {
    /// The identifier, letter for letter as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, and the port where it is not the default one, as a request for it says in `Host`.
    pub fn authority(&self) -> &str {
        self.text.get(SCHEME.len()..self.path_at).unwrap_or_default()
    }

    /// The address of the document (RFC 9728 section 3.1): the well-known path stands between host and path.
    pub fn metadata_url(&self) -> String {
        let (origin, path) = self.text.split_at_checked(self.path_at).unwrap_or((&self.text, ""));
        format!("{origin}{WELL_KNOWN}{}", own_path(path))
    }

    /// The path of that address, which a proxy routes by.
    pub fn metadata_path(&self) -> String {
        let (_, path) = self.text.split_at_checked(self.path_at).unwrap_or((&self.text, ""));
        format!("{WELL_KNOWN}{}", own_path(path))
    }
}

/// The path without the slash that may end a URL with no path.
fn own_path(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

impl FromStr for Resource {
    type Err = ResourceFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_RESOURCE_BYTES {
            return Err(ResourceFault::Length);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(ResourceFault::Scheme)?;
        if rest.contains(['?', '#']) {
            return Err(ResourceFault::Suffix);
        }
        let authority = rest.split('/').next().unwrap_or_default();
        validate_authority(authority)?;
        let path_at = SCHEME.len().saturating_add(authority.len());
        validate_path(text.get(path_at..).unwrap_or_default())?;
        Ok(Self { text: text.to_owned(), path_at })
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

fn validate_authority(authority: &str) -> Result<(), ResourceFault> {
    if authority.contains('@') {
        return Err(ResourceFault::Host);
    }
    // The colons of an IPv6 address stand between brackets.
    let after_address = authority.rfind(']').unwrap_or(0);
    let (host, port) = match authority.rfind(':').filter(|colon| *colon >= after_address) {
        Some(colon) => (authority.get(..colon), authority.get(colon.saturating_add(1)..)),
        None => (Some(authority), None),
    };
    if !host.is_some_and(is_canonical_host) {
        return Err(ResourceFault::Host);
    }
    match port {
        None => Ok(()),
        Some(port) => {
            let number: u16 = port.parse().map_err(|_| ResourceFault::Port)?;
            let is_canonical = number.to_string() == port && number != 0 && number != 443;
            if is_canonical { Ok(()) } else { Err(ResourceFault::Port) }
        }
    }
}

fn is_canonical_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address);
    }
    let is_label = |label: &str| {
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        !label.is_empty() && label.bytes().all(is_plain)
    };
    // Clients read a host whose last part begins with a digit as an IPv4 address.
    let is_number =
        host.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    host.split('.').all(is_label) && (!is_number || host.parse::<Ipv4Addr>().is_ok())
}

fn validate_path(path: &str) -> Result<(), ResourceFault> {
    if path.is_empty() || path == "/" {
        return Ok(());
    }
    if path.ends_with('/') {
        return Err(ResourceFault::TrailingSlash);
    }
    let segments = path.split('/').skip(1);
    if segments.into_iter().all(is_canonical_segment) { Ok(()) } else { Err(ResourceFault::Path) }
}

/// Whether it is one or more `pchar` (RFC 3986 section 3.3) as section 6.2.2 normalises them.
fn is_canonical_segment(segment: &str) -> bool {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let is_good = match byte {
            b'%' => match (bytes.next().and_then(hex), bytes.next().and_then(hex)) {
                (Some(high), Some(low)) => !is_unreserved(high << 4 | low),
                _ => false,
            },
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' => true,
            _ => is_unreserved(byte),
        };
        if !is_good {
            return false;
        }
    }
    !matches!(segment, "" | "." | "..")
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'A'..=b'F' => Some(byte.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

/// The document about a resource (RFC 9728 section 2): what an operator says of it, and nothing else. Its members stand in
/// the order of the alphabet; lists without an entry are left out, as section 3.2 asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceMetadata {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_servers: Vec<String>,
    bearer_methods_supported: [&'static str; 1],
    resource: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
}

impl ResourceMetadata {
    /// About `resource`, whose tokens come from these issuers and may need these scopes. Issuers that are no https URL are
    /// no authorization servers (RFC 8414 section 2) and are left out. Lists are sorted, and hold nothing twice.
    pub fn new<'a>(
        resource: &Resource,
        issuers: impl Iterator<Item = &'a str>,
        scopes: impl Iterator<Item = &'a str>,
    ) -> Self {
        Self {
            authorization_servers: sorted(issuers.filter(|issuer| is_server(issuer))),
            bearer_methods_supported: ["header"],
            resource: resource.text.clone(),
            scopes_supported: sorted(scopes),
        }
    }

    /// Whether it says where clients get a token.
    pub fn has_authorization_servers(&self) -> bool {
        !self.authorization_servers.is_empty()
    }
}

/// Whether the issuer's name is one that a client can look up.
fn is_server(issuer: &str) -> bool {
    issuer.starts_with("https://") && !issuer.contains(['?', '#', '{', '}'])
}

fn sorted<'a>(items: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut sorted: Vec<String> = items.map(str::to_owned).collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

#[cfg(test)]
mod tests;

//! From an issuer to the URL of its keys: OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3.
//!
//! What is fetched, the URL's source fetches; here is where to look and what a document tells. The document is believed only if it calls itself by a configured name of its issuer. An error says what the document
//! says, what is configured, and the lines to set; the texts are shortened, and URLs are shown without query and password.

mod fault;
mod places;
#[cfg(test)]
mod tests;

use reqwest::Url;
use serde::Deserialize;
use service::shown;

use crate::trust::Discovery;
pub use fault::{DiscoveryError, Shown};
use fault::{Fault, Mismatch};
pub use places::addresses;
use places::is_http;

/// What a discovery document tells of keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where they are.
    pub(crate) keys: Url,
    /// What an operator should know though the document can be used.
    pub(crate) notice: Option<String>,
}

/// The members that are read; all others are ignored.
#[derive(Deserialize)]
struct Document {
    issuer: Option<String>,
    jwks_uri: Option<String>,
    /// AD FS: what `iss` of its access tokens says.
    access_token_issuer: Option<String>,
}

/// What the document that was found at `url` tells of the issuer's keys.
pub(crate) fn read(bytes: &[u8], url: &Url, discovery: &Discovery) -> Result<Found, DiscoveryError> {
    found(bytes, url, discovery)
        .map_err(|fault| DiscoveryError { document: Some(shown::url(url.as_str())), fault })
}

fn found(bytes: &[u8], url: &Url, discovery: &Discovery) -> Result<Found, Fault> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let document: Document = serde_json::from_slice(bytes).map_err(|_| {
        if bytes.trim_ascii_start().first() == Some(&b'<') { Fault::Html } else { Fault::Malformed }
    })?;
    let issuer = document.issuer.ok_or(Fault::NoIssuer)?;
    if !discovery.goes_by(&issuer) {
        return Err(Fault::Issuer(Box::new(Mismatch {
            says: issuer,
            access_tokens: document.access_token_issuer,
            url: url.clone(),
            configured: discovery.clone(),
        })));
    }
    let written = document.jwks_uri.ok_or(Fault::NoKeys)?;
    let keys = Url::parse(&written).ok().filter(is_http).ok_or_else(|| Fault::NotUrl(Shown::of(&written)))?;
    if url.scheme() == "https" && keys.scheme() != "https" {
        return Err(Fault::NotTls(shown::url(keys.as_str())));
    }
    let stranger = document.access_token_issuer.filter(|name| !discovery.goes_by(name));
    let notice = stranger.map(|name| {
        let name = Shown::of(&name);
        format!(
            "the discovery document says access_token_issuer = {name}, and access tokens of that iss are refused: \
             to accept them, set issuer_aliases = [{name}] in its [[issuers]] table"
        )
    });
    Ok(Found { keys, notice })
}

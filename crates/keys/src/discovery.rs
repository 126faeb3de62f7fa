//! From an issuer to the URL of its keys: OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3.
//!
//! The document is believed only if it calls itself by a configured name of its issuer. An error says what the document
//! says, what is configured, and the lines to set; the texts are shortened, and URLs are shown without query and password.

mod fault;
#[cfg(test)]
mod tests;

use crate::trust::Discovery;
use reqwest::{StatusCode, Url};
use serde::Deserialize;

pub use fault::{DiscoveryError, Shown};
use fault::{Fault, Mismatch};

use crate::client::Sought;
use crate::url::shown;
use crate::{Client, LoadError};

/// Where metadata stand by OpenID Connect Discovery 1.0 section 4: after the issuer's path.
const OPENID: &str = "/.well-known/openid-configuration";
/// Where metadata stand by RFC 8414 section 3.1: before the issuer's path.
const OAUTH: &str = "/.well-known/oauth-authorization-server";

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

impl Client {
    /// Fetches the issuer's document and reads where its keys are.
    pub(crate) async fn discover(&self, discovery: &Discovery) -> Result<Found, LoadError> {
        let (url, bytes) = self.document(discovery).await?;
        read(&bytes, &url, discovery)
            .map_err(|fault| DiscoveryError { document: Some(shown(&url)), fault }.into())
    }

    /// The document, at the URL that is configured or at the first that is there.
    async fn document(&self, discovery: &Discovery) -> Result<(Url, Vec<u8>), LoadError> {
        let unusable = || LoadError::from(DiscoveryError::of(Fault::NoAddress(Shown::of(&discovery.issuer))));
        let places = match &discovery.url {
            Some(url) => vec![Url::parse(url).map_err(|_| unusable())?],
            None => addresses(&discovery.issuer).ok_or_else(unusable)?,
        };
        let mut absent = Vec::new();
        for url in places {
            match self.get(url.clone(), Sought::Discovery, None).await {
                Ok(fetched) => return Ok((url, fetched.bytes.unwrap_or_default())),
                // Any other failure may be over soon, and another document may be another server's.
                Err(LoadError::Status(StatusCode::NOT_FOUND)) => absent.push(shown(&url)),
                Err(error) => return Err(error.at("discovery document", &url)),
            }
        }
        Err(DiscoveryError::of(Fault::Absent(absent)).into())
    }
}

/// Where the document of an issuer may be, in the order in which it is looked for. An issuer with a query or a fragment has
/// none (RFC 8414 section 2).
fn addresses(issuer: &str) -> Option<Vec<Url>> {
    let issuer = Url::parse(issuer).ok().filter(is_http)?;
    if issuer.query().is_some() || issuer.fragment().is_some() {
        return None;
    }
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    let mut places = vec![at(format!("{path}{OPENID}")), at(format!("{OAUTH}{path}"))];
    if !path.is_empty() {
        places.push(at(format!("{OPENID}{path}")));
    }
    Some(places)
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// What the document that was found at `url` tells of the issuer's keys.
fn read(bytes: &[u8], url: &Url, discovery: &Discovery) -> Result<Found, Fault> {
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
        return Err(Fault::NotTls(shown(&keys)));
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

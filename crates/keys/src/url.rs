//! Keys from a URL, given or found by OpenID Connect Discovery.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use jose::MAX_KEY_SET_BYTES;
use reqwest::header::{CACHE_CONTROL, ETAG, HeaderMap, IF_NONE_MATCH};
use reqwest::{Certificate, StatusCode, Url, redirect};
use serde::Deserialize;

use crate::LoadError;

/// How long a connection to a key server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one fetch may take in all.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Redirects that are followed, on the same host only.
const MAX_REDIRECTS: usize = 3;
/// Where an issuer's metadata stand (OpenID Connect Discovery 1.0 section 4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Where a set of keys is fetched from.
#[derive(Clone, PartialEq, Eq)]
pub enum UrlSource {
    /// The URL answers with the keys.
    Keys(Url),
    /// The issuer's metadata name that URL.
    Issuer(String),
}

impl UrlSource {
    /// What an operator knows it by: a query or a password in a key URL is a secret.
    pub fn name(&self) -> String {
        match self {
            Self::Keys(url) => {
                let mut url = url.clone();
                url.set_query(None);
                if url.set_password(None).is_err() || url.set_username("").is_err() {
                    return "url".to_owned();
                }
                url.to_string()
            }
            Self::Issuer(issuer) => issuer.clone(),
        }
    }
}

impl fmt::Debug for UrlSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name())
    }
}

/// An HTTP client for key servers.
#[derive(Debug, Clone)]
pub struct Client(reqwest::Client);

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The CA file cannot be read.
    #[error("cannot read the file: {0}")]
    CaFile(std::io::Error),
    /// The CA file holds no certificate.
    #[error("the file holds no PEM certificate")]
    NoCertificate,
    /// The TLS library refuses.
    #[error("no TLS client: {0}")]
    Tls(reqwest::Error),
}

/// An answer of a key server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The document; absent when it is the one whose ETag was shown.
    pub bytes: Option<Vec<u8>>,
    /// What to show next time (RFC 9110 section 8.8.3).
    pub etag: Option<String>,
    /// How long the server promises not to change it.
    pub fresh_for: Option<Duration>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Client {
    /// A client that calls itself `user_agent` and trusts the system's certificates and those of `ca_file`.
    ///
    /// # Errors
    ///
    /// The CA file cannot be used.
    pub fn new(user_agent: &str, ca_file: Option<&Path>) -> Result<Self, ClientError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(FETCH_TIMEOUT)
            .redirect(redirect::Policy::custom(same_host))
            .user_agent(user_agent);
        if let Some(path) = ca_file {
            let pem = std::fs::read(path).map_err(ClientError::CaFile)?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|_| ClientError::NoCertificate)?;
            if certificates.is_empty() {
                return Err(ClientError::NoCertificate);
            }
            builder = builder.tls_certs_merge(certificates);
        }
        builder.build().map(Self).map_err(ClientError::Tls)
    }

    /// Fetches what `source` has now; `etag` is what it gave with the last good answer.
    ///
    /// # Errors
    ///
    /// Nothing came back in time, or not what was asked for.
    pub async fn fetch(&self, source: &UrlSource, etag: Option<&str>) -> Result<Fetched, LoadError> {
        match source {
            UrlSource::Keys(url) => self.get(url.clone(), etag).await,
            UrlSource::Issuer(issuer) => {
                let url = self.discover(issuer).await?;
                self.get(url, etag).await
            }
        }
    }

    async fn discover(&self, issuer: &str) -> Result<Url, LoadError> {
        let base = issuer.trim_end_matches('/');
        let url = Url::parse(&format!("{base}{WELL_KNOWN}"))
            .map_err(|_| LoadError::Discovery("has no usable address"))?;
        let secure = url.scheme() == "https";
        let bytes = self.get(url, None).await?.bytes.unwrap_or_default();
        let metadata: Metadata =
            serde_json::from_slice(&bytes).map_err(|_| LoadError::Discovery("lacks issuer or jwks_uri"))?;
        if metadata.issuer != issuer {
            return Err(LoadError::Discovery("names another issuer"));
        }
        let keys = Url::parse(&metadata.jwks_uri)
            .map_err(|_| LoadError::Discovery("has a jwks_uri that is no URL"))?;
        if secure && keys.scheme() != "https" {
            return Err(LoadError::Discovery("has a jwks_uri without TLS"));
        }
        Ok(keys)
    }

    async fn get(&self, url: Url, etag: Option<&str>) -> Result<Fetched, LoadError> {
        let failed = |error: reqwest::Error| LoadError::Fetch(causes(&error.without_url()));
        let mut request = self.0.get(url);
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let mut response = request.send().await.map_err(failed)?;
        let fresh_for = max_age(response.headers());
        if etag.is_some() && response.status() == StatusCode::NOT_MODIFIED {
            return Ok(Fetched { bytes: None, etag: etag.map(str::to_owned), fresh_for });
        }
        if !response.status().is_success() {
            return Err(LoadError::Status(response.status()));
        }
        let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len().saturating_add(chunk.len()) > MAX_KEY_SET_BYTES {
                return Err(LoadError::TooLarge(MAX_KEY_SET_BYTES));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Fetched { bytes: Some(bytes), etag, fresh_for })
    }
}

/// How long an answer is fresh, by `Cache-Control: max-age` (RFC 9111 section 5.2.2.1).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let control = headers.get(CACHE_CONTROL)?.to_str().ok()?;
    control.split(',').find_map(|directive| {
        let (name, seconds) = directive.trim().split_once('=')?;
        let seconds =
            name.eq_ignore_ascii_case("max-age").then(|| seconds.trim_matches('"').parse().ok())??;
        Some(Duration::from_secs(seconds))
    })
}

/// A key server may move a document, not hand us to somebody else, nor off TLS.
fn same_host(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let from = attempt.previous().last();
    let same = from.is_some_and(|from| {
        let to = attempt.url();
        from.host_str() == to.host_str() && (from.scheme() == to.scheme() || to.scheme() == "https")
    });
    if same && attempt.previous().len() <= MAX_REDIRECTS {
        attempt.follow()
    } else {
        attempt.error("redirected to another host, off TLS, or too often")
    }
}

/// An error with its sources: "error sending request" alone helps nobody.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;

//! Keys from a URL, given or found by OpenID Connect Discovery.

use std::fmt;

use reqwest::Url;
use serde::Deserialize;

use crate::client::Fetched;
use crate::{Client, LoadError};

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

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Client {
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
}

#[cfg(test)]
mod tests;

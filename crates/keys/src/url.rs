//! Keys from a URL, given or found by discovery.

use std::fmt;

use reqwest::{StatusCode, Url};
use service::shown;

use crate::client::{Client, Etag, Fetched, Sought};
use crate::discovery::{self, DiscoveryError, Found, addresses};
use crate::load_error::LoadError;
use crate::trust::Discovery;

/// Where a set of keys is fetched from.
#[derive(Clone, PartialEq, Eq)]
pub enum UrlSource {
    /// The URL answers with the keys.
    Keys(Url),
    /// The issuer's discovery document names that URL.
    Issuer(Discovery),
}

impl UrlSource {
    /// What an operator knows it by: a query or a password in a key URL is a secret.
    pub fn name(&self) -> String {
        match self {
            Self::Keys(url) => shown::url(url.as_str()),
            Self::Issuer(discovery) => shown::url(&discovery.issuer),
        }
    }
}

impl fmt::Debug for UrlSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name())
    }
}

impl Client {
    /// Fetches what `source` has now; `etag` is what it gave with the last good answer.
    ///
    /// # Errors
    ///
    /// Nothing came back in time, or not what was asked for.
    pub async fn fetch(&self, source: &UrlSource, etag: Option<&Etag>) -> Result<Fetched, LoadError> {
        match source {
            UrlSource::Keys(url) => self.get(url.clone(), Sought::Keys, etag).await,
            UrlSource::Issuer(discovery) => {
                let found = self.discover(discovery).await?;
                let fetched = self.get(found.keys.clone(), Sought::Keys, etag).await;
                let fetched = fetched.map_err(|error| error.at("keys at its jwks_uri", &found.keys))?;
                Ok(Fetched { notice: found.notice, ..fetched })
            }
        }
    }

    /// Fetches the issuer's document and reads where its keys are.
    async fn discover(&self, discovery: &Discovery) -> Result<Found, LoadError> {
        let (url, bytes) = self.document(discovery).await?;
        Ok(discovery::read(&bytes, &url, discovery)?)
    }

    /// The document, at the URL that is configured or at the first that is there.
    async fn document(&self, discovery: &Discovery) -> Result<(Url, Vec<u8>), LoadError> {
        let unusable = || LoadError::from(DiscoveryError::no_address(&discovery.issuer));
        let places = match &discovery.url {
            Some(url) => vec![Url::parse(url).map_err(|_| unusable())?],
            None => addresses(&discovery.issuer).ok_or_else(unusable)?,
        };
        let mut absent = Vec::new();
        for url in places {
            match self.get(url.clone(), Sought::Discovery, None).await {
                Ok(fetched) => return Ok((url, fetched.bytes.unwrap_or_default())),
                // Any other failure may be over soon, and another document may be another server's.
                Err(LoadError::Status(StatusCode::NOT_FOUND)) => absent.push(shown::url(url.as_str())),
                Err(error) => return Err(error.at("discovery document", &url)),
            }
        }
        Err(DiscoveryError::absent(absent).into())
    }
}

#[cfg(test)]
pub(crate) mod tests;

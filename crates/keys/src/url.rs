//! Keys from a URL, given or found by discovery.

use std::fmt;

use crate::trust::Discovery;
use reqwest::Url;

use crate::client::{Etag, Fetched, Sought};
use crate::{Client, LoadError};

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
            Self::Keys(url) => shown(url),
            Self::Issuer(discovery) => service::shown::url(&discovery.issuer),
        }
    }
}

/// A URL as it may be shown: a query or a password in it is a secret.
pub(crate) fn shown(url: &Url) -> String {
    service::shown::url(url.as_str())
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
}

#[cfg(test)]
pub(crate) mod tests;

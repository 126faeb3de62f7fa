//! One source of keys: a file, a URL, or a URL for the key of each `kid`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jose::{KeyOrigin, KeyRules, KeySet};
use service::watch::{Watch, folder_of, watch};
use tokio::sync::Notify;

use crate::client::{Client, Etag, Fetched};
use crate::file;
use crate::load_error::LoadError;
use crate::part::Place;
use crate::per_kid::PerKid;
use crate::url::UrlSource;

/// One source of keys.
#[derive(Debug, Clone)]
pub enum Source {
    /// A watched file.
    File(PathBuf),
    /// A URL or an issuer.
    Url(UrlSource, Client),
    /// A URL for the key of each `kid`.
    PerKid(PerKid, Client),
}

impl Source {
    /// Whether it is the same file, or the same URL behind certificates of the same authorities.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(path), Self::File(other)) => path == other,
            (Self::Url(url, client), Self::Url(other, others)) => url == other && client.trusts_as(others),
            (Self::PerKid(place, client), Self::PerKid(other, others)) => {
                place == other && client.trusts_as(others)
            }
            (Self::File(_) | Self::Url(..) | Self::PerKid(..), _) => false,
        }
    }

    /// Loads the source once.
    ///
    /// # Errors
    ///
    /// It gives no usable key set.
    pub async fn load(&self, rules: &KeyRules) -> Result<KeySet, LoadError> {
        if let Self::PerKid(..) = self {
            // Which keys there are, the server does not tell.
            return Ok(KeySet::empty());
        }
        self.parse(&self.read(None).await?.bytes.unwrap_or_default(), rules)
    }

    /// Reads a key file once.
    pub(crate) fn read_file(path: &Path, rules: &KeyRules) -> Result<KeySet, LoadError> {
        Ok(KeySet::parse(&file::read(path)?, &KeyRules { origin: KeyOrigin::File, ..*rules })?)
    }

    pub(crate) async fn read(&self, etag: Option<&Etag>) -> Result<Fetched, LoadError> {
        match self {
            Self::File(path) => {
                file::read(path).map(|bytes| Fetched { bytes: Some(bytes), ..Fetched::default() })
            }
            Self::Url(source, client) => client.fetch(source, etag).await,
            Self::PerKid(..) => Ok(Fetched::default()),
        }
    }

    pub(crate) fn parse(&self, bytes: &[u8], rules: &KeyRules) -> Result<KeySet, LoadError> {
        let origin = match self {
            Self::File(_) => KeyOrigin::File,
            Self::Url(..) | Self::PerKid(..) => KeyOrigin::Url,
        };
        Ok(KeySet::parse(bytes, &KeyRules { origin, ..*rules })?)
    }

    /// What a ring has to know of it, as a source of that issuer.
    pub fn place(&self, issuer: usize) -> Place {
        Place {
            issuer,
            optional: false,
            remote: !matches!(self, Self::File(_)),
            by_kid: matches!(self, Self::PerKid(..)),
            name: self.name(),
        }
    }

    /// What an operator knows it by.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Url(url, _) => url.name(),
            Self::PerKid(place, _) => place.name(),
        }
    }

    pub(crate) fn watch(&self, changed: &Arc<Notify>) -> Option<Watch> {
        let Self::File(path) = self else { return None };
        watch(folder_of(path), Arc::clone(changed))
            .inspect_err(|error| {
                tracing::warn!(path = %path.display(), %error, "the key file is not watched, only reloaded by the clock");
            })
            .ok()
    }
}

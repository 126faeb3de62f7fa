//! From what an operator configured to sources that can be loaded.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jose::KeyRules;
use reqwest::Url;
use service::trust::IssuerKeys;

use crate::{Client, ClientError, LoadError, Source, UrlSource};

/// Where verification keys come from.
#[derive(Debug, Clone)]
pub struct KeySources {
    /// The sources of each issuer, in the order of [`jose::Trust::issuers`].
    pub issuers: Vec<IssuerKeys>,
    /// The time between two reloads.
    pub interval: Duration,
    /// Which keys are good enough.
    pub rules: KeyRules,
}

/// Why sources cannot be used as they were configured.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What a setting says of fetches cannot be used.
    #[error("{error}")]
    Fetch {
        /// The setting.
        setting: String,
        /// Why not.
        error: ClientError,
    },
    /// What should be a URL is none.
    #[error("is no URL: {0}")]
    Url(String),
    /// A key file holds no usable keys.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: LoadError,
    },
}

impl KeySources {
    /// The sources, each with the issuer whose keys it has. Key servers are told the program's name as `user_agent`.
    ///
    /// # Errors
    ///
    /// The CA file cannot be used, or a URL is none.
    pub fn open(&self, user_agent: &str) -> Result<Vec<(usize, Source)>, OpenError> {
        let mut sources = Vec::new();
        for (issuer, keys) in self.issuers.iter().enumerate() {
            let client = Client::new(user_agent, &keys.fetch)
                .map_err(|error| OpenError::Fetch { setting: keys.fetch.ca_setting.clone(), error })?;
            let mut add = |source| sources.push((issuer, source));
            if let Some(path) = &keys.file {
                add(Source::File(path.clone()));
            }
            for url in &keys.urls {
                let url = Url::parse(url).map_err(|error| OpenError::Url(error.to_string()))?;
                add(Source::Url(UrlSource::Keys(url), client.clone()));
            }
            for discovery in &keys.discovery {
                if let Some(url) = &discovery.url {
                    Url::parse(url).map_err(|error| OpenError::Url(format!("(discovery_url) {error}")))?;
                }
                add(Source::Url(UrlSource::Issuer(discovery.clone()), client.clone()));
            }
        }
        Ok(sources)
    }

    /// Reads every key file once. One that cannot be used should end a program's start: waiting for a file with a typo in
    /// its name would only look alive. A URL that is down comes back by itself.
    ///
    /// # Errors
    ///
    /// The first file that holds no usable keys.
    pub fn check_files(&self) -> Result<(), OpenError> {
        let mut files = self.issuers.iter().filter_map(|keys| keys.file.as_deref());
        files.try_for_each(|path| self.check_file(path))
    }

    fn check_file(&self, path: &Path) -> Result<(), OpenError> {
        let failed = |error| OpenError::File { path: path.to_owned(), error };
        Source::read_file(path, &self.rules).map_err(failed).map(drop)
    }
}

//! From what an operator configured to sources that can be loaded.

use std::path::{Path, PathBuf};

use reqwest::Url;

use crate::client::{Client, Configured, Sought, Surroundings};
use crate::load_error::{FetchFault, LoadError};
use crate::per_kid::PerKid;
use crate::source::Source;
use crate::timing::Timing;
use crate::trust::KeySources;
use crate::url::UrlSource;

/// Why sources cannot be used as they were configured.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What a setting says of fetches cannot be used.
    #[error("{why}")]
    Fetch {
        /// The setting.
        setting: String,
        /// Why not.
        why: String,
    },
    /// What should be a URL is none.
    #[error("is no URL: {why}")]
    Url {
        /// The setting.
        setting: String,
        /// Why not.
        why: String,
    },
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
    /// When the sources are loaded again.
    pub(crate) const fn timing(&self) -> Timing {
        Timing::every(self.interval)
    }

    /// The sources, each with the issuer whose keys it has. Key servers are told the program's name as `user_agent`.
    ///
    /// # Errors
    ///
    /// A setting of fetches cannot be used, or a URL is none.
    pub fn open(&self, user_agent: &str) -> Result<Vec<(usize, Source)>, OpenError> {
        let mut sources = Vec::new();
        let surroundings = Surroundings::new(self.proxies.clone());
        for (issuer, keys) in self.issuers.iter().enumerate() {
            let keys_url = || Sought::Keys.setting(&keys.fetch);
            let (mut urls, mut places, mut configured) = (Vec::new(), Vec::new(), Vec::new());
            for text in &keys.urls {
                let url = match PerKid::parse(text) {
                    Some(place) => {
                        let folder = place.folder().clone();
                        places.push(place);
                        folder
                    }
                    None => {
                        let url = parse(text, keys_url)?;
                        urls.push(url.clone());
                        url
                    }
                };
                configured.push(Configured { url, setting: keys_url() });
            }
            for discovery in &keys.discovery {
                let discovery_url = || Sought::Discovery.setting(&keys.fetch);
                if let Some(url) = &discovery.url {
                    configured.push(Configured { url: parse(url, discovery_url)?, setting: discovery_url() });
                }
                let setting = match discovery.setting {
                    Some(flat) => flat.to_owned(),
                    None => format!("{}issuer", keys.fetch.place),
                };
                configured.extend(Url::parse(&discovery.issuer).ok().map(|url| Configured { url, setting }));
            }
            // One for each source: what a client has seen of a server explains the failure of one fetch.
            let client = || {
                Client::new(user_agent, &keys.fetch, &configured, &surroundings)
                    .map_err(|FetchFault { setting, why }| OpenError::Fetch { setting, why })
            };
            if let Some(path) = &keys.file {
                sources.push((issuer, Source::File(path.clone())));
            }
            for url in urls {
                sources.push((issuer, Source::Url(UrlSource::Keys(url), client()?)));
            }
            for place in places {
                sources.push((issuer, Source::PerKid(place, client()?)));
            }
            for discovery in &keys.discovery {
                sources.push((issuer, Source::Url(UrlSource::Issuer(discovery.clone()), client()?)));
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

fn parse(text: &str, setting: impl Fn() -> String) -> Result<Url, OpenError> {
    Url::parse(text).map_err(|error| OpenError::Url { setting: setting(), why: error.to_string() })
}

#[cfg(test)]
mod tests;

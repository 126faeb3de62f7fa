//! Why a source gives no keys.

use jose::KeySetError;
use reqwest::Url;
use service::secret_file::FileFault;
use service::shown;

use crate::discovery::DiscoveryError;

/// What a setting says of fetches cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {why}")]
pub struct FetchFault {
    /// The setting.
    pub setting: String,
    /// Cause and cure, without a secret.
    pub why: String,
}

impl From<FileFault> for FetchFault {
    fn from(FileFault { setting, why, .. }: FileFault) -> Self {
        Self { setting, why }
    }
}

/// Why a source gave no key set. No text of a key source is in it: it could be a secret.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the file: {0}")]
    File(std::io::Error),
    /// The URL cannot be fetched.
    #[error("cannot fetch: {0}")]
    Fetch(String),
    /// The server answered with another status.
    #[error("the server answered {0}")]
    Status(reqwest::StatusCode),
    /// The server answered so, and what may help.
    #[error("the server answered {0}; {1}")]
    Refused(reqwest::StatusCode, String),
    /// A setting of fetches cannot be used any more.
    #[error(transparent)]
    Setting(#[from] FetchFault),
    /// The answer is compressed in a way that was not asked for.
    #[error("the answer has Content-Encoding {0}, and gzip alone was asked for")]
    Encoding(String),
    /// What says it is gzip cannot be inflated.
    #[error("what should be gzip is damaged or cut off")]
    Gzip,
    /// The answer is larger than any key set.
    #[error("the answer is over {0} bytes")]
    TooLarge(usize),
    /// The discovery document tells of no keys.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// One of several documents was not there.
    #[error("{what} {url}: {error}")]
    At {
        /// The document.
        what: &'static str,
        /// Where it should be.
        url: String,
        /// Why not.
        error: Box<LoadError>,
    },
    /// What was read holds no usable key.
    #[error(transparent)]
    Keys(#[from] KeySetError),
}

impl LoadError {
    /// The same, of one of several documents.
    pub(crate) fn at(self, what: &'static str, url: &Url) -> Self {
        Self::At { what, url: shown::url(url.as_str()), error: Box::new(self) }
    }
}

//! What is fetched, and how long that may take.

use std::time::Duration;

use crate::trust::Fetch;

/// What a document is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sought {
    /// Its keys.
    Keys,
    /// The place of the keys.
    Discovery,
    /// What a service answers to a question.
    Answer,
}

impl Sought {
    /// The setting that says where such a document is.
    pub(crate) fn setting(self, fetch: &Fetch) -> String {
        match self {
            Self::Keys | Self::Answer => fetch.setting(|names| names.keys_url),
            // Flat settings have none for it.
            Self::Discovery if fetch.place.is_empty() => "discovery_url of an [[issuers]] table".to_owned(),
            Self::Discovery => format!("{}discovery_url", fetch.place),
        }
    }
}

/// How long one fetch may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Until there is a connection.
    pub(super) connect: Duration,
    /// In all.
    pub(super) total: Duration,
}

impl Limits {
    pub(super) const USUAL: Self = Self { connect: Duration::from_secs(3), total: Duration::from_secs(10) };
}

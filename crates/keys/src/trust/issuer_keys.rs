//! Where the keys of one issuer come from.

use std::fmt;
use std::path::PathBuf;

use service::secret_file::FileFault;
use service::settings::Settings;

use super::discovery::Discovery;
use super::fetch::{Fetch, ProxyChoice};

/// Where the keys of one issuer come from; what is given adds up.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct IssuerKeys {
    /// A file.
    pub file: Option<PathBuf>,
    /// URLs that answer with keys.
    pub urls: Vec<String>,
    /// Issuers whose discovery document names such a URL.
    pub discovery: Vec<Discovery>,
    /// How they are fetched.
    pub fetch: Fetch,
    /// Whether a program is ready without them, since they verify no tokens of users.
    pub optional: bool,
}

impl fmt::Debug for IssuerKeys {
    // A query or a password in a URL is a secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("IssuerKeys");
        shown.field("file", &self.file).field("urls", &self.urls.len()).field("discovery", &self.discovery);
        shown.field("fetch", &self.fetch).finish()
    }
}

impl IssuerKeys {
    /// Whether there is nowhere to get a key from.
    pub fn is_empty(&self) -> bool {
        self.file.is_none() && self.urls.is_empty() && self.discovery.is_empty()
    }

    /// Settings of fetches where nothing is fetched are a mistake: what they are for is missing, or stands elsewhere.
    pub fn judge_fetch(&self, settings: &mut Settings) {
        if !self.urls.is_empty() || !self.discovery.is_empty() {
            return;
        }
        // What is written must be right all the same; what a table takes over is looked at where it is written.
        let Fetch { ca_setting, place, names, .. } = &self.fetch;
        if *ca_setting == format!("{place}{}", names.ca_file)
            && let Some(Err(FileFault { why, .. })) = self.fetch.authorities()
        {
            settings.fault(names.ca_file, why);
        }
        let mut set = self.fetch.credentials();
        if !self.fetch.origins.is_empty() {
            set.push(self.fetch.names.origins);
        }
        if self.fetch.proxy != ProxyChoice::Environment {
            set.push(self.fetch.names.proxy);
        }
        for name in set {
            let url = self.fetch.names.keys_url;
            let what = format!(
                "nothing is fetched with it: set {url} or discovery beside it; each [[issuers]] table has fields of its own"
            );
            settings.fault(name, what);
        }
    }
}

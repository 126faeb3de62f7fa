//! API keys: tokens that this server itself made, and of which it knows the hashes alone.
//!
//! A key is 256 random bits behind a prefix. The file of keys ([`list`]) has the SHA-256 of each and the claims that it stands for;
//! policies, bindings and rules judge those as they judge the claims of any token. Neither the file nor a log holds a key, and
//! the time that a look-up takes tells nothing of one: it is by a hash, which a stranger cannot choose.

pub mod list;

use std::sync::Arc;
use std::time::Duration;

use jose::{Claims, Reject, TokenHash, UnixTime};
use service::secret_file::{NamedFile, Reload, SecretFile, SecretMetrics};

use self::list::KeyList;
use crate::revocations::Revocations;

/// The keys of a file.
pub type KeysFile = SecretFile<KeyList>;

/// How long the claims of a key that has no end may be used, so that nothing which keeps a verdict keeps it for ever.
pub const MAX_USE: Duration = Duration::from_secs(300);

/// The API keys that count.
#[derive(Debug, Clone)]
pub struct ApiKeys {
    /// `TOKEN_SERVER__API_KEYS__FILE`
    pub file: Arc<KeysFile>,
    /// `TOKEN_SERVER__API_KEYS__ISSUER`: the `iss` of keys whose claims have none.
    pub issuer: Option<Arc<str>>,
}

impl ApiKeys {
    /// What the key stands for that was shown at `now`; absent where it is none.
    pub fn claims(&self, shown: &str, now: UnixTime) -> Option<Result<Claims, Reject>> {
        let keys = self.file.current();
        let key = keys.find(&TokenHash::of(shown))?;
        Some(key.claims(self.issuer.as_deref(), now))
    }
}

/// The file of keys, and the feed, which has to tell of keys that are gone: agents keep their verdicts for as long as it is silent.
pub(crate) struct ToldKeys {
    file: Arc<KeysFile>,
    revocations: Arc<Revocations>,
}

impl ToldKeys {
    pub(crate) fn new(keys: &ApiKeys, revocations: &Arc<Revocations>) -> Self {
        Self { file: Arc::clone(&keys.file), revocations: Arc::clone(revocations) }
    }
}

impl Reload for ToldKeys {
    fn reload(&self) -> bool {
        let before = self.file.current();
        let changed = self.file.reload();
        if changed {
            for subject in before.subjects_not_as_in(&self.file.current()) {
                self.revocations.changed(subject);
            }
        }
        changed
    }

    fn files(&self) -> &[NamedFile] {
        self.file.files()
    }

    fn report_to(&self, metrics: &SecretMetrics) {
        self.file.report_to(metrics);
    }
}

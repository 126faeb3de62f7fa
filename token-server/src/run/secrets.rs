//! Every secret that is read from files again while the server runs.

use std::sync::Arc;

use service::secret_file::{NamedFile, Reload, SecretFiles, SecretMetrics};

use crate::api_keys::ToldKeys as ToldApiKeys;
use crate::config::{Config, StoreSettings};
use crate::encrypted::DecryptionKeysFile;
use crate::revocations::Revocations;
use crate::store::EVERYBODY;

/// Every secret that is read from files and may be replaced while the server runs.
pub(super) fn secret_files(
    config: &Config,
    revocations: &Arc<Revocations>,
    metrics: &SecretMetrics,
) -> SecretFiles {
    let mut files: Vec<Arc<dyn Reload>> = Vec::new();
    if let Some(tokens) = &config.admin_tokens {
        files.push(Arc::clone(tokens) as Arc<dyn Reload>);
    }
    if let Some(tokens) = &config.agent_tokens {
        files.push(Arc::clone(tokens) as Arc<dyn Reload>);
    }
    if let Some(keys) = &config.jwe_keys {
        files.push(Arc::new(ToldKeys { keys: Arc::clone(keys), revocations: Arc::clone(revocations) }));
    }
    if let Some(secret) = &config.proofs.nonce_secret {
        files.push(Arc::clone(secret) as Arc<dyn Reload>);
    }
    if let Some(keys) = &config.api_keys {
        files.push(Arc::new(ToldApiKeys::new(keys, revocations)));
    }
    if let Some(signals) = &config.signals {
        files.extend(signals.clients.iter().map(|file| Arc::clone(file) as Arc<dyn Reload>));
        files.extend(signals.senders.iter().map(|file| Arc::clone(file) as Arc<dyn Reload>));
    }
    if let Some(tls) = &config.tls {
        files.extend(tls.files());
    }
    if let StoreSettings::Redis { redis, .. } = &config.store
        && let Some(authorities) = redis.authorities()
    {
        files.push(Arc::clone(authorities) as Arc<dyn Reload>);
    }
    let mut all = SecretFiles::default();
    for file in files {
        file.report_to(metrics);
        all.add(file);
    }
    all
}

/// Decryption keys, and the feed that has to tell of a change: agents keep what the old keys opened for as long as it is silent.
struct ToldKeys {
    keys: Arc<DecryptionKeysFile>,
    revocations: Arc<Revocations>,
}

impl Reload for ToldKeys {
    fn reload(&self) -> bool {
        let changed = self.keys.reload();
        if changed {
            self.revocations.changed(EVERYBODY);
        }
        changed
    }

    fn files(&self) -> &[NamedFile] {
        self.keys.files()
    }

    fn report_to(&self, metrics: &SecretMetrics) {
        self.keys.report_to(metrics);
    }
}

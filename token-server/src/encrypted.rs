//! Encrypted tokens, opened with the operator's keys.

mod lane;

use std::sync::Arc;

use jose::{Claims, Decrypted, DecryptionKeys, Reject};
use service::secret_file::{NamedFile, Reload, SecretFile, SecretMetrics};

pub(crate) use lane::Lane;
#[cfg(test)]
pub(crate) use lane::PLACES_PER_THREAD;

use crate::revocations::Revocations;
use crate::store::EVERYBODY;

/// `TOKEN_SERVER__JWE__KEYS_FILE`.
pub type DecryptionKeysFile = SecretFile<DecryptionKeys>;

/// The same, and who has to hear that it changed: agents keep what the old keys opened for as long as the feed is silent.
pub(crate) struct ToldKeys {
    pub(crate) keys: Arc<DecryptionKeysFile>,
    pub(crate) revocations: Arc<Revocations>,
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

/// What an encrypted token held.
pub(crate) struct Opened {
    /// The protected header as compact JSON.
    pub(crate) header: String,
    /// The claims; believed only if nothing is nested.
    pub(crate) claims: Claims,
    /// The signed token that held them, if one did.
    pub(crate) nested: Option<String>,
}

/// Opens a token. Without keys nobody here can judge it.
pub(crate) async fn open(
    token: &str,
    keys: Option<&DecryptionKeysFile>,
    lane: &Lane,
) -> Result<Opened, Reject> {
    open_with(token, &keys.ok_or(Reject::Unsupported)?.current(), lane).await
}

/// Opens a token with these keys; in the lane if it takes a private one.
pub(crate) async fn open_with(
    token: &str,
    keys: &Arc<DecryptionKeys>,
    lane: &Lane,
) -> Result<Opened, Reject> {
    if !jose::needs_private_key(token, keys) {
        return decrypt(token, keys);
    }
    let (token, keys) = (token.to_owned(), Arc::clone(keys));
    lane.run(move || decrypt(&token, &keys)).await
}

fn decrypt(token: &str, keys: &DecryptionKeys) -> Result<Opened, Reject> {
    match jose::decrypt(token, keys)? {
        Decrypted::Claims { header, claims } => Ok(Opened { header, claims, nested: None }),
        Decrypted::Nested { header, token } => {
            Ok(Opened { header, claims: jose::unverified_claims(&token)?, nested: Some(token) })
        }
    }
}

/// Reads decryption keys; what was left out is told in the log.
pub(crate) fn decryption_keys(file: &[u8]) -> Result<DecryptionKeys, String> {
    let keys = DecryptionKeys::parse(file).map_err(|error| error.to_string())?;
    for skipped in keys.skipped() {
        tracing::warn!(%skipped, "decryption key skipped");
    }
    Ok(keys)
}

//! Encrypted tokens, opened with the operator's keys.

mod lane;

use std::sync::Arc;

use jose::{Claims, Decrypted, DecryptionKeys, Reject};
use service::secret_file::SecretFile;

pub(crate) use lane::Lane;
#[cfg(test)]
pub(crate) use lane::PLACES_PER_THREAD;

/// `TOKEN_SERVER__JWE__KEYS_FILE`.
pub type DecryptionKeysFile = SecretFile<DecryptionKeys>;

/// What an encrypted token held.
pub(crate) struct Opened {
    /// The protected header as compact JSON.
    pub(crate) header: String,
    /// The claims; believed only if nothing is nested.
    pub(crate) claims: Claims,
    /// The signed token that held them, if one did.
    pub(crate) nested: Option<String>,
}

/// Opens tokens.
#[derive(Clone)]
pub(crate) struct Decryption {
    /// The keys; without them no token can be opened here.
    pub(crate) keys: Option<Arc<DecryptionKeysFile>>,
    /// Where tokens are opened that take a private key.
    pub(crate) lane: Lane,
}

impl Decryption {
    /// Opens a token; in the lane if it takes a private key.
    pub(crate) async fn open(&self, token: &str) -> Result<Opened, Reject> {
        self.open_told(token).await.map(|(opened, _)| opened)
    }

    /// The same, with the keys that opened it.
    pub(crate) async fn open_told(&self, token: &str) -> Result<(Opened, Arc<DecryptionKeys>), Reject> {
        let keys = self.keys.as_ref().ok_or(Reject::Unsupported)?.current();
        if !jose::needs_private_key(token, &keys) {
            return Ok((decrypt(token, &keys)?, keys));
        }
        let (token, opening) = (token.to_owned(), Arc::clone(&keys));
        Ok((self.lane.run(move || decrypt(&token, &opening)).await?, keys))
    }

    /// Whether these keys are the ones in use.
    pub(crate) fn uses(&self, keys: &Arc<DecryptionKeys>) -> bool {
        self.keys.as_ref().is_some_and(|file| Arc::ptr_eq(keys, &file.current()))
    }
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

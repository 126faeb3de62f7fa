//! Private and secret keys of the operator, one of which may stand in for those that tokens do not name.
//!
//! As with verification keys, each one is judged on its own and left out with a reason, and what it may be used for is
//! bound when it is read.

mod candidate;
mod jwk;
mod key;
mod skip;

use serde_json::value::RawValue;

use candidate::Candidate;
use jwk::Unmarked;
pub use key::DecryptionKey;
pub use skip::DecryptionSkipReason;

use crate::json::Object;
use crate::jwe::header::Header;
use crate::keys::{Joined, source};
use crate::limits::{MAX_KEYS, MAX_TRIED_KEYS};
use crate::{KeySetError, SkipReason, SkippedKey};

/// The usable keys of a source, and what became of the others.
#[derive(Debug)]
pub struct DecryptionKeys {
    keys: Vec<DecryptionKey>,
    skipped: Vec<SkippedKey<DecryptionSkipReason>>,
}

/// A source gave no usable key, or contradicts itself. No message holds text of the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptionKeysError {
    /// The source cannot be read at all.
    #[error(transparent)]
    Source(#[from] KeySetError),
    /// The source is neither a JWK set, nor a JWK, nor a list of JWKs.
    #[error("neither a JWK set, nor a JWK, nor a list of JWKs")]
    Form,
    /// More than one key is marked as the default.
    #[error("{count} keys are marked as the default; at most one can be")]
    SeveralDefaults {
        /// How many.
        count: usize,
    },
    /// The default key is not a secret.
    #[error("the default key is not symmetric; only a secret can stand in for keys that tokens do not name")]
    AsymmetricDefault,
    /// Every key was left out.
    #[error("holds no usable key: {}", Joined(.0))]
    NoneUsable(Vec<SkippedKey<DecryptionSkipReason>>),
}

impl DecryptionKeys {
    /// Reads private and secret JWKs: a list, a JWK set, or a single one.
    ///
    /// `"default": true` marks the key for tokens that name no key or an unknown one. A secret that is the only key of its
    /// source is the default without a mark, unless it says `"default": false`. A default key that was left out is not
    /// replaced by another.
    ///
    /// `alg` binds a key, and may also be the content encryption of a key for `dir`; `enc` binds it further. A key
    /// without `alg` serves every algorithm that its type and size fit.
    ///
    /// # Errors
    ///
    /// When there is not one usable key in it, or when the marks contradict each other.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecryptionKeysError> {
        let (jwks, more) = jwks(source::text(bytes)?)?;
        let unmarked = if jwks.len() == 1 && more == 0 { Unmarked::Default } else { Unmarked::Named };
        let candidates: Vec<_> = jwks.into_iter().map(|jwk| jwk::candidate(jwk, unmarked)).collect();
        let count = candidates.iter().filter(|candidate| candidate.is_default).count();
        if count > 1 {
            return Err(DecryptionKeysError::SeveralDefaults { count });
        }

        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (index, Candidate { kid, is_default, outcome }) in candidates.into_iter().enumerate() {
            match outcome {
                Ok(key) if is_default && !key.is_symmetric() => {
                    return Err(DecryptionKeysError::AsymmetricDefault);
                }
                Ok(key) => keys.push(key),
                Err(reason) => skipped.push(SkippedKey { kid, position: index.saturating_add(1), reason }),
            }
        }
        if more > 0 {
            let reason = SkipReason::TooMany { more, max: MAX_KEYS }.into();
            skipped.push(SkippedKey { kid: None, position: MAX_KEYS.saturating_add(1), reason });
        }
        match (keys.is_empty(), skipped.is_empty()) {
            (false, _) => Ok(Self { keys, skipped }),
            (true, true) => Err(KeySetError::Empty.into()),
            (true, false) => Err(DecryptionKeysError::NoneUsable(skipped)),
        }
    }

    /// The usable keys, in the order of the source.
    pub fn keys(&self) -> &[DecryptionKey] {
        &self.keys
    }

    /// What was left out, and why.
    pub fn skipped(&self) -> &[SkippedKey<DecryptionSkipReason>] {
        &self.skipped
    }

    /// The keys to try for a token, at most [`MAX_TRIED_KEYS`], of those that fit its algorithms: the ones that bear its
    /// `kid`; for a `kid` that none bears, the default secret; without a `kid`, the default secret and every private
    /// key. An unnamed secret must be marked, since what it opens is believed; what a private key opens is not.
    pub(super) fn candidates<'a>(&'a self, header: &'a Header) -> impl Iterator<Item = &'a DecryptionKey> {
        let is_named = |key: &&DecryptionKey| header.kid.is_some() && key.kid() == header.kid.as_deref();
        let is_known = self.keys.iter().any(|key| is_named(&key));
        self.keys
            .iter()
            .filter(move |key| {
                let unnamed = header.kid.is_none() && !key.is_symmetric();
                if is_known { is_named(key) } else { key.is_default() || unnamed }
            })
            .filter(|key| key.fits(header.key_management, header.content_encryption))
            .take(MAX_TRIED_KEYS)
    }
}

/// The single keys of a source, and how many there are over the limit.
fn jwks(text: &str) -> Result<(Vec<&str>, usize), DecryptionKeysError> {
    if text.is_empty() {
        return Err(KeySetError::Empty.into());
    }
    if !text.starts_with(['[', '{']) {
        return Err(DecryptionKeysError::Form);
    }
    let json = source::well_formed(text)?;
    let list = match Object::members_of(json) {
        None => json,
        Some(object) => match (object.get("keys"), object.get("kty")) {
            (Some(keys), _) => keys,
            (None, Some(_)) => return Ok((vec![json], 0)),
            (None, None) => return Err(DecryptionKeysError::Form),
        },
    };
    let list: Vec<&RawValue> = serde_json::from_str(list).map_err(|_| DecryptionKeysError::Form)?;
    let more = list.len().saturating_sub(MAX_KEYS);
    Ok((list.into_iter().take(MAX_KEYS).map(RawValue::get).collect(), more))
}

//! Verification keys: three forms of sources, one set (RFC 7517, PEM, the legacy list).
//!
//! Every key is judged on its own, and one that is bad or unknown never spoils the set: it is left out with a reason.
//! An algorithm is bound to a key when the key is read, never when a token asks for it.

mod candidate;
pub(crate) mod components;
mod curve;
mod error;
mod identity;
pub(crate) mod jwk;
mod key;
mod legacy;
mod material;
mod ml_dsa;
mod pem;
mod presented;
mod roca;
mod rules;
mod skip;
pub(crate) mod source;
pub(crate) mod thumbprint;

use std::sync::Arc;

use candidate::Candidate;
use components::Admitted;
pub use curve::Curve;
pub(crate) use error::Joined;
pub use error::KeySetError;
pub use identity::Identity;
pub use key::{Key, KeyKind};
pub use ml_dsa::MlDsa;
pub(crate) use presented::presented;
pub use rules::{KeyOrigin, KeyRules};
pub use skip::{Doubt, Excerpt, KeyWarning, SkipReason, SkippedKey};

/// The usable keys of one or more sources, and what became of the others.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<SkippedKey>,
    warnings: Vec<KeyWarning>,
}

impl KeySet {
    /// Reads a source: a JWK set, a list of JWKs or a single one, PEM blocks, a map from `kid` to PEM, or the legacy list.
    ///
    /// # Errors
    ///
    /// When there is not one usable key in it, so that a broken answer never replaces a good set.
    pub fn parse(bytes: &[u8], rules: &KeyRules) -> Result<Self, KeySetError> {
        let candidates = source::candidates(bytes, rules)?;
        let mut set = Self::empty();
        for (index, Candidate { kid, reach, thumbprints, issuer, outcome }) in
            candidates.into_iter().enumerate()
        {
            match outcome {
                Ok(Admitted { kind, algorithms, material, identity, doubts }) => {
                    set.warnings
                        .extend(doubts.into_iter().map(|doubt| KeyWarning { kid: kid.clone(), doubt }));
                    set.keys.push(Key {
                        kid,
                        kind,
                        algorithms,
                        reach,
                        thumbprints,
                        issuer,
                        identity,
                        material: Arc::new(material),
                    });
                }
                Err(reason) => {
                    set.skipped.push(SkippedKey { kid, position: index.saturating_add(1), reason });
                }
            }
        }
        match set {
            Self { keys, skipped, .. } if keys.is_empty() && skipped.is_empty() => Err(KeySetError::Empty),
            Self { keys, skipped, .. } if keys.is_empty() => Err(KeySetError::NoneUsable(skipped)),
            set => Ok(set),
        }
    }

    /// A set without keys.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The keys of several sources together, in their order.
    pub fn merge<'a>(sets: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut merged = Self::empty();
        for set in sets {
            merged.keys.extend_from_slice(&set.keys);
            merged.skipped.extend_from_slice(&set.skipped);
            merged.warnings.extend_from_slice(&set.warnings);
        }
        merged
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The usable keys, in the order of their sources.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// What was left out, and why.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// What was taken with a doubt.
    pub fn warnings(&self) -> &[KeyWarning] {
        &self.warnings
    }
}

//! Verification keys: three forms of sources, one set (RFC 7517, PEM, the legacy list).
//!
//! Every key is judged on its own, and one that is bad or unknown never spoils the set: it is left out with a reason.
//! An algorithm is bound to a key when the key is read, never when a token asks for it.

pub(crate) mod components;
mod identity;
pub(crate) mod jwk;
mod key;
mod legacy;
mod material;
mod ml_dsa;
mod pem;
mod roca;
mod skip;
pub(crate) mod source;
pub(crate) mod thumbprint;

use std::fmt;
use std::sync::Arc;

use components::Admitted;
pub use identity::Identity;
use key::Reach;
pub use key::{Curve, Key, KeyKind};
pub use ml_dsa::MlDsa;
pub use skip::{Doubt, Excerpt, KeyWarning, SkipReason, SkippedKey};
use thumbprint::Thumbprints;

use crate::Profile;
use crate::header::Header;
use crate::issuer::Owner;
use crate::limits::MAX_TRIED_KEYS;

/// Where keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyOrigin {
    /// A file of the operator.
    File,
    /// A URL: whatever it serves is seen by others too.
    Url,
}

/// How strictly a source's keys are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRules {
    /// Where the keys come from.
    pub origin: KeyOrigin,
    /// The preset: `ms-users` takes weak keys of the legacy list, with a warning.
    pub profile: Profile,
    /// Take HMAC secrets shorter than the hash, with a warning.
    pub allow_short_secrets: bool,
    /// Take symmetric keys beside asymmetric ones from a URL, with a warning.
    pub allow_mixed_keys: bool,
}

/// The usable keys of one or more sources, and what became of the others.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<SkippedKey>,
    warnings: Vec<KeyWarning>,
}

/// A source gave no usable key. No message holds text of the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// The source is longer than is read.
    #[error("{len} bytes; at most {max} are read")]
    TooLarge {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The source is not UTF-8.
    #[error("not text in UTF-8")]
    NotText,
    /// The source looks like JSON and is not.
    #[error("not JSON: error at line {line}, column {column}")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// Objects and arrays are nested too deeply.
    #[error("nested deeper than {max} levels")]
    Nesting {
        /// The limit.
        max: usize,
    },
    /// The source is neither a JWK set, nor a JWK, nor PEM, nor the legacy list.
    #[error("neither a JWK set, nor PEM, nor a map of certificates, nor a list of secrets and certificates")]
    Form,
    /// An object has a member twice, so that two readers would take different ones.
    #[error("not one JSON object with unique members")]
    Repeated,
    /// The source holds no key at all.
    #[error("holds no key")]
    Empty,
    /// Every key was left out.
    #[error("holds no usable key: {}", Joined(.0))]
    NoneUsable(Vec<SkippedKey>),
}

/// What became of one key of a source.
struct Candidate {
    kid: Option<String>,
    reach: Reach,
    thumbprints: Thumbprints,
    issuer: Option<String>,
    outcome: Result<Admitted, SkipReason>,
}

impl Candidate {
    /// A key that is tried for tokens with its `kid`, or for all tokens if it has none.
    fn named(kid: Option<String>, outcome: Result<Admitted, SkipReason>) -> Self {
        let reach = if kid.is_some() { Reach::Named } else { Reach::Every };
        Self { kid, reach, thumbprints: Thumbprints::default(), issuer: None, outcome }
    }

    /// A key that is tried for tokens with any `kid`.
    fn unbound(kid: Option<String>, outcome: Result<Admitted, SkipReason>) -> Self {
        Self { kid, reach: Reach::Every, thumbprints: Thumbprints::default(), issuer: None, outcome }
    }

    /// With hashes by which tokens may name the key.
    fn with_thumbprints(self, thumbprints: Thumbprints) -> Self {
        Self { thumbprints, ..self }
    }

    /// With what it says of whose it is.
    fn of_issuer(self, issuer: Option<String>) -> Self {
        Self { issuer, ..self }
    }

    fn skipped(kid: Option<String>, reason: SkipReason) -> Self {
        Self::named(kid, Err(reason))
    }
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

    /// The keys to try for a token, at most [`MAX_TRIED_KEYS`], of those that may sign for `owner`: those that bear its `kid` or a hash of its certificate
    /// first, then those that are tried for every token. A token without `kid` is tried with all that fit its algorithm.
    pub(crate) fn candidates<'a>(
        &'a self,
        header: &'a Header,
        owner: &'a Owner<'a>,
    ) -> impl Iterator<Item = &'a Key> {
        let kid = header.kid.as_deref();
        let fits = move |key: &&Key| key.algorithms.contains(header.algorithm) && owner.may_use(key);
        let is_named = move |key: &&Key| {
            (kid.is_some() && key.kid() == kid) || key.thumbprints.meet(&header.thumbprints)
        };
        let is_tried_anyway =
            move |key: &&Key| !is_named(key) && (kid.is_none() || key.reach == Reach::Every);
        let named = self.keys.iter().filter(fits).filter(is_named);
        let others = self.keys.iter().filter(fits).filter(is_tried_anyway);
        named.chain(others).take(MAX_TRIED_KEYS)
    }
}

/// Reasons in one line.
pub(crate) struct Joined<'a, R>(pub(crate) &'a [SkippedKey<R>]);

/// A message names so many keys; their number tells the rest.
const JOINED_KEYS: usize = 8;

impl<R: fmt::Display> fmt::Display for Joined<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.0.iter().take(JOINED_KEYS).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{key}")?;
        }
        match self.0.len().saturating_sub(JOINED_KEYS) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

//! Tokens that were verified lately.
//!
//! A hit skips decryption and signature and nothing else: the token's time, its binding and the rules are judged on each
//! request, and what cannot change between two is part of the key (token, policy, version of the key set). Refused tokens are not
//! kept: there is no end to them.

use std::sync::Arc;

use bytes::Bytes;
use jose::{AuthScheme, Confirmation, DecryptionKeys, TokenHash, Window};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::question::PolicyId;
use crate::payload::Payload;

/// Bytes of an entry beside its texts, by the layout of its types and of the cache's tables.
const OVERHEAD: usize = 500;

/// How much more the claims take as a tree than as text.
const TREE: usize = 4;

/// What a verification holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) token: TokenHash,
    pub(super) policy: PolicyId,
    /// A token that is bound to no key is refused behind `DPoP`.
    pub(super) scheme: AuthScheme,
    /// The version of the key set.
    pub(super) keys: u64,
}

/// A token whose signature and claims are good.
pub struct Verified {
    /// When it may be used.
    pub(super) window: Window,
    /// What its client has to show.
    pub(super) confirmation: Confirmation,
    /// The configured issuer, as it is shown.
    pub(super) issuer: Option<Box<str>>,
    /// What the rules are held against.
    pub(super) payload: Payload,
    /// The same as JSON.
    pub(super) json: Box<str>,
    /// The values of the claims that the application learns.
    pub(super) handed_on: Vec<Bytes>,
    /// The keys that opened it, where it was encrypted; it is good while they are in use.
    pub(super) opened_with: Option<Arc<DecryptionKeys>>,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Tokens.
    pub entries: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// With a limit of 0 nothing is kept.
pub(super) struct VerifiedTokens(Option<Cache<Key, Arc<Verified>, Weight>>);

/// Weighs entries so that both limits hold: none weighs less than its share of the bytes.
#[derive(Debug, Clone)]
struct Weight {
    least: u64,
}

impl Weighter<Key, Arc<Verified>> for Weight {
    fn weight(&self, _: &Key, verified: &Arc<Verified>) -> u64 {
        let handed_on: usize = verified.handed_on.iter().map(Bytes::len).sum();
        let bytes = verified.json.len().saturating_mul(1 + TREE).saturating_add(handed_on);
        u64::try_from(bytes.saturating_add(OVERHEAD)).unwrap_or(u64::MAX).max(self.least)
    }
}

impl VerifiedTokens {
    pub(super) fn new(limits: Limits) -> Self {
        Self((limits.entries > 0 && limits.bytes > 0).then(|| {
            let items = usize::try_from(limits.entries).unwrap_or(usize::MAX);
            let least = limits.bytes.checked_div(limits.entries).unwrap_or(1).max(1);
            Cache::with_weighter(items, limits.bytes, Weight { least })
        }))
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Verified>> {
        self.0.as_ref()?.get(key)
    }

    pub(super) fn keep(&self, key: Key, verified: Arc<Verified>) {
        if let Some(cache) = &self.0 {
            cache.insert(key, verified);
        }
    }

    pub(super) fn forget(&self, key: &Key) {
        if let Some(cache) = &self.0 {
            cache.remove(key);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Cache::len)
    }
}

//! The protected header of a proof (RFC 9449 section 4.2). A client writes the same before each of its proofs, so that what was read
//! of one, and the key in it, is kept for the next.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::fault::ProofFault;
use crate::header::Header;
use crate::json::{Object, string};
use crate::keys::presented;
use crate::{Algorithm, AlgorithmSet, Identity, Key, Reject, SkipReason, Thumbprint, base64url};

/// The `typ` of proofs (RFC 9449 section 4.2). Media types are compared without case (RFC 2045 section 5.1).
const TYPE: &str = "dpop+jwt";

/// Headers that are kept. Each is of a good proof beside a good token: no other client gets one in, or another one out.
const KEPT: usize = 4096;

/// What counts of a header.
#[derive(Debug)]
pub(super) struct ProofHeader {
    /// How the proof claims to be signed.
    pub algorithm: Algorithm,
    /// The key that it brings along, good for that algorithm alone.
    pub key: Key,
    /// What tokens that are bound to that key call it (`jkt`).
    pub thumbprint: Thumbprint,
}

impl ProofHeader {
    /// Reads one whose `typ` and `alg` are those of a proof. What else may name a key (`kid`, `jku`, `x5u`, `x5c`) is not looked
    /// at.
    pub fn read(text: &str, accepted: AlgorithmSet) -> Result<Self, ProofFault> {
        let bytes = base64url::decode(text).map_err(|base64url::NotBase64Url| ProofFault::Malformed)?;
        let fault =
            |reject| if reject == Reject::Algorithm { ProofFault::Algorithm } else { ProofFault::Malformed };
        let Header { json, algorithm, .. } = Header::parse(&bytes).map_err(fault)?;
        let members = Object::members_of(&json).ok_or(ProofFault::Malformed)?;
        let typ = members.get("typ").and_then(string);
        if !typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE)) {
            return Err(ProofFault::Type);
        }
        if !accepted.contains(algorithm) || AlgorithmSet::HMAC.contains(algorithm) {
            return Err(ProofFault::Algorithm);
        }
        let jwk = members.get("jwk").ok_or(ProofFault::Key)?;
        let key = presented(jwk, algorithm).map_err(|reason| {
            if reason == SkipReason::PrivateHalf { ProofFault::PrivateKey } else { ProofFault::Key }
        })?;
        let thumbprint = match key.identity() {
            Identity::Thumbprint(text) => Thumbprint::read(text),
            Identity::SecretOf { .. } => None,
        };
        Ok(Self { algorithm, thumbprint: thumbprint.ok_or(ProofFault::Key)?, key })
    }
}

/// The headers of good proofs, by their text.
#[derive(Debug)]
pub struct ProofHeaders(Cache<Box<str>, Arc<ProofHeader>>);

impl Default for ProofHeaders {
    fn default() -> Self {
        Self(Cache::new(KEPT))
    }
}

impl ProofHeaders {
    pub(super) fn get(&self, text: &str) -> Option<Arc<ProofHeader>> {
        self.0.get(text)
    }

    /// Keeps the header of a proof that was found good.
    pub(super) fn keep(&self, text: &str, header: Arc<ProofHeader>) {
        self.0.insert(text.into(), header);
    }
}

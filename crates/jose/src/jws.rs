//! Compact JWS (RFC 7515 section 7.1): whose signature it is, and what it is over.

use crate::header::Header;
use crate::issuer::Owner;
use crate::{AlgorithmSet, Key, KeySet, Reject, base64url};

/// A header and a payload that a key of ours has signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Jws {
    /// The protected header as compact JSON.
    pub header: String,
    /// The payload; not necessarily claims.
    pub payload: Vec<u8>,
}

/// The texts of a signed token, none of them decoded.
pub(crate) struct Parts<'a> {
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
    /// What is signed: header and payload.
    pub(crate) message: &'a str,
}

impl<'a> Parts<'a> {
    /// Cuts a token at its first dot and its last one. Dots between, like everything else outside the alphabet, fail to decode.
    pub(crate) fn of(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        Some(Self { header, payload, signature, message })
    }
}

/// A signed token that was taken apart and believed in nothing.
pub(crate) struct Unverified<'a> {
    header: Header,
    payload: Vec<u8>,
    message: &'a str,
    signature: Vec<u8>,
    padded: bool,
}

type Decoder = fn(&str) -> Result<Vec<u8>, base64url::NotBase64Url>;

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    pub(crate) fn parse(token: &'a str) -> Result<Self, Reject> {
        Self::decoded(token, base64url::decode, false)
    }

    /// Takes a token apart whose parts are padded; whose it may be is told by [`is_padded`](Self::is_padded).
    pub(crate) fn parse_padded(token: &'a str) -> Result<Self, Reject> {
        Self::decoded(token, base64url::decode_padded, true)
    }

    fn decoded(token: &'a str, decode: Decoder, padded: bool) -> Result<Self, Reject> {
        let part = |encoded: &str| part(decode(encoded));
        let parts = Parts::of(token).ok_or(Reject::Malformed)?;
        let header = Header::parse(&part(parts.header)?)?;
        let signature = part(parts.signature)?;
        Ok(Self { header, payload: part(parts.payload)?, message: parts.message, signature, padded })
    }

    /// Whether its parts are padded.
    pub(crate) fn is_padded(&self) -> bool {
        self.padded
    }

    /// The header, which anybody may have written.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Whether this key made the signature.
    pub(crate) fn is_signed_by(&self, key: &Key) -> bool {
        key.verifies(self.header.algorithm, self.message.as_bytes(), &self.signature)
    }

    /// The payload, which anybody may have written.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What remains when one of the keys made the signature, of those that may sign for `owner`.
    pub(crate) fn verify(
        self,
        keys: &KeySet,
        owner: &Owner<'_>,
        algorithms: AlgorithmSet,
    ) -> Result<Jws, Reject> {
        self.check(keys, owner, algorithms)?;
        Ok(Jws { header: self.header.json, payload: self.payload })
    }

    fn check(&self, keys: &KeySet, owner: &Owner<'_>, algorithms: AlgorithmSet) -> Result<(), Reject> {
        let header = &self.header;
        if !algorithms.contains(header.algorithm) {
            return Err(Reject::Algorithm);
        }
        if keys.is_empty() {
            return Err(Reject::NoKeys);
        }
        let mut candidates = keys.candidates(header, owner).peekable();
        if candidates.peek().is_none() {
            return Err(Reject::UnknownKey);
        }
        if candidates.any(|key| self.is_signed_by(key)) { Ok(()) } else { Err(Reject::Signature) }
    }
}

impl Jws {
    /// Verifies the signature and nothing else.
    ///
    /// # Errors
    ///
    /// [`Reject::Malformed`] for anything but three parts in canonical base64url, none of them empty, whose first one
    /// is a strict JSON header; [`Reject::CriticalHeader`]; [`Reject::Algorithm`] for one that is unknown or not in
    /// the set; [`Reject::NoKeys`] for an empty key set; [`Reject::UnknownKey`] if it holds no key to try;
    /// [`Reject::Signature`] if none of those that were tried made the signature.
    pub fn verify(token: &str, keys: &KeySet, algorithms: AlgorithmSet) -> Result<Self, Reject> {
        Unverified::parse(token)?.verify(keys, &Owner::Issuer(&[]), algorithms)
    }
}

fn part(decoded: Result<Vec<u8>, base64url::NotBase64Url>) -> Result<Vec<u8>, Reject> {
    match decoded {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        Ok(_) | Err(base64url::NotBase64Url) => Err(Reject::Malformed),
    }
}

/// Payloads are personal data, so only sizes are shown.
impl std::fmt::Debug for Jws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jws").field("payload_len", &self.payload.len()).finish_non_exhaustive()
    }
}

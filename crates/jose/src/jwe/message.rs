//! Compact JWE (RFC 7516 section 7.1): what was encrypted to a key of ours.

use std::fmt;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

use super::algorithm::KeyManagement;
use super::content::Sealed;
use super::header::Header;
use super::keys::{DecryptionKey, DecryptionKeys};
use super::secret::Undecryptable;
use crate::limits::MAX_INFLATED_BYTES;
use crate::{Reject, base64url};

/// A header and a plaintext that were encrypted to a key of ours.
#[derive(Clone, PartialEq, Eq)]
pub struct Jwe {
    /// The protected header as compact JSON.
    pub header: String,
    /// `alg`, which tells whether the sender held a secret of ours ([`KeyManagement::is_symmetric`]).
    pub key_management: KeyManagement,
    /// `cty`, as it was written.
    pub content_type: Option<String>,
    /// The plaintext, inflated; not necessarily claims.
    pub plaintext: Vec<u8>,
}

impl Jwe {
    /// Decrypts and nothing else. Under asymmetric key management a plaintext proves nothing about its sender.
    ///
    /// # Errors
    ///
    /// [`Reject::Malformed`] for anything but five parts in canonical base64url whose first one is a strict JSON header
    /// with the parameters that its `alg` needs; [`Reject::CriticalHeader`]; [`Reject::Algorithm`] for an `alg`, `enc`
    /// or `zip` that is not supported; [`Reject::UnknownKey`] if there is no key to try; [`Reject::Decryption`] for
    /// everything else.
    pub fn decrypt(token: &str, keys: &DecryptionKeys) -> Result<Self, Reject> {
        let mut parts = token.split('.');
        let (Some(protected), Some(encrypted_key), Some(iv), Some(ciphertext), Some(tag), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Reject::Malformed);
        };
        let header = Header::parse(&part(protected)?)?;
        let encrypted_key = part(encrypted_key)?;
        let (iv, ciphertext, tag) = (part(iv)?, part(ciphertext)?, part(tag)?);
        let sealed = Sealed { aad: protected.as_bytes(), iv: &iv, ciphertext: &ciphertext, tag: &tag };

        let plaintext = plaintext(keys, &header, &encrypted_key, &sealed)?;
        Ok(Self {
            header: header.json,
            key_management: header.key_management,
            content_type: header.content_type,
            plaintext,
        })
    }

    /// `alg` of a token whose header can be read.
    pub(super) fn key_management(token: &str) -> Option<KeyManagement> {
        let (protected, _) = token.split_once('.')?;
        Header::parse(&part(protected).ok()?).ok().map(|header| header.key_management)
    }
}

fn part(encoded: &str) -> Result<Vec<u8>, Reject> {
    base64url::decode(encoded).map_err(|base64url::NotBase64Url| Reject::Malformed)
}

fn plaintext(
    keys: &DecryptionKeys,
    header: &Header,
    encrypted_key: &[u8],
    sealed: &Sealed<'_>,
) -> Result<Vec<u8>, Reject> {
    let mut candidates = keys.candidates(header).peekable();
    if candidates.peek().is_none() {
        return Err(Reject::UnknownKey);
    }
    candidates.find_map(|key| open(key, header, encrypted_key, sealed).ok()).ok_or(Reject::Decryption)
}

fn open(
    key: &DecryptionKey,
    header: &Header,
    encrypted_key: &[u8],
    sealed: &Sealed<'_>,
) -> Result<Vec<u8>, Undecryptable> {
    let content_key = key.content_key(header, encrypted_key)?;
    let plaintext = sealed.open(header.content_encryption, &content_key)?;
    if header.is_deflated { inflate(&plaintext) } else { Ok(plaintext) }
}

/// Raw DEFLATE (RFC 1951), which stops at the limit and not when memory ends.
fn inflate(deflated: &[u8]) -> Result<Vec<u8>, Undecryptable> {
    decompress_to_vec_with_limit(deflated, MAX_INFLATED_BYTES).map_err(|_| Undecryptable)
}

/// Plaintexts are secrets, so only sizes are shown.
impl fmt::Debug for Jwe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwe")
            .field("key_management", &self.key_management)
            .field("plaintext_len", &self.plaintext.len())
            .finish_non_exhaustive()
    }
}

//! One usable decryption key.

use std::fmt;

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey};

use crate::jwe::agreement::Derived;
use crate::jwe::algorithm::{ContentEncryption, KeyManagement, OaepHash};
use crate::jwe::content::Sealed;
use crate::jwe::header::{Header, Recipient};
use crate::jwe::key_wrap;
use crate::jwe::secret::{Secret, Undecryptable};

/// A usable decryption key.
pub struct DecryptionKey {
    pub(super) kid: Option<String>,
    pub(super) is_default: bool,
    pub(super) binding: Binding,
    pub(super) material: Material,
}

/// What a key was meant for, as far as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Binding {
    pub(super) key_management: Option<KeyManagement>,
    pub(super) content_encryption: Option<ContentEncryption>,
}

/// The private or secret part.
pub(super) enum Material {
    /// A shared secret.
    Oct(Secret),
    /// An RSA key of 2048 to 8192 bits.
    Rsa(OaepPrivateDecryptingKey),
    /// A key of an elliptic curve.
    Agreement(PrivateKey),
}

impl DecryptionKey {
    /// The key's identifier.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether it stands in for keys that tokens do not name.
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    /// Whether it is a shared secret.
    pub fn is_symmetric(&self) -> bool {
        matches!(self.material, Material::Oct(_))
    }

    /// Whether the key may be tried: bound by its type, its size and its own `alg` and `enc`.
    pub(in crate::jwe) fn fits(
        &self,
        key_management: KeyManagement,
        content_encryption: ContentEncryption,
    ) -> bool {
        self.binding.key_management.is_none_or(|bound| bound == key_management)
            && self.binding.content_encryption.is_none_or(|bound| bound == content_encryption)
            && self.material.fits(key_management, content_encryption)
    }

    /// Whether there is anything that the key may be tried for.
    pub(super) fn is_of_use(&self) -> bool {
        KeyManagement::ALL.into_iter().any(|key_management| {
            ContentEncryption::ALL.into_iter().any(|enc| self.fits(key_management, enc))
        })
    }

    /// The content encryption key of a token.
    pub(in crate::jwe) fn content_key(
        &self,
        header: &Header,
        encrypted_key: &[u8],
    ) -> Result<Secret, Undecryptable> {
        let enc = header.content_encryption;
        match (&self.material, &header.recipient) {
            (Material::Oct(key), Recipient::Dir) if encrypted_key.is_empty() => Ok(key.clone()),
            (Material::Oct(kek), Recipient::AesKw(size)) => key_wrap::unwrap(*size, kek, encrypted_key),
            (Material::Oct(kek), Recipient::AesGcmKw { size, iv, tag }) => {
                let sealed = Sealed { aad: &[], iv, ciphertext: encrypted_key, tag };
                sealed.open_gcm(*size, kek).map(Secret::new)
            }
            (Material::Rsa(key), Recipient::RsaOaep(hash)) => {
                open_oaep(key, *hash, encrypted_key, enc.key_len())
            }
            (Material::Agreement(key), Recipient::EcdhEs(agreement)) if encrypted_key.is_empty() => {
                agreement.derive(key, &Derived { algorithm_id: enc.as_str(), len: enc.key_len() })
            }
            (Material::Agreement(key), Recipient::EcdhEsKw(size, agreement)) => {
                let algorithm_id = header.key_management.as_str();
                let kek = agreement.derive(key, &Derived { algorithm_id, len: size.bytes() })?;
                key_wrap::unwrap(*size, &kek, encrypted_key)
            }
            (Material::Oct(_) | Material::Rsa(_) | Material::Agreement(_), _) => Err(Undecryptable),
        }
    }
}

impl Material {
    fn fits(&self, key_management: KeyManagement, content_encryption: ContentEncryption) -> bool {
        match (self, key_management) {
            (Self::Oct(key), KeyManagement::Dir) => key.len() == content_encryption.key_len(),
            (Self::Oct(key), KeyManagement::AesKw(size) | KeyManagement::AesGcmKw(size)) => {
                key.len() == size.bytes()
            }
            (Self::Rsa(_), KeyManagement::RsaOaep(_))
            | (Self::Agreement(_), KeyManagement::EcdhEs | KeyManagement::EcdhEsKw(_)) => true,
            (Self::Oct(_) | Self::Rsa(_) | Self::Agreement(_), _) => false,
        }
    }
}

/// RSAES-OAEP. What does not decrypt goes on with a random key, so that the answer comes from the content's tag, by the
/// same way and after the same time (RFC 7516 section 11.5).
fn open_oaep(
    key: &OaepPrivateDecryptingKey,
    hash: OaepHash,
    encrypted_key: &[u8],
    len: usize,
) -> Result<Secret, Undecryptable> {
    let algorithm: &'static OaepAlgorithm = match hash {
        OaepHash::Sha1 => &OAEP_SHA1_MGF1SHA1,
        OaepHash::Sha256 => &OAEP_SHA256_MGF1SHA256,
    };
    let mut content_key = Secret::new(vec![0; len]);
    rand::fill(&mut content_key)?;
    let mut buffer = Secret::new(vec![0; key.min_output_size()]);
    if let Ok(opened) = key.decrypt(algorithm, encrypted_key, &mut buffer, None)
        && opened.len() == len
    {
        content_key.copy_from_slice(opened);
    }
    Ok(content_key)
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptionKey")
            .field("kid", &self.kid)
            .field("is_default", &self.is_default)
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}

//! Content encryption (RFC 7518 section 5), opened only after its tag was found good.

use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, AES_CBC_IV_LEN, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use super::algorithm::{AesSize, ContentEncryption};
use super::secret::Undecryptable;

/// Bytes of a GCM tag. Shorter ones can be forged by trying; aws-lc refuses them too, but does not promise it.
const GCM_TAG_LEN: usize = 16;

/// What was encrypted, and what its tag covers.
#[derive(Clone, Copy)]
pub(super) struct Sealed<'a> {
    pub(super) aad: &'a [u8],
    pub(super) iv: &'a [u8],
    pub(super) ciphertext: &'a [u8],
    pub(super) tag: &'a [u8],
}

impl Sealed<'_> {
    /// The plaintext. The sizes of key, IV and tag are those of the algorithm or it is refused.
    pub(super) fn open(&self, algorithm: ContentEncryption, key: &[u8]) -> Result<Vec<u8>, Undecryptable> {
        match algorithm {
            ContentEncryption::CbcHs(size) => self.open_cbc_hs(size, key),
            ContentEncryption::Gcm(size) => self.open_gcm(size, key),
        }
    }

    /// AES-GCM (RFC 7518 section 5.3).
    pub(super) fn open_gcm(&self, size: AesSize, key: &[u8]) -> Result<Vec<u8>, Undecryptable> {
        let algorithm = match size {
            AesSize::A128 => &AES_128_GCM,
            AesSize::A192 => &AES_192_GCM,
            AesSize::A256 => &AES_256_GCM,
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key)?);
        let nonce = Nonce::try_assume_unique_for_key(self.iv)?;
        if self.tag.len() != GCM_TAG_LEN {
            return Err(Undecryptable);
        }
        let mut plaintext = vec![0; self.ciphertext.len()];
        key.open_separate_gather(nonce, Aad::from(self.aad), self.ciphertext, self.tag, &mut plaintext)?;
        Ok(plaintext)
    }

    /// AES-CBC with HMAC-SHA-2 (RFC 7518 section 5.2): the MAC is judged before anything is decrypted.
    fn open_cbc_hs(&self, size: AesSize, key: &[u8]) -> Result<Vec<u8>, Undecryptable> {
        if key.len() != 2 * size.bytes() {
            return Err(Undecryptable);
        }
        let (mac_key, cipher_key) = key.split_at_checked(size.bytes()).ok_or(Undecryptable)?;
        let iv = <&[u8; AES_CBC_IV_LEN]>::try_from(self.iv).map_err(|_| Undecryptable)?;
        let mac = self.mac(size, mac_key)?;
        // The tag is the first half of the MAC; a shorter one is unequal as well.
        let tag = mac.as_ref().get(..size.bytes()).ok_or(Undecryptable)?;
        verify_slices_are_equal(tag, self.tag)?;

        let cipher = match size {
            AesSize::A128 => &AES_128,
            AesSize::A192 => &AES_192,
            AesSize::A256 => &AES_256,
        };
        let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(cipher, cipher_key)?)?;
        let mut buffer = self.ciphertext.to_vec();
        let len = cipher.decrypt(&mut buffer, DecryptionContext::Iv128(iv.into()))?.len();
        buffer.truncate(len);
        Ok(buffer)
    }

    /// HMAC over the associated data, the IV, the ciphertext and the length of the first in bits.
    fn mac(&self, size: AesSize, key: &[u8]) -> Result<hmac::Tag, Undecryptable> {
        let hash = match size {
            AesSize::A128 => hmac::HMAC_SHA256,
            AesSize::A192 => hmac::HMAC_SHA384,
            AesSize::A256 => hmac::HMAC_SHA512,
        };
        let aad_bits =
            u64::try_from(self.aad.len()).ok().and_then(|len| len.checked_mul(8)).ok_or(Undecryptable)?;
        let mut mac = hmac::Context::with_key(&hmac::Key::new(hash, key));
        mac.update(self.aad);
        mac.update(self.iv);
        mac.update(self.ciphertext);
        mac.update(&aad_bits.to_be_bytes());
        Ok(mac.sign())
    }
}

//! Encrypted tokens (RFC 7516, compact form): decrypted here, and what is inside told apart.
//!
//! Decryption authenticates the sender only under a symmetric key. Under a public one anybody can encrypt, so nothing
//! but a signed token inside is handed on, and its signature is the caller's to verify.
//!
//! The way of one token: [`decrypt`] -> [`Jwe::decrypt`] (header, keys to try) -> the content encryption key by the
//! means of `alg` -> the content by those of `enc`, after its tag -> `zip` -> claims, or a nested token.

mod agreement;
mod algorithm;
mod content;
mod header;
mod key_wrap;
mod keys;
mod message;
mod secret;

use std::fmt;

pub use algorithm::{AesSize, ContentEncryption, KeyManagement, OaepHash, UnknownJweAlgorithm};
pub use keys::{DecryptionKey, DecryptionKeys, DecryptionKeysError, DecryptionSkipReason};
pub use message::Jwe;

use crate::{Claims, Reject, TokenForm};

/// What an encrypted token held.
#[derive(Clone, PartialEq, Eq)]
pub enum Decrypted {
    /// Claims that a holder of the shared secret wrote.
    Claims {
        /// The protected header as compact JSON.
        header: String,
        /// The claims.
        claims: Claims,
    },
    /// A signed token. Nothing is known about it until its signature was verified.
    Nested {
        /// The protected header of the encrypted token as compact JSON.
        header: String,
        /// The token inside, of three parts.
        token: String,
    },
}

/// Decrypts a token and tells what it held. The caller bounds its length, and validates claims or verifies the token
/// inside.
///
/// # Errors
///
/// Those of [`Jwe::decrypt`], then [`Reject::Unsupported`] for an encrypted token inside, [`Reject::Unsigned`] if it
/// holds no signed token though it was encrypted with a public key, [`Reject::Malformed`] if it is neither signed nor
/// claims, or announces a token (`cty`: `JWT`) and holds none.
pub fn decrypt(token: &str, keys: &DecryptionKeys) -> Result<Decrypted, Reject> {
    let Jwe { header, key_management, content_type, plaintext } = Jwe::decrypt(token, keys)?;
    let announces_token = content_type.is_some_and(|cty| cty.eq_ignore_ascii_case("JWT"));
    match form(&plaintext) {
        TokenForm::Jws => {
            let token = String::from_utf8(plaintext).map_err(|_| Reject::Malformed)?;
            Ok(Decrypted::Nested { header, token })
        }
        TokenForm::Jwe => Err(Reject::Unsupported),
        TokenForm::Opaque | TokenForm::Other if !key_management.is_symmetric() => Err(Reject::Unsigned),
        TokenForm::Opaque | TokenForm::Other if announces_token => Err(Reject::Malformed),
        TokenForm::Opaque | TokenForm::Other => {
            Claims::parse(&plaintext).map(|claims| Decrypted::Claims { header, claims })
        }
    }
}

/// Whether [`decrypt`] would use a private key, which costs some milliseconds, and which anybody can cause who knows the
/// public one.
pub fn needs_private_key(token: &str, keys: &DecryptionKeys) -> bool {
    keys.keys().iter().any(|key| !key.is_symmetric())
        && Jwe::key_management(token).is_some_and(|key_management| !key_management.is_symmetric())
}

/// The form of a nested token; claims are [`TokenForm::Other`] however many dots they hold.
fn form(plaintext: &[u8]) -> TokenForm {
    let is_compact = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    match std::str::from_utf8(plaintext) {
        Ok(token) if plaintext.iter().all(is_compact) => TokenForm::of(token),
        Ok(_) | Err(_) => TokenForm::Other,
    }
}

/// Headers and tokens stay out of logs.
impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claims { claims, .. } => {
                f.debug_struct("Claims").field("claims", claims).finish_non_exhaustive()
            }
            Self::Nested { token, .. } => {
                f.debug_struct("Nested").field("token_len", &token.len()).finish_non_exhaustive()
            }
        }
    }
}

//! The `alg` and `enc` values of RFC 7518 sections 4 and 5 that this crate decrypts.
//!
//! `RSA1_5` is absent since its padding is an oracle, `PBES2-*` since the token names the cost and a password is no
//! key.

use std::fmt;
use std::str::FromStr;

/// The size of an AES key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AesSize {
    /// 128 bits.
    A128,
    /// 192 bits.
    A192,
    /// 256 bits.
    A256,
}

impl AesSize {
    /// Bytes of the key.
    pub const fn bytes(self) -> usize {
        match self {
            Self::A128 => 16,
            Self::A192 => 24,
            Self::A256 => 32,
        }
    }
}

/// The hash of RSAES-OAEP and of its mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OaepHash {
    /// SHA-1, whose collisions do not matter here.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// How the content encryption key comes to the recipient: a JWE `alg` value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyManagement {
    /// The shared key is the content encryption key.
    Dir,
    /// AES Key Wrap (RFC 3394).
    AesKw(AesSize),
    /// Key wrapping with AES-GCM.
    AesGcmKw(AesSize),
    /// RSAES-OAEP.
    RsaOaep(OaepHash),
    /// ECDH-ES; the agreed key is the content encryption key.
    EcdhEs,
    /// ECDH-ES; the agreed key unwraps it.
    EcdhEsKw(AesSize),
}

/// How the content is encrypted: a JWE `enc` value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentEncryption {
    /// AES-CBC with HMAC-SHA-2; the MAC has a key of the same size as the cipher.
    CbcHs(AesSize),
    /// AES-GCM.
    Gcm(AesSize),
}

/// The text is not the name of an algorithm that this crate decrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a supported encryption algorithm")]
pub struct UnknownJweAlgorithm;

impl KeyManagement {
    /// Every value that this crate decrypts.
    pub const ALL: [Self; 13] = [
        Self::Dir,
        Self::AesKw(AesSize::A128),
        Self::AesKw(AesSize::A192),
        Self::AesKw(AesSize::A256),
        Self::AesGcmKw(AesSize::A128),
        Self::AesGcmKw(AesSize::A192),
        Self::AesGcmKw(AesSize::A256),
        Self::RsaOaep(OaepHash::Sha1),
        Self::RsaOaep(OaepHash::Sha256),
        Self::EcdhEs,
        Self::EcdhEsKw(AesSize::A128),
        Self::EcdhEsKw(AesSize::A192),
        Self::EcdhEsKw(AesSize::A256),
    ];

    /// The registered name, as the `alg` header parameter spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dir => "dir",
            Self::AesKw(AesSize::A128) => "A128KW",
            Self::AesKw(AesSize::A192) => "A192KW",
            Self::AesKw(AesSize::A256) => "A256KW",
            Self::AesGcmKw(AesSize::A128) => "A128GCMKW",
            Self::AesGcmKw(AesSize::A192) => "A192GCMKW",
            Self::AesGcmKw(AesSize::A256) => "A256GCMKW",
            Self::RsaOaep(OaepHash::Sha1) => "RSA-OAEP",
            Self::RsaOaep(OaepHash::Sha256) => "RSA-OAEP-256",
            Self::EcdhEs => "ECDH-ES",
            Self::EcdhEsKw(AesSize::A128) => "ECDH-ES+A128KW",
            Self::EcdhEsKw(AesSize::A192) => "ECDH-ES+A192KW",
            Self::EcdhEsKw(AesSize::A256) => "ECDH-ES+A256KW",
        }
    }

    /// Whether only holders of a shared secret can have made the token. Otherwise everybody who has the public key can.
    pub const fn is_symmetric(self) -> bool {
        match self {
            Self::Dir | Self::AesKw(_) | Self::AesGcmKw(_) => true,
            Self::RsaOaep(_) | Self::EcdhEs | Self::EcdhEsKw(_) => false,
        }
    }
}

impl ContentEncryption {
    /// Every value that this crate decrypts.
    pub const ALL: [Self; 6] = [
        Self::CbcHs(AesSize::A128),
        Self::CbcHs(AesSize::A192),
        Self::CbcHs(AesSize::A256),
        Self::Gcm(AesSize::A128),
        Self::Gcm(AesSize::A192),
        Self::Gcm(AesSize::A256),
    ];

    /// The registered name, as the `enc` header parameter spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CbcHs(AesSize::A128) => "A128CBC-HS256",
            Self::CbcHs(AesSize::A192) => "A192CBC-HS384",
            Self::CbcHs(AesSize::A256) => "A256CBC-HS512",
            Self::Gcm(AesSize::A128) => "A128GCM",
            Self::Gcm(AesSize::A192) => "A192GCM",
            Self::Gcm(AesSize::A256) => "A256GCM",
        }
    }

    /// Bytes of the content encryption key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::CbcHs(size) => 2 * size.bytes(),
            Self::Gcm(size) => size.bytes(),
        }
    }
}

impl FromStr for KeyManagement {
    type Err = UnknownJweAlgorithm;

    /// Exact and case-sensitive (RFC 7516 section 4.1.1).
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or(UnknownJweAlgorithm)
    }
}

impl FromStr for ContentEncryption {
    type Err = UnknownJweAlgorithm;

    /// Exact and case-sensitive (RFC 7516 section 4.1.2).
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or(UnknownJweAlgorithm)
    }
}

impl fmt::Display for KeyManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ContentEncryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_exactly_and_in_no_other_case() {
        for algorithm in KeyManagement::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            assert_eq!(algorithm.to_string(), algorithm.as_str());
        }
        for algorithm in ContentEncryption::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            assert_eq!(algorithm.to_string(), algorithm.as_str());
        }
        for name in [
            "",
            "none",
            "DIR",
            "dir ",
            "a128kw",
            "RSA1_5",
            "RSA-OAEP-384",
            "PBES2-HS256+A128KW",
            "ECDH-1PU",
            "HS256",
            "C20PKW",
        ] {
            assert_eq!(name.parse::<KeyManagement>(), Err(UnknownJweAlgorithm), "{name:?}");
        }
        for name in ["", "A128CBC", "a128gcm", "A128CBC+HS256", "C20P", "A256GCM ", "dir"] {
            assert_eq!(name.parse::<ContentEncryption>(), Err(UnknownJweAlgorithm), "{name:?}");
        }
    }
}

//! The protected header of an encrypted token (RFC 7516 section 4, RFC 7518 section 4).
//!
//! As in signed tokens, `crit` and `b64` are refused, and keys that the token brings along or points to are not read,
//! `epk` excepted.

use super::agreement::{Agreement, PublicPoint};
use super::algorithm::{AesSize, ContentEncryption, KeyManagement, OaepHash};
use crate::json::{Malformed, Object, compact, name, string};
use crate::{Reject, base64url};

/// What the header asks for.
pub(super) struct Header {
    /// The whole header as compact JSON.
    pub(super) json: String,
    /// `alg`.
    pub(super) key_management: KeyManagement,
    /// How to get the content encryption key: `alg` with the parameters that belong to it.
    pub(super) recipient: Recipient,
    /// `enc`.
    pub(super) content_encryption: ContentEncryption,
    /// `zip`: whether the plaintext is deflated.
    pub(super) is_deflated: bool,
    /// `cty`.
    pub(super) content_type: Option<String>,
    /// Which key it names.
    pub(super) kid: Option<String>,
}

/// Key management with its parameters.
pub(super) enum Recipient {
    Dir,
    AesKw(AesSize),
    AesGcmKw { size: AesSize, iv: Vec<u8>, tag: Vec<u8> },
    RsaOaep(OaepHash),
    EcdhEs(Agreement),
    EcdhEsKw(AesSize, Agreement),
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Reject> {
        let malformed = |Malformed| Reject::Malformed;
        let text = std::str::from_utf8(bytes).map_err(|_| Reject::Malformed)?;
        let json = compact(text).map_err(malformed)?;
        let object = Object::parse(&json).map_err(malformed)?;

        let alg = text_of(&object, "alg")?.ok_or(Reject::Malformed)?;
        let enc = text_of(&object, "enc")?.ok_or(Reject::Malformed)?;
        let zip = text_of(&object, "zip")?;
        let kid = match object.get("kid") {
            None => None,
            Some(kid) => Some(name(kid).ok_or(Reject::Malformed)?.into_owned()),
        };
        let content_type = text_of(&object, "cty")?;
        if object.get("crit").is_some() || object.get("b64").is_some() {
            return Err(Reject::CriticalHeader);
        }
        let key_management = alg.parse().map_err(|_| Reject::Algorithm)?;
        let content_encryption = enc.parse().map_err(|_| Reject::Algorithm)?;
        let is_deflated = match zip.as_deref() {
            None => false,
            Some("DEF") => true,
            Some(_) => return Err(Reject::Algorithm),
        };
        let recipient = Recipient::parse(key_management, &object)?;
        Ok(Self {
            json: json.into_owned(),
            key_management,
            recipient,
            content_encryption,
            is_deflated,
            content_type,
            kid,
        })
    }
}

impl Recipient {
    fn parse(key_management: KeyManagement, header: &Object<'_>) -> Result<Self, Reject> {
        Ok(match key_management {
            KeyManagement::Dir => Self::Dir,
            KeyManagement::AesKw(size) => Self::AesKw(size),
            KeyManagement::AesGcmKw(size) => Self::AesGcmKw {
                size,
                iv: octets_of(header, "iv")?.ok_or(Reject::Malformed)?,
                tag: octets_of(header, "tag")?.ok_or(Reject::Malformed)?,
            },
            KeyManagement::RsaOaep(hash) => Self::RsaOaep(hash),
            KeyManagement::EcdhEs => Self::EcdhEs(agreement(header)?),
            KeyManagement::EcdhEsKw(size) => Self::EcdhEsKw(size, agreement(header)?),
        })
    }
}

fn agreement(header: &Object<'_>) -> Result<Agreement, Reject> {
    let epk = header.get("epk").and_then(Object::members_of).ok_or(Reject::Malformed)?;
    Ok(Agreement {
        ephemeral: PublicPoint::of_token(&epk).ok(),
        party_u: octets_of(header, "apu")?.unwrap_or_default(),
        party_v: octets_of(header, "apv")?.unwrap_or_default(),
    })
}

/// A parameter that must be a string where it is present.
fn text_of(header: &Object<'_>, name: &str) -> Result<Option<String>, Reject> {
    match header.get(name) {
        None => Ok(None),
        Some(raw) => string(raw).map(|text| Some(text.into_owned())).ok_or(Reject::Malformed),
    }
}

/// A parameter that must be base64url where it is present.
fn octets_of(header: &Object<'_>, name: &str) -> Result<Option<Vec<u8>>, Reject> {
    match text_of(header, name)? {
        None => Ok(None),
        Some(text) => base64url::decode(&text).map(Some).map_err(|base64url::NotBase64Url| Reject::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_counts_and_ignores_keys_that_the_token_brings() {
        let header = br#"{ "alg":"A128GCMKW", "enc":"A192CBC-HS384", "kid":"a", "zip":"DEF", "cty":"jwt", "iv":"AAAA", "tag":"AQ",
            "jwk":{"kty":"oct","k":"AA"}, "jku":"https://x.example/", "x5u":7, "p2c":1000000000 }"#;
        let header = Header::parse(header).unwrap();
        assert_eq!(header.key_management, KeyManagement::AesGcmKw(AesSize::A128));
        assert_eq!(header.content_encryption, ContentEncryption::CbcHs(AesSize::A192));
        assert_eq!((header.kid.as_deref(), header.content_type.as_deref()), (Some("a"), Some("jwt")));
        assert!(header.is_deflated);
        assert!(
            matches!(header.recipient, Recipient::AesGcmKw { iv, tag, .. } if iv == [0; 3] && tag == [1])
        );
        assert!(header.json.starts_with(r#"{"alg":"A128GCMKW","enc":"A192CBC-HS384","kid":"a","#));
    }

    #[test]
    fn a_key_in_the_token_has_one_spelling() {
        let (x, y) =
            ("gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0", "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps");
        for (x, expected) in [(x.to_owned(), true), (format!("{x}="), false)] {
            let epk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
            let header = format!(r#"{{"alg":"ECDH-ES","enc":"A128GCM","epk":{epk}}}"#);
            let recipient = Header::parse(header.as_bytes()).unwrap().recipient;
            let Recipient::EcdhEs(agreement) = recipient else { panic!("{header}") };
            assert_eq!(agreement.ephemeral.is_some(), expected, "{header}");
        }
    }

    #[test]
    fn refuses_headers_by_what_is_wrong_with_them() {
        let deep = format!(r#"{{"alg":"dir","enc":"A128GCM","x":{}{}}}"#, "[".repeat(32), "]".repeat(32));
        for (header, reject) in [
            ("", Reject::Malformed),
            ("null", Reject::Malformed),
            ("{}", Reject::Malformed),
            (deep.as_str(), Reject::Malformed),
            (r#"{"alg":"dir"}"#, Reject::Malformed),
            (r#"{"enc":"A128GCM"}"#, Reject::Malformed),
            (r#"{"alg":["dir"],"enc":"A128GCM"}"#, Reject::Malformed),
            (r#"{"alg":"dir","enc":null}"#, Reject::Malformed),
            (r#"{"alg":"dir","enc":"A128GCM","enc":"A128GCM"}"#, Reject::Malformed),
            (r#"{"alg":"dir","enc":"A128GCM","kid":[1]}"#, Reject::Malformed),
            (r#"{"alg":"dir","enc":"A128GCM","cty":{}}"#, Reject::Malformed),
            (r#"{"alg":"dir","enc":"A128GCM","zip":true}"#, Reject::Malformed),
            (r#"{"alg":"dir","enc":"A128GCM","crit":[]}"#, Reject::CriticalHeader),
            (r#"{"alg":"dir","enc":"A128GCM","crit":["exp"],"exp":1}"#, Reject::CriticalHeader),
            (r#"{"alg":"dir","enc":"A128GCM","b64":true}"#, Reject::CriticalHeader),
            (r#"{"alg":"dir","enc":"A128GCM","zip":"def"}"#, Reject::Algorithm),
            (r#"{"alg":"dir","enc":"A128GCM","zip":"GZ"}"#, Reject::Algorithm),
            (r#"{"alg":"dir","enc":"A128CBC"}"#, Reject::Algorithm),
            (r#"{"alg":"none","enc":"A128GCM"}"#, Reject::Algorithm),
            (r#"{"alg":"RSA1_5","enc":"A128GCM"}"#, Reject::Algorithm),
            (r#"{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":4294967295}"#, Reject::Algorithm),
            (r#"{"alg":"A128GCMKW","enc":"A128GCM"}"#, Reject::Malformed),
            (r#"{"alg":"A128GCMKW","enc":"A128GCM","iv":"AA"}"#, Reject::Malformed),
            (r#"{"alg":"A128GCMKW","enc":"A128GCM","iv":"AA","tag":"A"}"#, Reject::Malformed),
            (r#"{"alg":"ECDH-ES","enc":"A128GCM"}"#, Reject::Malformed),
            (r#"{"alg":"ECDH-ES","enc":"A128GCM","epk":"x"}"#, Reject::Malformed),
            (r#"{"alg":"ECDH-ES","enc":"A128GCM","epk":{},"apu":"="}"#, Reject::Malformed),
            (r#"{"alg":"ECDH-ES","enc":"A128GCM","epk":{},"apv":1}"#, Reject::Malformed),
        ] {
            assert_eq!(Header::parse(header.as_bytes()).err(), Some(reject), "{header}");
        }
    }
}

//! The claim `cnf` of a bound token (RFC 7800), and what a request shows of its client to confirm it.
//!
//! A token is bound to a key by `jkt`, the thumbprint of that key (RFC 9449 section 6.1), and to a certificate by
//! `x5t#S256`, the SHA-256 of its DER (RFC 8705 section 3.1). How a client proves that it holds one or the other is found
//! out elsewhere: here both sides are thumbprints, and are compared.

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use crate::json::{Object, string};
use crate::{Claim, Claims, Reject, base64url};

/// A SHA-256: of a key in its canonical form (RFC 7638), or of a certificate in DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; SHA256_OUTPUT_LEN]);

impl Thumbprint {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(hash)
    }

    /// One that was made elsewhere; absent where it is not 32 bytes long.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its text in a claim: base64url, 43 characters.
    pub(crate) fn read(text: &str) -> Option<Self> {
        base64url::decode(text).ok().and_then(|bytes| Self::from_bytes(&bytes))
    }
}

/// What the client of a token has to show. Each thumbprint that is there must be shown (RFC 8705 section 3, RFC 9449
/// section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Confirmation {
    /// Of the key that `jkt` names.
    pub key: Option<Thumbprint>,
    /// Of the certificate that `x5t#S256` names.
    pub certificate: Option<Thumbprint>,
}

/// What a request shows of its client beside the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Of the key of which the client has proved, for this request and this token, that it holds it.
    pub key: Option<Thumbprint>,
    /// Of the certificate that the client showed in the TLS handshake of this connection.
    pub certificate: Option<Thumbprint>,
}

impl Evidence {
    /// Nothing is shown.
    pub const NONE: Self = Self { key: None, certificate: None };
}

impl Confirmation {
    /// Nothing has to be shown: anybody who has the token may use it.
    pub const NONE: Self = Self { key: None, certificate: None };

    /// What these claims ask for. A `cnf` that is `null` counts as absent. Members that are not known here count for nothing
    /// beside one that is (RFC 7800 section 3.1).
    ///
    /// # Errors
    ///
    /// [`Reject::Binding`] for a `cnf` that is no object, whose `jkt` or `x5t#S256` is not 32 bytes as base64url, or that has
    /// neither: nothing could confirm it.
    pub fn read(claims: &Claims) -> Result<Self, Reject> {
        let members = match claims.get("cnf") {
            None | Some(Claim::Null) => return Ok(Self::NONE),
            Some(Claim::Json(json)) => Object::members_of(json).ok_or(Reject::Binding)?,
            Some(Claim::Bool(_) | Claim::Int(_) | Claim::Number(_) | Claim::String(_)) => {
                return Err(Reject::Binding);
            }
        };
        let thumbprint = |name: &str| {
            let read =
                |raw: &str| string(raw).and_then(|text| Thumbprint::read(&text)).ok_or(Reject::Binding);
            members.get(name).map(read).transpose()
        };
        let confirmation = Self { key: thumbprint("jkt")?, certificate: thumbprint("x5t#S256")? };
        if confirmation.is_none() { Err(Reject::Binding) } else { Ok(confirmation) }
    }

    /// Whether nothing has to be shown.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether what a request shows is what has to be shown.
    ///
    /// # Errors
    ///
    /// [`Reject::Binding`].
    pub fn judge(&self, evidence: &Evidence) -> Result<(), Reject> {
        let is_shown = |asked: Option<Thumbprint>, shown| asked.is_none() || asked == shown;
        if is_shown(self.key, evidence.key) && is_shown(self.certificate, evidence.certificate) {
            Ok(())
        } else {
            Err(Reject::Binding)
        }
    }

    /// The word for what is shown, as `txn.tkn.binding` has it: of a key by DPoP, of a certificate by mutual TLS.
    pub const fn as_str(&self) -> &'static str {
        match (self.key, self.certificate) {
            (None, None) => "none",
            (Some(_), None) => "dpop",
            (None, Some(_)) => "mtls",
            (Some(_), Some(_)) => "dpop+mtls",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9449 section 6.1.
    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    const X5T: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0";

    fn read(payload: &str) -> Result<Confirmation, Reject> {
        Confirmation::read(&Claims::parse(payload.as_bytes()).unwrap())
    }

    fn thumbprint(text: &str) -> Thumbprint {
        Thumbprint::read(text).unwrap()
    }

    #[test]
    fn cnf_names_a_key_a_certificate_or_both_and_nothing_else_can_be_confirmed() {
        let key = |certificate| Confirmation { key: Some(thumbprint(JKT)), certificate };
        let certificate = Some(thumbprint(X5T));
        for (cnf, expected) in [
            (format!(r#"{{"jkt":"{JKT}"}}"#), Ok(key(None))),
            (format!(r#"{{"x5t#S256":"{X5T}"}}"#), Ok(Confirmation { key: None, certificate })),
            (format!(r#"{{"x5t#S256":"{X5T}","jkt":"{JKT}"}}"#), Ok(key(certificate))),
            (format!(r#"{{"jkt":"{JKT}","jwk":{{}},"kid":"a"}}"#), Ok(key(None))),
            (format!(r#"{{"\u006akt":"{JKT}"}}"#), Ok(key(None))),
            ("null".to_owned(), Ok(Confirmation::NONE)),
            ("{}".to_owned(), Err(Reject::Binding)),
            (r#"{"jwk":{"kty":"EC"}}"#.to_owned(), Err(Reject::Binding)),
            (r#"{"kid":"a"}"#.to_owned(), Err(Reject::Binding)),
            (r#"{"x5t":"a"}"#.to_owned(), Err(Reject::Binding)),
            (format!(r#"{{"JKT":"{JKT}"}}"#), Err(Reject::Binding)),
            (format!(r#"{{"x5t#s256":"{X5T}"}}"#), Err(Reject::Binding)),
            // A good one beside it does not help.
            (format!(r#"{{"jkt":"{JKT}","x5t#S256":null}}"#), Err(Reject::Binding)),
            (format!(r#"{{"jkt":7,"x5t#S256":"{X5T}"}}"#), Err(Reject::Binding)),
            (format!(r#"{{"jkt":["{JKT}"]}}"#), Err(Reject::Binding)),
            (format!(r#"{{"jkt":"{JKT}="}}"#), Err(Reject::Binding)),
            (format!(r#"{{"jkt":"{}"}}"#, &JKT[..42]), Err(Reject::Binding)),
            (format!(r#"{{"jkt":"{JKT}A"}}"#), Err(Reject::Binding)),
            (format!(r#"{{"jkt":"{} "}}"#, &JKT[..42]), Err(Reject::Binding)),
            // Bits behind the last byte.
            (format!(r#"{{"jkt":"{}J"}}"#, &JKT[..42]), Err(Reject::Binding)),
            (r#"{"jkt":""}"#.to_owned(), Err(Reject::Binding)),
            (format!(r#""{JKT}""#), Err(Reject::Binding)),
            ("[]".to_owned(), Err(Reject::Binding)),
            ("0".to_owned(), Err(Reject::Binding)),
            ("false".to_owned(), Err(Reject::Binding)),
            (r#""""#.to_owned(), Err(Reject::Binding)),
        ] {
            assert_eq!(read(&format!(r#"{{"cnf":{cnf}}}"#)), expected, "{cnf}");
            assert_eq!(read(&format!(r#"{{"\u0063nf":{cnf}}}"#)), expected, "{cnf}");
        }
        assert_eq!(read("{}"), Ok(Confirmation::NONE));
        assert_eq!(read(r#"{"CNF":{}}"#), Ok(Confirmation::NONE));
        let hex = format!(r#"{{"cnf":{{"x5t#S256":"{}"}}}}"#, "0f".repeat(32));
        assert_eq!(read(&hex), Err(Reject::Binding), "hexadecimal is no base64url of 32 bytes");
    }

    #[test]
    fn each_thumbprint_has_to_be_shown_and_none_stands_for_another() {
        let [a, b] = [b"a", b"b"].map(|bytes| Some(Thumbprint::of(bytes)));
        let refused = Err(Reject::Binding);
        for (key, certificate, word, shown) in [
            (None, None, "none", [Ok(()), Ok(()), Ok(()), Ok(()), Ok(())]),
            (a, None, "dpop", [refused, Ok(()), refused, refused, Ok(())]),
            (None, b, "mtls", [refused, refused, refused, Ok(()), Ok(())]),
            (a, b, "dpop+mtls", [refused, refused, refused, refused, Ok(())]),
        ] {
            let confirmation = Confirmation { key, certificate };
            assert_eq!((confirmation.as_str(), confirmation.is_none()), (word, word == "none"));
            let evidence = [(None, None), (a, None), (b, a), (None, b), (a, b)];
            for ((key, certificate), expected) in evidence.into_iter().zip(shown) {
                let evidence = Evidence { key, certificate };
                assert_eq!(confirmation.judge(&evidence), expected, "{word}: {evidence:?}");
            }
        }
    }

    #[test]
    fn a_thumbprint_is_32_bytes() {
        let thumbprint = Thumbprint::of(b"abc");
        assert_eq!(thumbprint.as_bytes()[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(Thumbprint::from_bytes(thumbprint.as_bytes()), Some(thumbprint));
        for length in [0, 20, 31, 33, 64] {
            assert_eq!(Thumbprint::from_bytes(&vec![0; length]), None, "{length}");
        }
    }
}

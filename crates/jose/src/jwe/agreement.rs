//! ECDH-ES (RFC 7518 section 4.6): a key agreed between our static key and the ephemeral one of the token.

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};

use super::secret::{Secret, Undecryptable};
use crate::json::{Object, string};
use crate::keys::components::{Components, trimmed};
use crate::keys::{Excerpt, SkipReason, jwk};
use crate::{Curve, base64url};

/// A curve on which keys are agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AgreementCurve {
    /// RFC 7518 section 6.2.1.1.
    Nist(Curve),
    /// RFC 8037 section 3.2.
    X25519,
}

impl AgreementCurve {
    pub(super) fn algorithm(self) -> &'static agreement::Algorithm {
        match self {
            Self::Nist(Curve::P256) => &ECDH_P256,
            Self::Nist(Curve::P384) => &ECDH_P384,
            Self::Nist(Curve::P521) => &ECDH_P521,
            Self::X25519 => &agreement::X25519,
        }
    }
}

impl AgreementCurve {
    /// A private scalar in the length of its curve: leading zeros say nothing. On X25519 every byte counts.
    pub(super) fn sized(self, scalar: Secret) -> Secret {
        match self {
            Self::Nist(curve) => {
                let number = trimmed(&scalar);
                let zeros = curve.coordinate_len().saturating_sub(number.len());
                let mut sized = Secret::new(vec![0; zeros]);
                sized.extend_from_slice(number);
                sized
            }
            Self::X25519 => scalar,
        }
    }
}

/// The public half of a key as it was given: whether it is on its curve is found when it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicPoint {
    pub(super) curve: AgreementCurve,
    /// 4 and both coordinates, or the 32 bytes of RFC 7748.
    pub(super) bytes: Vec<u8>,
}

impl PublicPoint {
    /// Reads the `epk` of a token, which has one spelling (RFC 7518 sections 4.6.1.1 and 6.2.1).
    pub(super) fn of_token(key: &Object<'_>) -> Result<Self, SkipReason> {
        let point = Self::of_jwk(key)?;
        let coordinate_len = match point.curve {
            AgreementCurve::Nist(curve) => curve.coordinate_len(),
            AgreementCurve::X25519 => point.bytes.len(),
        };
        for name in ["x", "y"] {
            let spelled = key.get(name).and_then(string);
            let decoded = spelled.map(|text| base64url::decode(&text));
            if decoded.is_some_and(|decoded| !decoded.is_ok_and(|bytes| bytes.len() == coordinate_len)) {
                return Err(SkipReason::Parameter(name));
            }
        }
        Ok(point)
    }

    /// Reads the public parameters of an `EC` or `OKP` JWK.
    pub(super) fn of_jwk(key: &Object<'_>) -> Result<Self, SkipReason> {
        match jwk::text(key, "kty")?.as_deref() {
            Some("EC") => match jwk::ec(key)? {
                Components::Ec { curve, point } => {
                    Ok(Self { curve: AgreementCurve::Nist(curve), bytes: point })
                }
                Components::Rsa { .. }
                | Components::Ed25519 { .. }
                | Components::MlDsa { .. }
                | Components::Oct { .. } => Err(SkipReason::Parameter("kty")),
            },
            Some("OKP") => match jwk::text(key, "crv")?.as_deref() {
                Some("X25519") => Ok(Self { curve: AgreementCurve::X25519, bytes: jwk::octets(key, "x")? }),
                Some(crv) => Err(SkipReason::Curve(Excerpt::of(crv))),
                None => Err(SkipReason::Parameter("crv")),
            },
            Some(kty) => Err(SkipReason::KeyType(Excerpt::of(kty))),
            None => Err(SkipReason::Parameter("kty")),
        }
    }
}

/// What a token says about the agreement.
pub(super) struct Agreement {
    /// `epk`; `None` if it is a key on no curve of ours.
    pub(super) ephemeral: Option<PublicPoint>,
    /// `apu`.
    pub(super) party_u: Vec<u8>,
    /// `apv`.
    pub(super) party_v: Vec<u8>,
}

/// Which key is derived.
pub(super) struct Derived {
    /// The name of the algorithm that it is for.
    pub(super) algorithm_id: &'static str,
    /// Its length in bytes.
    pub(super) len: usize,
}

impl Agreement {
    /// The agreed key. A point of another curve, off its curve or of low order is refused by the primitive.
    pub(super) fn derive(&self, key: &PrivateKey, derived: &Derived) -> Result<Secret, Undecryptable> {
        let ephemeral = self.ephemeral.as_ref().ok_or(Undecryptable)?;
        let ephemeral = UnparsedPublicKey::new(ephemeral.curve.algorithm(), &ephemeral.bytes);
        let info = self.other_info(derived)?;
        agreement::agree(key, ephemeral, Undecryptable, |shared| {
            let digest = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256).ok_or(Undecryptable)?;
            let mut agreed = Secret::new(vec![0; derived.len]);
            sskdf_digest(digest, shared, &info, &mut agreed)?;
            Ok(agreed)
        })
    }

    /// OtherInfo of the Concat KDF (RFC 7518 section 4.6.2):
    ///
    /// ```text
    /// length  AlgorithmID | length  PartyUInfo | length  PartyVInfo | length of the derived key in bits
    ///   u32      ASCII    |   u32     bytes    |   u32     bytes    |              u32
    /// ```
    fn other_info(&self, derived: &Derived) -> Result<Vec<u8>, Undecryptable> {
        let mut info = Vec::new();
        for part in [derived.algorithm_id.as_bytes(), &self.party_u, &self.party_v] {
            info.extend(u32::try_from(part.len()).map_err(|_| Undecryptable)?.to_be_bytes());
            info.extend(part);
        }
        let bits = u32::try_from(derived.len).ok().and_then(|len| len.checked_mul(8)).ok_or(Undecryptable)?;
        info.extend(bits.to_be_bytes());
        Ok(info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_on_the_key_of_rfc_7518_appendix_c() {
        let ephemeral = r#"{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}"#;
        let ephemeral = PublicPoint::of_jwk(&Object::parse(ephemeral).unwrap()).unwrap();
        let bob = base64url::decode("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw").unwrap();
        let bob = PrivateKey::from_private_key(&ECDH_P256, &bob).unwrap();
        let agreement =
            Agreement { ephemeral: Some(ephemeral), party_u: b"Alice".to_vec(), party_v: b"Bob".to_vec() };
        let agreed = agreement.derive(&bob, &Derived { algorithm_id: "A128GCM", len: 16 }).unwrap();
        assert_eq!(*agreed, base64url::decode("VqqN6vgjbSBcIijNcacQGg").unwrap());
    }

    #[test]
    fn a_key_of_ours_may_be_spelled_in_several_ways_and_that_of_a_token_in_one() {
        let (x, y) =
            ("gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0", "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps");
        let zero_y = "AEi1v8Un385T1qxxFSN9AxzP-HoFcLdzUKnlA-5zBaab";
        for (x, y, is_exact) in [
            (x.to_owned(), y.to_owned(), true),
            (format!("{x}="), y.to_owned(), false),
            (x.to_owned(), y.replace('_', "/"), false),
            (x.to_owned(), zero_y.to_owned(), false),
        ] {
            let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
            let jwk = Object::parse(&jwk).unwrap();
            assert!(PublicPoint::of_jwk(&jwk).is_ok(), "{x} {y}");
            assert_eq!(PublicPoint::of_token(&jwk).is_ok(), is_exact, "{x} {y}");
        }
        let padded = format!(r#"{{"kty":"OKP","crv":"X25519","x":"{x}="}}"#);
        assert!(PublicPoint::of_token(&Object::parse(&padded).unwrap()).is_err());
    }
}

//! ECDH-ES (RFC 7518 section 4.6): a key agreed between our static key and the ephemeral one of the token.

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};

use super::secret::{Secret, Undecryptable};
use crate::Curve;
use crate::json::Object;
use crate::keys::components::Components;
use crate::keys::{Excerpt, SkipReason, jwk};

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

/// The public half of a key as it was given: whether it is on its curve is found when it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicPoint {
    pub(super) curve: AgreementCurve,
    /// 4 and both coordinates, or the 32 bytes of RFC 7748.
    pub(super) bytes: Vec<u8>,
}

impl PublicPoint {
    /// Reads the public parameters of an `EC` or `OKP` JWK.
    pub(super) fn of_jwk(key: &Object<'_>) -> Result<Self, SkipReason> {
        match jwk::text(key, "kty")?.as_deref() {
            Some("EC") => match jwk::ec(key)? {
                Components::Ec { curve, point } => {
                    Ok(Self { curve: AgreementCurve::Nist(curve), bytes: point })
                }
                Components::Rsa { .. } | Components::Ed25519 { .. } | Components::Oct { .. } => {
                    Err(SkipReason::Parameter("kty"))
                }
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
    use crate::base64url;

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
}

//! What may be shown of a key's material: a hash that names a public key, and of a secret no more than how long it is.

use aws_lc_rs::digest::{SHA256, digest};

use super::curve::Curve;
use super::ml_dsa::MlDsa;
use crate::base64url::encode;

/// What may be shown of a key's material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The SHA-256 of a public key's required members (RFC 7638), as base64url.
    Thumbprint(String),
    /// Of a secret: it has at least so many bits, 0, 256, 384 or 512. A hash of it would let anybody try passwords (RFC 7638
    /// section 7).
    SecretOf {
        /// The bits of the longest hash that it is long enough for.
        at_least_bits: usize,
    },
}

/// The lengths that tell for which hashes a secret is good.
const CLASSES: [usize; 3] = [512, 384, 256];

impl Identity {
    /// Of an RSA key; both numbers are without leading zeros.
    pub(super) fn of_rsa(n: &[u8], e: &[u8]) -> Self {
        Self::thumbprint(&format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n)))
    }

    /// Of an uncompressed point: 4, then both coordinates.
    pub(super) fn of_ec(curve: Curve, point: &[u8]) -> Self {
        let coordinates = point.get(1..).unwrap_or_default();
        let (x, y) = coordinates.split_at_checked(curve.coordinate_len()).unwrap_or_default();
        Self::thumbprint(&format!(
            r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#,
            encode(x),
            encode(y)
        ))
    }

    /// Of an Ed25519 key.
    pub(super) fn of_ed25519(x: &[u8]) -> Self {
        Self::thumbprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(x)))
    }

    /// Of an ML-DSA key (RFC 9964 section 6).
    pub(super) fn of_ml_dsa(set: MlDsa, public: &[u8]) -> Self {
        Self::thumbprint(&format!(r#"{{"alg":"{set}","kty":"AKP","pub":"{}"}}"#, encode(public)))
    }

    /// Of a secret of so many bits.
    pub(super) fn of_secret(bits: usize) -> Self {
        let at_least_bits = CLASSES.into_iter().find(|class| bits >= *class).unwrap_or_default();
        Self::SecretOf { at_least_bits }
    }

    fn thumbprint(members: &str) -> Self {
        Self::Thumbprint(encode(digest(&SHA256, members.as_bytes()).as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyOrigin, KeyRules, KeySet, Profile};

    const RULES: KeyRules = KeyRules {
        origin: KeyOrigin::File,
        profile: Profile::Standard,
        allow_short_secrets: true,
        allow_mixed_keys: false,
    };

    fn identity(jwk: &str) -> Identity {
        KeySet::parse(jwk.as_bytes(), &RULES).unwrap().keys()[0].identity().clone()
    }

    #[test]
    fn a_public_key_is_named_by_the_thumbprint_of_the_rfc() {
        // RFC 7638 section 3.1, RFC 8037 appendix A.3.
        let rsa = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4\
            n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHz\
            u6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awa\
            pJzKnqDKgw";
        for (jwk, thumbprint) in [
            (
                format!(r#"{{"kty":"RSA","n":"{rsa}","e":"AQAB","alg":"RS256","kid":"2011-04-29"}}"#),
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
            (
                r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
                    .to_owned(),
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
        ] {
            assert_eq!(identity(&jwk), Identity::Thumbprint(thumbprint.to_owned()));
        }
    }

    #[test]
    fn one_key_has_one_thumbprint_however_it_is_spelled() {
        let (x, y) =
            ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
        let plain = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
        let padded = format!(r#"{{"y":"{y}=","kty":"EC","x":"{x}=","crv":"P-256","kid":"1"}}"#);
        assert_eq!(identity(&plain), identity(&padded));
    }

    #[test]
    fn of_a_secret_nothing_but_a_class_of_lengths_is_shown() {
        for (bytes, at_least_bits) in
            [(1, 0), (31, 0), (32, 256), (47, 256), (48, 384), (63, 384), (64, 512), (200, 512)]
        {
            let jwk = format!(r#"{{"kty":"oct","k":"{}"}}"#, encode(&vec![7; bytes]));
            assert_eq!(identity(&jwk), Identity::SecretOf { at_least_bits }, "{bytes}");
        }
    }
}

//! Keys and tokens, made anew in each test.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING,
    PqdsaKeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{hmac, rsa::KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jose::{Algorithm, IssuerPolicy, KeyOrigin, KeyRules, KeySet, Profile, UnixTime};
use serde_json::{Value, json};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::RSAPublicKey;

pub const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

/// A payload that the standard policy accepts.
pub const GOOD: &str = r#"{"sub":"alice","exp":1700000600}"#;

/// A file of the operator in the standard profile, no switch set.
pub const STRICT: KeyRules = KeyRules {
    origin: KeyOrigin::File,
    profile: Profile::Standard,
    allow_short_secrets: false,
    allow_mixed_keys: false,
};

/// The private half of a key.
pub enum Signer {
    Hmac(Vec<u8>),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, &'static str),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair, Algorithm),
}

impl Signer {
    /// A key that fits the algorithm.
    pub fn generate(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                let mut secret = vec![0; 64];
                aws_lc_rs::rand::fill(&mut secret).unwrap();
                Self::Hmac(secret)
            }
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512 => Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
            Algorithm::ES256 => {
                Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(), "P-256")
            }
            Algorithm::ES384 => {
                Self::Ec(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(), "P-384")
            }
            Algorithm::ES512 => {
                Self::Ec(EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap(), "P-521")
            }
            Algorithm::EdDSA => Self::Ed25519(Ed25519KeyPair::generate().unwrap()),
            Algorithm::MlDsa44 => Self::MlDsa(PqdsaKeyPair::generate(&ML_DSA_44_SIGNING).unwrap(), algorithm),
            Algorithm::MlDsa65 => Self::MlDsa(PqdsaKeyPair::generate(&ML_DSA_65_SIGNING).unwrap(), algorithm),
            Algorithm::MlDsa87 => Self::MlDsa(PqdsaKeyPair::generate(&ML_DSA_87_SIGNING).unwrap(), algorithm),
        }
    }

    /// The public key (or the secret) as a JWK without `kid` and `use`, and without `alg` where a key needs none.
    pub fn jwk(&self) -> Value {
        match self {
            Self::Hmac(secret) => json!({"kty": "oct", "k": b64(secret)}),
            Self::Rsa(pair) => {
                let (_, key) = RSAPublicKey::from_der(pair.public_key().as_ref()).unwrap();
                json!({"kty": "RSA", "n": b64(&key.modulus[1..]), "e": b64(key.exponent)})
            }
            Self::Ec(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)})
            }
            Self::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref())})
            }
            Self::MlDsa(pair, algorithm) => {
                json!({"kty": "AKP", "alg": algorithm.as_str(), "pub": b64(pair.public_key().as_ref())})
            }
        }
    }

    /// The JWK with further members.
    pub fn jwk_with(&self, members: Value) -> Value {
        let mut jwk = self.jwk();
        jwk.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        jwk
    }

    /// The public key as a SubjectPublicKeyInfo.
    pub fn spki(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Hmac(_) => panic!("a secret has no public key"),
            Self::Rsa(pair) => pair.public_key().as_der().unwrap(),
            Self::Ec(pair, _) => pair.public_key().as_der().unwrap(),
            Self::Ed25519(pair) => pair.public_key().as_der().unwrap(),
            Self::MlDsa(pair, _) => pair.public_key().as_der().unwrap(),
        };
        der.as_ref().to_vec()
    }

    /// The public key in PEM.
    pub fn pem(&self) -> String {
        pem::encode(&pem::Pem::new("PUBLIC KEY", self.spki()))
    }

    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Hmac(secret) => {
                let hash = match algorithm {
                    Algorithm::HS256 => hmac::HMAC_SHA256,
                    Algorithm::HS384 => hmac::HMAC_SHA384,
                    Algorithm::HS512 => hmac::HMAC_SHA512,
                    other => panic!("{other} is no HMAC"),
                };
                hmac::sign(&hmac::Key::new(hash, secret), message).as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let encoding: &dyn RsaEncoding = match algorithm {
                    Algorithm::RS256 => &RSA_PKCS1_SHA256,
                    Algorithm::RS384 => &RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &RSA_PSS_SHA256,
                    Algorithm::PS384 => &RSA_PSS_SHA384,
                    Algorithm::PS512 => &RSA_PSS_SHA512,
                    other => panic!("{other} is no RSA"),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::Ec(pair, _) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::MlDsa(pair, _) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                let len = pair.sign(message, &mut signature).unwrap();
                assert_eq!(len, signature.len());
                signature
            }
        }
    }

    /// A token with this header and payload, as they are.
    pub fn token(&self, algorithm: Algorithm, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", b64(header), b64(payload));
        let signature = self.sign(algorithm, message.as_bytes());
        format!("{message}.{}", b64(signature))
    }

    /// A token with a plain header.
    pub fn plain_token(&self, algorithm: Algorithm, payload: &str) -> String {
        self.token(algorithm, &format!(r#"{{"alg":"{algorithm}"}}"#), payload)
    }
}

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A JWK set of a strict file.
pub fn keys(jwks: impl IntoIterator<Item = Value>) -> KeySet {
    parse(&json!({"keys": jwks.into_iter().collect::<Vec<_>>()}), &STRICT)
}

pub fn parse(source: &Value, rules: &KeyRules) -> KeySet {
    KeySet::parse(source.to_string().as_bytes(), rules).unwrap()
}

/// The refusal of the standard policy, or nothing if it accepts.
pub fn refusal(token: &str, keys: &KeySet) -> Option<jose::Reject> {
    match jose::verify(token, keys, &IssuerPolicy::of(Profile::Standard), NOW) {
        jose::Verdict::Accept(_) => None,
        jose::Verdict::Refuse(refusal) => Some(refusal.reject),
    }
}

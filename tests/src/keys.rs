//! Signing keys for every algorithm, made once in a process, and their public halves as files that the agent reads.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING,
    ML_DSA_87_SIGNING, PqdsaKeyPair, PqdsaSigningAlgorithm, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{hmac, rand};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};

use crate::scan;

/// Every algorithm of RFC 7518 section 3.1, RFC 8037 and RFC 9964 that the agent must verify.
pub const ALGORITHMS: [&str; 16] = [
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "ML-DSA-44",
    "ML-DSA-65",
    "ML-DSA-87",
];

/// A key that signs under one algorithm.
pub struct SigningKey {
    pub kid: String,
    pub algorithm: &'static str,
    secret: Secret,
}

enum Secret {
    Hmac(hmac::Algorithm, Vec<u8>),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Panics
    ///
    /// The algorithm is not one of [`ALGORITHMS`], or the machine has no randomness.
    pub fn generate(algorithm: &'static str, kid: &str) -> Self {
        let rsa = |encoding| Secret::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), encoding);
        let ec = |signing: &'static EcdsaSigningAlgorithm, curve| {
            Secret::Ec(EcdsaKeyPair::generate(signing).unwrap(), curve)
        };
        let oct = |algorithm, length| {
            let mut secret = vec![0; length];
            rand::fill(&mut secret).unwrap();
            scan::note("the secret of an HMAC", &base64url(&secret));
            Secret::Hmac(algorithm, secret)
        };
        let ml_dsa =
            |signing: &'static PqdsaSigningAlgorithm| Secret::MlDsa(PqdsaKeyPair::generate(signing).unwrap());
        let secret = match algorithm {
            "HS256" => oct(hmac::HMAC_SHA256, 32),
            "HS384" => oct(hmac::HMAC_SHA384, 48),
            "HS512" => oct(hmac::HMAC_SHA512, 64),
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS384" => rsa(&RSA_PKCS1_SHA384),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "PS384" => rsa(&RSA_PSS_SHA384),
            "PS512" => rsa(&RSA_PSS_SHA512),
            "ES256" => ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            "ES384" => ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            "ES512" => ec(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            "EdDSA" => Secret::Ed(Ed25519KeyPair::generate().unwrap()),
            "ML-DSA-44" => ml_dsa(&ML_DSA_44_SIGNING),
            "ML-DSA-65" => ml_dsa(&ML_DSA_65_SIGNING),
            "ML-DSA-87" => ml_dsa(&ML_DSA_87_SIGNING),
            unknown => panic!("no such algorithm: {unknown}"),
        };
        Self { kid: kid.to_owned(), algorithm, secret }
    }

    /// A key of HS256 with a secret of the caller's, for a verifier that takes text only.
    pub fn from_secret(secret: &str, kid: &str) -> Self {
        scan::note("the secret of an HMAC", secret);
        scan::note("the secret of an HMAC", &base64url(secret.as_bytes()));
        let secret = Secret::Hmac(hmac::HMAC_SHA256, secret.as_bytes().to_vec());
        Self { kid: kid.to_owned(), algorithm: "HS256", secret }
    }

    /// The raw signature over `message`, as a JWS carries it.
    ///
    /// # Panics
    ///
    /// The machine has no randomness.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.secret {
            Secret::Hmac(algorithm, secret) => {
                hmac::sign(&hmac::Key::new(*algorithm, secret), message).as_ref().to_vec()
            }
            Secret::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Secret::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Secret::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Secret::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// What a verifier needs, as a JWK (RFC 7517): the public key, or the secret of an HMAC.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.secret {
            Secret::Hmac(_, secret) => json!({"kty": "oct", "k": base64url(secret)}),
            Secret::Rsa(pair, _) => {
                // RFC 8017 appendix A.1.1: a SEQUENCE of the modulus and the exponent, which is 65537 in keys made here.
                let der = pair.public_key().as_ref();
                let (numbers, exponent) = der.split_at(der.len() - 3);
                let (numbers, _integer_of_three_bytes) = numbers.split_at(numbers.len() - 2);
                let modulus = &numbers[numbers.len() - pair.public_modulus_len()..];
                json!({"kty": "RSA", "n": base64url(modulus), "e": base64url(exponent)})
            }
            Secret::Ec(pair, curve) => {
                // SEC 1 section 2.3.3: 0x04, then both coordinates at the full length of the field.
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
            }
            Secret::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key().as_ref())})
            }
            Secret::MlDsa(pair) => json!({"kty": "AKP", "pub": base64url(pair.public_key().as_ref())}),
        };
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.algorithm);
        jwk
    }

    /// The public key as a DER SubjectPublicKeyInfo.
    ///
    /// # Panics
    ///
    /// The key is a secret.
    pub fn spki(&self) -> Vec<u8> {
        let der: Result<PublicKeyX509Der<'_>, _> = match &self.secret {
            Secret::Hmac(..) => panic!("{} has no public key", self.algorithm),
            Secret::Rsa(pair, _) => pair.public_key().as_der(),
            Secret::Ec(pair, _) => pair.public_key().as_der(),
            Secret::Ed(pair) => pair.public_key().as_der(),
            Secret::MlDsa(pair) => pair.public_key().as_der(),
        };
        der.unwrap().as_ref().to_vec()
    }

    /// The public key as PEM (RFC 7468).
    pub fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki())
    }

    /// The private key in PKCS #8 as PEM.
    ///
    /// # Panics
    ///
    /// The key is a secret, or one of ML-DSA.
    pub fn private_pem(&self) -> String {
        let der = match &self.secret {
            Secret::Rsa(pair, _) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).unwrap().as_ref().to_vec(),
            Secret::Ec(pair, _) => pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
            Secret::Ed(pair) => pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
            Secret::Hmac(..) | Secret::MlDsa(_) => panic!("no file of {}", self.algorithm),
        };
        let pem = pem("PRIVATE KEY", &der);
        scan::note("a private key", pem.lines().nth(1).unwrap());
        pem
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

/// A key of this algorithm, the same for the whole process: RSA keys are slow to make.
///
/// # Panics
///
/// As [`SigningKey::generate`].
pub fn key(algorithm: &str) -> &'static SigningKey {
    static KEYS: [OnceLock<SigningKey>; ALGORITHMS.len()] = [const { OnceLock::new() }; ALGORITHMS.len()];
    let index = ALGORITHMS.iter().position(|known| *known == algorithm);
    let index = index.unwrap_or_else(|| panic!("no such algorithm: {algorithm}"));
    KEYS[index].get_or_init(|| SigningKey::generate(ALGORITHMS[index], ALGORITHMS[index]))
}

/// Several keys as a JWK set.
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> String {
    let keys: Vec<Value> = keys.into_iter().map(SigningKey::jwk).collect();
    json!({ "keys": keys }).to_string()
}

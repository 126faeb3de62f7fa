//! Real keys of every kind, with what their owners know of them.

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};

const RSA: [(&str, &dyn RsaEncoding); 6] = [
    ("RS256", &RSA_PKCS1_SHA256),
    ("RS384", &RSA_PKCS1_SHA384),
    ("RS512", &RSA_PKCS1_SHA512),
    ("PS256", &RSA_PSS_SHA256),
    ("PS384", &RSA_PSS_SHA384),
    ("PS512", &RSA_PSS_SHA512),
];

enum Secret {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
    Oct(Vec<u8>),
}

/// One key.
pub(crate) struct Member {
    /// The required members of its JWK.
    pub(crate) jwk: Vec<(&'static str, String)>,
    /// The members of its owner alone.
    pub(crate) private: Vec<(&'static str, String)>,
    /// A certificate of it in PEM, and as `x5c` has it.
    pub(crate) certificate: Option<(String, String)>,
    /// The algorithms that its kind can sign under.
    pub(crate) algorithms: Vec<&'static str>,
    secret: Secret,
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Member {
    fn rsa(size: KeySize) -> Self {
        let pair = RsaKeyPair::generate(size).unwrap();
        // RFC 8017 appendix A.1.1: a SEQUENCE of the modulus and the exponent, which is 65537 in keys made here.
        let public = pair.public_key().as_ref();
        let (numbers, e) = public.split_at(public.len() - 3);
        let numbers = &numbers[..numbers.len() - 2];
        let n = &numbers[numbers.len() - pair.public_modulus_len()..];
        let jwk = vec![("kty", "RSA".to_owned()), ("n", base64url(n)), ("e", base64url(e))];
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let certificate = certify(der.as_ref());
        let algorithms = RSA.iter().map(|(name, _)| *name).collect();
        Self { jwk, private: Vec::new(), certificate, algorithms, secret: Secret::Rsa(pair) }
    }

    fn ec(
        signing: &'static EcdsaSigningAlgorithm,
        crv: &'static str,
        alg: &'static str,
        short: bool,
    ) -> Self {
        let pair = loop {
            let pair = EcdsaKeyPair::generate(signing).unwrap();
            // A coordinate that begins with a zero is what some write shorter.
            if !short || pair.public_key().as_ref()[1] == 0 {
                break pair;
            }
        };
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let jwk =
            vec![("kty", "EC".to_owned()), ("crv", crv.to_owned()), ("x", base64url(x)), ("y", base64url(y))];
        let private: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().unwrap();
        let private = vec![("d", base64url(private.as_ref()))];
        // The library that makes certificates knows no P-521.
        let certificate = if crv == "P-521" { None } else { certify(pair.to_pkcs8v1().unwrap().as_ref()) };
        Self { jwk, private, certificate, algorithms: vec![alg], secret: Secret::Ec(pair, alg) }
    }

    fn ed() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let jwk = vec![
            ("kty", "OKP".to_owned()),
            ("crv", "Ed25519".to_owned()),
            ("x", base64url(pair.public_key().as_ref())),
        ];
        let private = vec![("d", base64url(pair.seed().unwrap().as_be_bytes().unwrap().as_ref()))];
        let certificate = certify(pair.to_pkcs8v1().unwrap().as_ref());
        Self { jwk, private, certificate, algorithms: vec!["EdDSA"], secret: Secret::Ed(pair) }
    }

    fn oct(length: usize) -> Self {
        let mut secret = vec![0; length];
        aws_lc_rs::rand::fill(&mut secret).unwrap();
        let jwk = vec![("kty", "oct".to_owned()), ("k", base64url(&secret))];
        let algorithms = vec!["HS256", "HS384", "HS512"];
        Self { jwk, private: Vec::new(), certificate: None, algorithms, secret: Secret::Oct(secret) }
    }

    /// Whether a parameter is a number: those of RSA and coordinates are.
    pub(crate) fn is_number(&self, name: &str) -> bool {
        matches!(self.secret, Secret::Rsa(_) | Secret::Ec(..)) && ["n", "x", "y"].contains(&name)
    }

    /// Whether it is a secret shorter than the hash of the algorithm.
    pub(crate) fn is_shorter_than(&self, algorithm: &str) -> bool {
        let bits = algorithm.strip_prefix("HS").and_then(|bits| bits.parse().ok()).unwrap_or(0);
        matches!(&self.secret, Secret::Oct(secret) if secret.len() * 8 < bits)
    }

    /// A token of this key; the header is as it is given.
    pub(crate) fn token(&self, algorithm: &str, header: &str) -> String {
        let message = format!("{}.{}", base64url(header.as_bytes()), base64url(br#"{"sub":"alice"}"#));
        let signature = self.sign(algorithm, message.as_bytes());
        format!("{message}.{}", base64url(&signature))
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.secret {
            Secret::Rsa(pair) => {
                let (_, encoding) = RSA.iter().find(|(name, _)| *name == algorithm).unwrap();
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Secret::Ec(pair, own) => {
                assert_eq!(*own, algorithm);
                pair.sign(&random, message).unwrap().as_ref().to_vec()
            }
            Secret::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Secret::Oct(secret) => {
                let hash = match algorithm {
                    "HS256" => hmac::HMAC_SHA256,
                    "HS384" => hmac::HMAC_SHA384,
                    _ => hmac::HMAC_SHA512,
                };
                hmac::sign(&hmac::Key::new(hash, secret), message).as_ref().to_vec()
            }
        }
    }
}

/// A certificate that the key has signed for itself.
fn certify(pkcs8: &[u8]) -> Option<(String, String)> {
    let pair = KeyPair::try_from(pkcs8).ok()?;
    assert!(!pair.der_bytes().is_empty());
    let certificate = CertificateParams::new(["id.example".to_owned()]).unwrap().self_signed(&pair).unwrap();
    Some((certificate.pem(), BASE64_STANDARD.encode(certificate.der())))
}

/// All of them. The last ones are strangers to every set.
pub(crate) fn members() -> Vec<Member> {
    let p256 = |short| Member::ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256", "ES256", short);
    let p384 = |short| Member::ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384", "ES384", short);
    let p521 = || Member::ec(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521", "ES512", false);
    vec![
        Member::rsa(KeySize::Rsa2048),
        p256(false),
        p256(true),
        p384(true),
        Member::ed(),
        p521(),
        Member::rsa(KeySize::Rsa3072),
        Member::oct(64),
        Member::oct(32),
        Member::oct(16),
        Member::ed(),
        Member::rsa(KeySize::Rsa2048),
        p256(false),
        Member::rsa(KeySize::Rsa2048),
        p256(false),
        Member::ed(),
    ]
}

/// So many of them are in no set.
pub(crate) const STRANGERS: usize = 3;

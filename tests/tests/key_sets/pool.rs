//! Real keys of every kind, with what their owners know of them.

use std::collections::HashMap;
use std::process::Command;
use std::sync::Mutex;

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING,
    ML_DSA_87_SIGNING, PqdsaKeyPair, PqdsaSigningAlgorithm, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
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
    OddRsa(OddRsa),
    MlDsa(PqdsaKeyPair),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
    Oct(Vec<u8>),
}

/// An algorithm, and a message that is signed by it.
type Question = (String, Vec<u8>);

/// An RSA key of a size or an exponent that aws-lc-rs does not make: openssl signs with it.
struct OddRsa {
    pem: tempfile::NamedTempFile,
    /// What was signed already, by algorithm and message.
    signed: Mutex<HashMap<Question, Vec<u8>>>,
}

impl OddRsa {
    /// A key, and its modulus.
    fn generate(bits: u16, exponent: u64) -> (Self, Vec<u8>) {
        let pem = tempfile::NamedTempFile::new().unwrap();
        let (bits, exponent) = (format!("rsa_keygen_bits:{bits}"), format!("rsa_keygen_pubexp:{exponent}"));
        let mut generate = Command::new("openssl");
        generate.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", &bits, "-pkeyopt", &exponent, "-out"]);
        run(generate.arg(pem.path()));
        let mut read = Command::new("openssl");
        let told = run(read.args(["rsa", "-noout", "-modulus", "-in"]).arg(pem.path()));
        let told = String::from_utf8(told).unwrap();
        let hex = told.trim().strip_prefix("Modulus=").unwrap();
        // A modulus of 2,049 bits has an odd number of digits.
        let hex = if hex.len().is_multiple_of(2) { hex.to_owned() } else { format!("0{hex}") };
        let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        (Self { pem, signed: Mutex::default() }, hex.as_bytes().chunks(2).map(byte).collect())
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let mut signed = self.signed.lock().unwrap();
        let sign = || {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), message).unwrap();
            let mut command = Command::new("openssl");
            command.arg("dgst").arg(format!("-sha{}", &algorithm[2..])).arg("-sign").arg(self.pem.path());
            if algorithm.starts_with("PS") {
                command.args(["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]);
            }
            run(command.arg(file.path()))
        };
        signed.entry((algorithm.to_owned(), message.to_vec())).or_insert_with(sign).clone()
    }
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
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

    /// A key of another size or exponent than usual.
    fn odd_rsa(bits: u16, exponent: u64) -> Self {
        let (pair, n) = OddRsa::generate(bits, exponent);
        let e: Vec<u8> = exponent.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        let jwk = vec![("kty", "RSA".to_owned()), ("n", base64url(&n)), ("e", base64url(&e))];
        // A short modulus has no room for the others.
        let algorithms = vec!["RS256", "PS256"];
        Self { jwk, private: Vec::new(), certificate: None, algorithms, secret: Secret::OddRsa(pair) }
    }

    fn ml_dsa(signing: &'static PqdsaSigningAlgorithm, alg: &'static str) -> Self {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).unwrap();
        let pair = PqdsaKeyPair::from_seed(signing, &seed).unwrap();
        let jwk = vec![
            ("kty", "AKP".to_owned()),
            ("alg", alg.to_owned()),
            ("pub", base64url(pair.public_key().as_ref())),
        ];
        let private = vec![("priv", base64url(&seed))];
        Self { jwk, private, certificate: None, algorithms: vec![alg], secret: Secret::MlDsa(pair) }
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
        matches!(self.secret, Secret::Rsa(_) | Secret::OddRsa(_) | Secret::Ec(..))
            && ["n", "e", "x", "y"].contains(&name)
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
            Secret::OddRsa(pair) => pair.sign(algorithm, message),
            Secret::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature).unwrap();
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
        Member::ml_dsa(&ML_DSA_44_SIGNING, "ML-DSA-44"),
        Member::ml_dsa(&ML_DSA_65_SIGNING, "ML-DSA-65"),
        Member::ml_dsa(&ML_DSA_87_SIGNING, "ML-DSA-87"),
        Member::odd_rsa(1024, 65537),
        Member::odd_rsa(2047, 65537),
        Member::odd_rsa(2049, 65537),
        Member::odd_rsa(2048, 3),
        // The largest exponent that is read, of 33 bits, and one of 34.
        Member::odd_rsa(2048, (1 << 32) + 1),
        Member::odd_rsa(2048, (1 << 33) + 17),
        Member::ed(),
        Member::rsa(KeySize::Rsa2048),
        p256(false),
        Member::rsa(KeySize::Rsa2048),
        p256(false),
        Member::ed(),
        Member::ml_dsa(&ML_DSA_65_SIGNING, "ML-DSA-65"),
    ]
}

/// So many of them are in no set.
pub(crate) const STRANGERS: usize = 4;

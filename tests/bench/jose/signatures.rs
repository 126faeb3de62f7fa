//! Each signature algorithm: the primitive alone against the whole verdict.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ML_DSA_44, ML_DSA_65,
    ML_DSA_87, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use integration_tests::keys::{ALGORITHMS, SigningKey, jwks, key};
use integration_tests::token::token;
use jose::{IssuerPolicy, KeyOrigin, KeyRules, KeySet, Profile, UnixTime, Verdict, verify};
use serde_json::{Value, json};

use crate::measure::in_turns;
use crate::report::Row;

const ISSUER: &str = "https://issuer.example/realms/main";
const AUDIENCE: &str = "https://api.example";

pub(crate) fn rows(is_wanted: impl Fn(&str) -> bool) -> Vec<Row> {
    ALGORITHMS.into_iter().filter(|algorithm| is_wanted(algorithm)).map(row).collect()
}

fn row(algorithm: &'static str) -> Row {
    let signer = key(algorithm);
    let token = token(signer, registered_claims());
    let keys = keys(signer);
    let policy = policy();
    let now = UnixTime::from_system(SystemTime::now());
    let mut whole = || {
        let verdict = verify(black_box(&token), &keys, &policy, now);
        assert!(matches!(verdict, Verdict::Accept(_)));
    };

    let (message, text) = token.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let mut read = || drop(black_box(BASE64_URL_SAFE_NO_PAD.decode(black_box(text))));
    let message = black_box(message.as_bytes());
    let [fresh, ready, text, whole] = match Primitive::of(algorithm) {
        Primitive::Hmac(hash) => {
            let secret = BASE64_URL_SAFE_NO_PAD.decode(signer.jwk()["k"].as_str().unwrap()).unwrap();
            let key = hmac::Key::new(hash, &secret);
            let mut fresh = || hmac::verify(&hmac::Key::new(hash, &secret), message, &signature).unwrap();
            let mut ready = || hmac::verify(&key, message, &signature).unwrap();
            in_turns([&mut fresh, &mut ready, &mut read, &mut whole])
        }
        Primitive::PublicKey(verification) => {
            let unparsed = UnparsedPublicKey::new(verification, signer.spki());
            let parsed = ParsedPublicKey::new(verification, signer.spki()).unwrap();
            let mut fresh = || unparsed.verify(message, &signature).unwrap();
            let mut ready = || parsed.verify_sig(message, &signature).unwrap();
            in_turns([&mut fresh, &mut ready, &mut read, &mut whole])
        }
    };
    Row { name: algorithm.to_owned(), fresh, ready, signature_text: Some(text), whole }
}

/// What aws-lc-rs has for an algorithm.
enum Primitive {
    Hmac(hmac::Algorithm),
    PublicKey(&'static dyn VerificationAlgorithm),
}

impl Primitive {
    fn of(algorithm: &str) -> Self {
        Self::PublicKey(match algorithm {
            "HS256" => return Self::Hmac(hmac::HMAC_SHA256),
            "HS384" => return Self::Hmac(hmac::HMAC_SHA384),
            "HS512" => return Self::Hmac(hmac::HMAC_SHA512),
            "RS256" => &RSA_PKCS1_2048_8192_SHA256,
            "RS384" => &RSA_PKCS1_2048_8192_SHA384,
            "RS512" => &RSA_PKCS1_2048_8192_SHA512,
            "PS256" => &RSA_PSS_2048_8192_SHA256,
            "PS384" => &RSA_PSS_2048_8192_SHA384,
            "PS512" => &RSA_PSS_2048_8192_SHA512,
            "ES256" => &ECDSA_P256_SHA256_FIXED,
            "ES384" => &ECDSA_P384_SHA384_FIXED,
            "ES512" => &ECDSA_P521_SHA512_FIXED,
            "EdDSA" => &ED25519,
            "ML-DSA-44" => &ML_DSA_44,
            "ML-DSA-65" => &ML_DSA_65,
            "ML-DSA-87" => &ML_DSA_87,
            unknown => panic!("no such algorithm: {unknown}"),
        })
    }
}

/// The key among others, as an identity provider serves them.
fn keys(signer: &SigningKey) -> KeySet {
    let rules = KeyRules {
        origin: KeyOrigin::File,
        profile: Profile::Standard,
        allow_short_secrets: false,
        allow_mixed_keys: false,
    };
    KeySet::parse(jwks([key("RS256"), key("ES256"), signer]).as_bytes(), &rules).unwrap()
}

/// Claims as an identity provider writes them, beside those that every token here has.
pub(crate) fn registered_claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": [AUDIENCE, "account"],
        "nbf": 1_700_000_000,
        "jti": "6f9e2c1a-6f0b-4f6e-9a55-0c2f3f1d7e10",
        "azp": "web",
        "scope": "openid profile email",
        "email": "alice@example.org",
        "email_verified": true,
        "realm_access": {"roles": ["user", "editor", "offline_access"]},
    })
}

/// Validates every registered claim.
pub(crate) fn policy() -> IssuerPolicy {
    IssuerPolicy {
        issuers: vec![ISSUER.into()],
        audiences: vec![AUDIENCE.to_owned()],
        leeway: jose::Leeway::both(Duration::from_secs(5)),
        ..IssuerPolicy::of(Profile::Standard)
    }
}

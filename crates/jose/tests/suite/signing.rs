//! Keys of ours that sign: what they are read from, and that verifiers take what they sign.

use std::str::from_utf8;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jose::{Algorithm, AlgorithmSet, KeySet, SigningKey, verify_signature};
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};

use crate::support::STRICT;

const CLAIMS: &str = r#"{"iss":"edge"}"#;

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn rfc7520(pointer: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("data/rfc7520.json")).unwrap();
    all.pointer(pointer).unwrap().clone()
}

/// RSA of RFC 7520 section 3.4, P-256 of its section 5.5.1, Ed25519 of RFC 8037 appendix A.1.
fn jwks() -> [Value; 3] {
    let mut p256 = rfc7520("/encryptions/4/key");
    p256["use"] = "sig".into();
    let ed25519 = json!({
        "kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    [rfc7520("/keys/3/key"), p256, ed25519]
}

fn public(jwk: &Value) -> Value {
    let mut public = jwk.clone();
    for private in ["d", "p", "q", "dp", "dq", "qi", "alg", "key_ops"] {
        public.as_object_mut().unwrap().remove(private);
    }
    public
}

fn header(token: &str) -> Value {
    let (header, _) = token.split_once('.').unwrap();
    serde_json::from_str(from_utf8(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()).unwrap()
}

fn why(text: &str) -> String {
    SigningKey::parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn what_a_key_of_a_jwk_signs_is_good_under_its_public_half_by_two_verifiers() {
    let [rsa, p256, ed25519] = jwks();
    let named = |jwk: &Value, algorithm: &str| {
        let mut named = jwk.clone();
        (named["alg"], named["key_ops"]) = (algorithm.into(), json!(["sign"]));
        named
    };
    for (jwk, algorithm) in [
        (rsa.clone(), Algorithm::RS256),
        (named(&rsa, "RS256"), Algorithm::RS256),
        (named(&rsa, "PS256"), Algorithm::PS256),
        (p256.clone(), Algorithm::ES256),
        (named(&p256, "ES256"), Algorithm::ES256),
        (ed25519.clone(), Algorithm::EdDSA),
        (named(&ed25519, "Ed25519"), Algorithm::EdDSA),
    ] {
        let key = SigningKey::parse(jwk.to_string().as_bytes()).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        let token = key.sign("JWT", None, CLAIMS).unwrap();
        let mut expected = json!({ "alg": algorithm.as_str(), "typ": "JWT" });
        if jwk["kid"].is_string() {
            expected["kid"] = jwk["kid"].clone();
        }
        assert_eq!(header(&token), expected);
        assert_eq!(header(&key.sign("x+jwt", Some("k"), CLAIMS).unwrap())["kid"], "k");
        let public = public(&jwk);
        let keys =
            KeySet::parse(json!({ "keys": [public.clone()] }).to_string().as_bytes(), &STRICT).unwrap();
        assert_eq!(verify_signature(&token, &keys, AlgorithmSet::ALL).unwrap().claims.as_json(), CLAIMS);
        let oracle = DecodingKey::from_jwk(&serde_json::from_value(public).unwrap()).unwrap();
        let mut validation = Validation::new(algorithm.as_str().parse().unwrap());
        validation.required_spec_claims.clear();
        jsonwebtoken::decode::<Value>(&token, &oracle, &validation).unwrap();
        assert!(!format!("{key:?}").contains(jwk["d"].as_str().unwrap()));
    }
}

#[test]
fn a_key_of_a_pem_file_is_known_by_its_content_whatever_stands_beside_it() {
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = rsa.as_der().unwrap();
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let sec1 = p256.private_key().as_der().unwrap();
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    // RFC 5208 section 5: what stands at the end of an RSA key in PKCS #8, behind 26 bytes, is one in PKCS #1.
    let pkcs1 = &der.as_ref()[26..];
    let curve = pem("EC PARAMETERS", &[6, 8, 42, 134, 72, 206, 61, 3, 1, 7]);
    for (text, algorithm) in [
        (pem("PRIVATE KEY", der.as_ref()), Algorithm::RS256),
        (pem("RSA PRIVATE KEY", pkcs1), Algorithm::RS256),
        (pem("PRIVATE KEY", p256.to_pkcs8v1().unwrap().as_ref()), Algorithm::ES256),
        (curve + &pem("EC PRIVATE KEY", sec1.as_ref()), Algorithm::ES256),
        (
            format!("a comment\n{}", pem("PRIVATE KEY", ed25519.to_pkcs8().unwrap().as_ref())),
            Algorithm::EdDSA,
        ),
        (pem("PRIVATE KEY", ed25519.to_pkcs8v1().unwrap().as_ref()), Algorithm::EdDSA),
    ] {
        let key = SigningKey::parse(text.as_bytes()).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(header(&key.sign("JWT", None, CLAIMS).unwrap()).get("kid"), None);
    }
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let good = pem("PRIVATE KEY", p256.to_pkcs8v1().unwrap().as_ref());
    for text in [
        "garbage",
        &pem("PRIVATE KEY", b"garbage"),
        &pem("PRIVATE KEY", p384.to_pkcs8v1().unwrap().as_ref()),
        &pem("ENCRYPTED PRIVATE KEY", der.as_ref()),
        &pem("RSA PRIVATE KEY", sec1.as_ref()),
        include_str!("data/rsa2048.crt.pem"),
        &format!("{good}{good}"),
    ] {
        assert!(why(text).starts_with("expected one private key without a password"), "{text}");
    }
}

#[test]
fn a_jwk_that_is_for_something_else_or_contradicts_itself_signs_nothing() {
    let [rsa, p256, ed25519] = jwks();
    let changed = |jwk: &Value, name: &str, value: Value| {
        let mut changed = jwk.clone();
        changed[name] = value;
        changed.to_string()
    };
    for (text, expected) in [
        (public(&rsa).to_string(), "is a public key"),
        (public(&ed25519).to_string(), "is a public key"),
        (changed(&rsa, "use", "enc".into()), "its use is"),
        (changed(&rsa, "key_ops", json!(["verify"])), "do not contain \"sign\""),
        (changed(&rsa, "alg", "RS512".into()), "alg \"RS512\" is none"),
        (changed(&rsa, "alg", "HS256".into()), "alg \"HS256\" is none"),
        (changed(&rsa, "alg", "none".into()), "alg \"none\" is none"),
        (changed(&p256, "alg", "EdDSA".into()), "alg \"EdDSA\" is none"),
        (changed(&rsa, "qi", Value::Null), "parameter `qi` is missing"),
        (changed(&rsa, "oth", json!([{}])), "parameter `oth`"),
        (changed(&rsa, "p", rsa["q"].clone()), "are not those of one key"),
        (changed(&p256, "d", ed25519["d"].clone()), "are not those of one key"),
        (changed(&ed25519, "d", p256["d"].clone()), "are not those of one key"),
        (changed(&p256, "kid", json!({})), "parameter `kid`"),
        (rfc7520("/keys/1/key").to_string(), "curve \"P-521\" is not supported"),
        (json!({ "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1", "d": "AQ" }).to_string(), "key type \"oct\""),
        (json!({ "keys": [rsa] }).to_string(), "is a public key"),
        ("{".to_owned(), "JSON"),
        (String::new(), "expected one private key"),
    ] {
        let why = why(&text);
        assert!(why.contains(expected), "{expected}: {why}");
    }
}

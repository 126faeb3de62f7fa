use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;
use crate::Identity;
use crate::keys::presented;

/// The request of RFC 9449 section 7.1: token, proof, and the thumbprint of section 6.1.
pub(in crate::dpop) const RFC_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const RFC_PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVD\
    IiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpi\
    VFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiw\
    iaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI\
    6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yR\
    qzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
const RFC_THUMBPRINT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
pub(in crate::dpop) const RFC_IAT: i64 = 1_562_262_618;
const URI: &str = "https://resource.example.org/protectedresource";

/// The key of RFC 8037 appendix A, and its thumbprint there.
const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
pub(in crate::dpop) const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

fn bytes(text: &str) -> Vec<u8> {
    base64url::decode(text).unwrap()
}

pub(in crate::dpop) fn thumbprint(text: &str) -> [u8; 32] {
    bytes(text).try_into().unwrap()
}

/// A member of this value, or without it.
pub(in crate::dpop) fn with(object: &Value, name: &str, value: Option<Value>) -> Value {
    let mut object = object.clone();
    let members = object.as_object_mut().unwrap();
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    object
}

fn jwk() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": X})
}

pub(in crate::dpop) fn header() -> Value {
    json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk()})
}

pub(in crate::dpop) fn payload() -> Value {
    let ath = base64url::encode(TokenHash::of(RFC_TOKEN).as_bytes());
    json!({"jti": "j", "htm": "GET", "htu": URI, "iat": RFC_IAT, "ath": ath})
}

fn parts(header: &Value, payload: &Value) -> String {
    format!(
        "{}.{}",
        base64url::encode(header.to_string().as_bytes()),
        base64url::encode(payload.to_string().as_bytes())
    )
}

pub(in crate::dpop) fn signed(header: &Value, payload: &Value) -> String {
    let pair = Ed25519KeyPair::from_seed_and_public_key(&bytes(SEED), &bytes(X)).unwrap();
    let message = parts(header, payload);
    format!("{message}.{}", base64url::encode(pair.sign(message.as_bytes()).as_ref()))
}

/// What is judged beside the proof, each part of it changed by a test.
struct Case {
    token: &'static str,
    thumbprint: [u8; 32],
    method: &'static str,
    uri: &'static str,
    nonces: Option<NonceSecret>,
    rules: ProofRules,
    at: i64,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            token: RFC_TOKEN,
            thumbprint: thumbprint(THUMBPRINT),
            method: "GET",
            uri: URI,
            nonces: None,
            rules: ProofRules::default(),
            at: RFC_IAT * 1000,
        }
    }
}

impl Case {
    fn judge(&self, proof: &str) -> Result<Proof, ProofFault> {
        let request = ProvedRequest {
            token: &TokenHash::of(self.token),
            thumbprint: &self.thumbprint,
            method: self.method,
            targets: &[
                TargetUri::parse("https://other.example/").unwrap(),
                TargetUri::parse(self.uri).unwrap(),
            ],
            nonces: self.nonces.as_ref(),
        };
        let headers = ProofHeaders::default();
        let verify = || Proof::verify(proof, &request, &self.rules, &headers, UnixTime::from_millis(self.at));
        let judged = verify();
        assert_eq!(verify(), judged, "by a client that is known");
        judged
    }

    fn fault(&self, proof: &str) -> Option<ProofFault> {
        self.judge(proof).err()
    }
}

#[test]
fn the_example_of_the_rfc_proves_its_request_and_no_other() {
    let rfc = || Case { thumbprint: thumbprint(RFC_THUMBPRINT), ..Case::default() };
    let proof = rfc().judge(RFC_PROOF).unwrap();
    assert_eq!(proof.forget_at, UnixTime::from_secs(RFC_IAT + 65));
    assert_eq!(proof.replay_key.to_string().len(), 32);

    let fault = |case: Case| case.fault(RFC_PROOF);
    assert_eq!(fault(Case { token: "another", ..rfc() }), Some(ProofFault::TokenHash));
    assert_eq!(fault(Case { method: "POST", ..rfc() }), Some(ProofFault::Method));
    assert_eq!(fault(Case { method: "get", ..rfc() }), Some(ProofFault::Method));
    assert_eq!(fault(Case { thumbprint: thumbprint(THUMBPRINT), ..rfc() }), Some(ProofFault::OtherKey));
    for uri in [
        "http://resource.example.org/protectedresource",
        "https://resource.example.org/",
        "https://resource.example.org/protectedresource/",
        "https://resource.example.org/ProtectedResource",
        "https://resource.example.org:8443/protectedresource",
        "https://resource.example.com/protectedresource",
    ] {
        assert_eq!(fault(Case { uri, ..rfc() }), Some(ProofFault::Target), "{uri}");
    }
    let uri = "HTTPS://Resource.Example.ORG:443/a/../%70rotectedresource?q=1#f";
    assert_eq!(Case { uri, ..rfc() }.judge(RFC_PROOF), Ok(proof));

    let mut forged = RFC_PROOF.to_owned();
    forged.replace_range(RFC_PROOF.len() - 8..RFC_PROOF.len() - 7, "B");
    assert_eq!(rfc().fault(&forged), Some(ProofFault::Signature));
}

#[test]
fn a_proof_is_good_from_five_seconds_before_its_time_until_its_age() {
    let proof = signed(&header(), &payload());
    for (after, expected) in [
        (-5001, Some(ProofFault::Time)),
        (-5000, None),
        (0, None),
        (60_000, None),
        (60_001, Some(ProofFault::Time)),
    ] {
        let at = RFC_IAT * 1000 + after;
        assert_eq!(Case { at, ..Case::default() }.fault(&proof), expected, "{after}");
    }
    let rules = ProofRules { max_age: Duration::from_secs(5), ..ProofRules::default() };
    let at = RFC_IAT * 1000 + 5001;
    assert_eq!(Case { rules, at, ..Case::default() }.fault(&proof), Some(ProofFault::Time));
    // Beyond what a date can hold, or within it.
    for iat in [json!(-9.0e30), json!(9.0e30), json!(i64::MIN), json!(i64::MAX), json!(0), json!(9e12)] {
        let proof = signed(&header(), &with(&payload(), "iat", Some(iat.clone())));
        let fault = Case::default().fault(&proof);
        assert!(matches!(fault, Some(ProofFault::Time | ProofFault::Claim("iat"))), "{iat}: {fault:?}");
    }
}

#[test]
fn what_stands_in_the_header_must_be_that_of_a_proof() {
    for (name, value, expected) in [
        ("typ", json!("DPoP+JWT"), None),
        ("typ", json!("JWT"), Some(ProofFault::Type)),
        ("typ", json!("application/dpop+jwt"), Some(ProofFault::Type)),
        ("typ", json!(7), Some(ProofFault::Type)),
        ("alg", json!("Ed25519"), None),
        ("alg", json!("none"), Some(ProofFault::Algorithm)),
        ("alg", json!("HS256"), Some(ProofFault::Algorithm)),
        ("alg", json!("RS512"), Some(ProofFault::Algorithm)),
        ("alg", json!("ES256"), Some(ProofFault::Key)),
        ("alg", json!("RS256"), Some(ProofFault::Key)),
        ("alg", json!(1), Some(ProofFault::Malformed)),
        ("crit", json!(["b64"]), Some(ProofFault::Malformed)),
        ("b64", json!(false), Some(ProofFault::Malformed)),
        ("kid", json!("../../etc/passwd"), None),
        ("jku", json!("http://127.0.0.1/keys"), None),
        ("x5u", json!("http://127.0.0.1/chain"), None),
        ("x5c", json!(["AAAA"]), None),
        ("jwk", json!(null), Some(ProofFault::Key)),
        ("jwk", json!("key"), Some(ProofFault::Key)),
        ("jwk", json!([jwk()]), Some(ProofFault::Key)),
        ("jwk", json!({"keys": [jwk()]}), Some(ProofFault::Key)),
    ] {
        let proof = signed(&with(&header(), name, Some(value.clone())), &payload());
        assert_eq!(Case::default().fault(&proof), expected, "{name}: {value}");
    }
    for (name, expected) in
        [("typ", ProofFault::Type), ("alg", ProofFault::Malformed), ("jwk", ProofFault::Key)]
    {
        let proof = signed(&with(&header(), name, None), &payload());
        assert_eq!(Case::default().fault(&proof), Some(expected), "without {name}");
    }
}

#[test]
fn a_shared_secret_makes_no_proof_even_where_the_rules_name_its_algorithm() {
    let rules = ProofRules { algorithms: AlgorithmSet::ALL, ..ProofRules::default() };
    let header = json!({"typ": "dpop+jwt", "alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}});
    let proof = signed(&header, &payload());
    assert_eq!(Case { rules, ..Case::default() }.fault(&proof), Some(ProofFault::Algorithm));
}

#[test]
fn a_key_is_public_strong_and_for_its_algorithm() {
    let n = |bytes: usize| base64url::encode(&vec![0xff; bytes]);
    for (what, alg, jwk, expected) in [
        ("alg of another type", "EdDSA", with(&jwk(), "alg", Some(json!("ES256"))), Some(ProofFault::Key)),
        ("its own alg", "EdDSA", with(&jwk(), "alg", Some(json!("EdDSA"))), None),
        ("use", "EdDSA", with(&jwk(), "use", Some(json!("enc"))), Some(ProofFault::Key)),
        ("key_ops", "EdDSA", with(&jwk(), "key_ops", Some(json!(["sign"]))), Some(ProofFault::Key)),
        ("key_ops", "EdDSA", with(&jwk(), "key_ops", Some(json!(["verify"]))), None),
        ("another key", "EdDSA", with(&jwk(), "x", Some(json!("A".repeat(43)))), Some(ProofFault::OtherKey)),
        ("a short key", "EdDSA", with(&jwk(), "x", Some(json!("AAAA"))), Some(ProofFault::Key)),
        ("Ed448", "EdDSA", with(&jwk(), "crv", Some(json!("Ed448"))), Some(ProofFault::Key)),
        ("a secret", "EdDSA", json!({"kty": "oct", "k": "A".repeat(43)}), Some(ProofFault::PrivateKey)),
        ("no kty", "EdDSA", with(&jwk(), "kty", None), Some(ProofFault::Key)),
        ("RSA 1024", "RS256", json!({"kty": "RSA", "e": "AQAB", "n": n(128)}), Some(ProofFault::Key)),
        ("RSA 2048", "RS256", json!({"kty": "RSA", "e": "AQAB", "n": n(256)}), Some(ProofFault::OtherKey)),
        ("RSA, e = 1", "RS256", json!({"kty": "RSA", "e": "AQ", "n": n(256)}), Some(ProofFault::Key)),
        ("RSA for EdDSA", "EdDSA", json!({"kty": "RSA", "e": "AQAB", "n": n(256)}), Some(ProofFault::Key)),
        ("only a certificate", "RS256", json!({"kty": "RSA", "x5c": ["AAAA"]}), Some(ProofFault::Key)),
    ] {
        let header = with(&with(&header(), "jwk", Some(jwk)), "alg", Some(json!(alg)));
        assert_eq!(Case::default().fault(&signed(&header, &payload())), expected, "{what}");
    }
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "priv", "k"] {
        for value in [json!("AAAA"), json!(null), json!([])] {
            let jwk = with(&jwk(), member, Some(value));
            let proof = signed(&with(&header(), "jwk", Some(jwk)), &payload());
            assert_eq!(Case::default().fault(&proof), Some(ProofFault::PrivateKey), "{member}");
        }
    }
}

#[test]
fn each_claim_must_be_there_and_of_its_type() {
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        let claim = Some(ProofFault::Claim(name));
        assert_eq!(Case::default().fault(&signed(&header(), &with(&payload(), name, None))), claim, "{name}");
        for value in [json!(null), json!(true), json!(["x"]), json!({})] {
            let proof = signed(&header(), &with(&payload(), name, Some(value.clone())));
            assert_eq!(Case::default().fault(&proof), claim, "{name}: {value}");
        }
    }
    for (name, value, expected) in [
        ("jti", json!(""), Some(ProofFault::Claim("jti"))),
        ("jti", json!("j".repeat(MAX_JTI_BYTES)), None),
        ("jti", json!("j".repeat(MAX_JTI_BYTES + 1)), Some(ProofFault::Claim("jti"))),
        ("iat", json!(RFC_IAT.to_string()), Some(ProofFault::Claim("iat"))),
        ("htm", json!("get"), Some(ProofFault::Method)),
        ("htm", json!("GET "), Some(ProofFault::Method)),
        ("htu", json!("/protectedresource"), Some(ProofFault::Target)),
        ("htu", json!("https://u@resource.example.org/protectedresource"), Some(ProofFault::Target)),
        ("htu", json!(""), Some(ProofFault::Target)),
        ("ath", json!(""), Some(ProofFault::TokenHash)),
        ("nonce", json!(7), Some(ProofFault::Claim("nonce"))),
        ("nonce", json!("of another server"), None),
        ("exp", json!(0), None),
    ] {
        let proof = signed(&header(), &with(&payload(), name, Some(value.clone())));
        assert_eq!(Case::default().fault(&proof), expected, "{name}: {value}");
    }
}

#[test]
fn anything_but_one_compact_token_is_no_proof() {
    let good = signed(&header(), &payload());
    let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let twice = base64url::encode(br#"{"typ":"dpop+jwt","alg":"EdDSA","alg":"EdDSA"}"#);
    for proof in [
        String::new(),
        "..".to_owned(),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{head}..{signature}"),
        format!("{good}.{signature}.{signature}"),
        format!("{good}, {good}"),
        format!(" {good}"),
        format!("{good}="),
        format!("{twice}.{body}.{signature}"),
        format!("{head}.{}.{signature}", base64url::encode(b"[]")),
        format!("{head}.{}.{signature}", base64url::encode(br#"{"jti":"a","jti":"b"}"#)),
    ] {
        assert_eq!(Case::default().fault(&proof), Some(ProofFault::Malformed), "{proof}");
    }
    let resigned = parts(&header(), &with(&payload(), "jti", Some(json!("k"))));
    assert_eq!(Case::default().fault(&format!("{resigned}.{signature}")), Some(ProofFault::Signature));
}

#[test]
fn only_ml_dsa_may_be_longer_than_others() {
    let long = |alg: &str, bytes: usize| {
        let header = with(&header(), "alg", Some(json!(alg)));
        signed(&header, &with(&payload(), "x", Some(json!("x".repeat(bytes)))))
    };
    let classical = ProofRules { algorithms: AlgorithmSet::of(&[Algorithm::EdDSA]), ..ProofRules::default() };
    let fault = |rules, proof: &str| Case { rules, ..Case::default() }.fault(proof);
    let too_long = |max| Some(ProofFault::TooLong { max });
    for rules in [classical, ProofRules::default()] {
        assert_eq!(fault(rules, &long("EdDSA", 2000)), None);
        assert_eq!(fault(rules, &long("EdDSA", 3000)), too_long(MAX_PROOF_BYTES));
    }
    assert_eq!(fault(ProofRules::default(), &long("ML-DSA-44", 3000)), Some(ProofFault::Key));
    assert_eq!(fault(classical, &long("ML-DSA-44", 3000)), too_long(MAX_PROOF_BYTES));
    assert_eq!(fault(ProofRules::default(), &long("ML-DSA-44", 12_000)), too_long(MAX_ML_DSA_PROOF_BYTES));
}

#[test]
fn where_nonces_are_asked_for_only_a_current_one_of_ours_counts() {
    let ours = || NonceSecret::new(&[1; 32]).unwrap();
    let now = UnixTime::from_secs(RFC_IAT);
    let with_nonce = |nonce: &str| signed(&header(), &with(&payload(), "nonce", Some(json!(nonce))));
    let case = Case { nonces: Some(ours()), ..Case::default() };
    assert_eq!(case.fault(&with_nonce(&ours().nonce(now))), None);
    assert_eq!(case.fault(&signed(&header(), &payload())), Some(ProofFault::Nonce));
    assert_eq!(case.fault(&with_nonce("")), Some(ProofFault::Nonce));
    let old = ours().nonce(UnixTime::from_secs(RFC_IAT - 180));
    assert_eq!(case.fault(&with_nonce(&old)), Some(ProofFault::Nonce));
    let foreign = NonceSecret::new(&[2; 32]).unwrap().nonce(now);
    assert_eq!(case.fault(&with_nonce(&foreign)), Some(ProofFault::Nonce));
}

#[test]
fn a_key_on_a_curve_proves_and_its_proof_is_remembered_by_jti_and_uri() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    let (x, y) = (base64url::encode(&point[1..33]), base64url::encode(&point[33..]));
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
    let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk});
    let Identity::Thumbprint(of_key) =
        presented(&jwk.to_string(), Algorithm::ES256).unwrap().identity().clone()
    else {
        panic!("a public key has a thumbprint");
    };
    let proof = |jti: &str| {
        let message = parts(&header, &with(&payload(), "jti", Some(json!(jti))));
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", base64url::encode(signature.as_ref()))
    };
    let case = Case { thumbprint: thumbprint(&of_key), ..Case::default() };
    // Each signature of ECDSA is another one, so that the text of the proof tells nothing of whether it was seen.
    assert_ne!(proof("j"), proof("j"));
    assert_eq!(case.judge(&proof("j")).unwrap(), case.judge(&proof("j")).unwrap());
    assert_ne!(case.judge(&proof("j")).unwrap(), case.judge(&proof("k")).unwrap());
}

#[test]
fn a_header_that_is_known_stands_for_no_signature_and_no_rule() {
    let headers = ProofHeaders::default();
    let case = Case::default();
    let thumbprint = thumbprint(THUMBPRINT);
    let verify = |proof: &str, rules: &ProofRules| {
        let request = ProvedRequest {
            token: &TokenHash::of(case.token),
            thumbprint: &thumbprint,
            method: case.method,
            targets: &[TargetUri::parse(case.uri).unwrap()],
            nonces: None,
        };
        Proof::verify(proof, &request, rules, &headers, UnixTime::from_millis(case.at)).map(|_| ())
    };
    let good = signed(&header(), &payload());
    let other = signed(&header(), &with(&payload(), "jti", Some(json!("another"))));
    let (message, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    let forged = format!("{message}.{signature}");

    assert_eq!(verify(&forged, &case.rules), Err(ProofFault::Signature));
    assert!(
        headers.get(good.split('.').next().unwrap()).is_none(),
        "nothing is kept of a proof that is refused"
    );
    for proof in [&good, &other] {
        assert_eq!(verify(proof, &case.rules), Ok(()));
        assert!(headers.get(good.split('.').next().unwrap()).is_some());
    }
    assert_eq!(verify(&forged, &case.rules), Err(ProofFault::Signature));
    let strict = ProofRules { algorithms: AlgorithmSet::of(&[Algorithm::ES256]), ..case.rules };
    assert_eq!(verify(&good, &strict), Err(ProofFault::Algorithm));
}

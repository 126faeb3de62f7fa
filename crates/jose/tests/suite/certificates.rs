//! Keys with an `x5c` certificate (RFC 7517 section 4.7).

use jose::{Algorithm, AlgorithmSet, Jws, KeyKind, SkipReason};
use serde_json::json;

use crate::support::{STRICT, Signer, b64, parse};

const CERTIFICATE: &str = include_str!("data/rsa2048.crt.pem");

#[test]
fn an_x5c_certificate_must_hold_the_same_key_or_stands_in_for_it() {
    let certificate: String = CERTIFICATE.lines().filter(|line| !line.starts_with('-')).collect();
    let certified = parse(&json!({"keys": [{"kty": "RSA", "kid": "c", "x5c": [&certificate]}]}), &STRICT);
    let [key] = certified.keys() else { panic!("{certified:?}") };
    assert_eq!(key.kind(), KeyKind::Rsa { bits: 2048 });
    let token = include_str!("data/rsa2048.jwt").trim();
    assert!(Jws::verify(token, &certified, AlgorithmSet::ALL).is_ok());

    let mut own = Signer::generate(Algorithm::RS256).jwk();
    own.as_object_mut().unwrap().insert("kid".to_owned(), json!("own"));
    for (x5c, expected) in [
        (json!([certificate]), Some(SkipReason::Certificate)),
        // Not needed, so not judged.
        (json!(["AAAA"]), None),
        (json!("AAAA"), None),
        (json!([]), None),
        (json!(null), None),
    ] {
        let mut jwk = own.clone();
        jwk.as_object_mut().unwrap().insert("x5c".to_owned(), x5c.clone());
        let good = json!({"kty": "oct", "k": b64([7; 64])});
        let set = parse(&json!({"keys": [jwk, good]}), &STRICT);
        assert_eq!(set.skipped().first().map(|skipped| skipped.reason.clone()), expected, "{x5c}");
    }
    for (jwk, expected) in [
        (json!({"kty": "EC", "crv": "P-256", "x5c": [certificate]}), SkipReason::Certificate),
        (json!({"kty": "RSA", "x5c": ["AAAA"]}), SkipReason::Parameter("x5c")),
        (json!({"kty": "RSA", "n": 7, "x5c": [certificate]}), SkipReason::Parameter("n")),
        (json!({"kty": "RSA", "n": 7, "x5c": ["AAAA"]}), SkipReason::Parameter("n")),
        (json!({"kty": "oct", "x5c": [certificate]}), SkipReason::Certificate),
    ] {
        let good = json!({"kty": "oct", "k": b64([7; 64])});
        let set = parse(&json!({"keys": [jwk, good]}), &STRICT);
        assert_eq!(set.skipped()[0].reason, expected, "{jwk}");
    }
}

//! Decryption keys, judged one by one.

use jose::{DecryptionKeys, DecryptionKeysError, DecryptionSkipReason, KeySetError, MAX_KEYS, SkipReason};
use serde_json::{Value, json};

use super::{jwk, jwk_with, parse};
use crate::support::b64;

/// Why the only key of a source was left out.
fn reason(jwk: &Value) -> Option<String> {
    match DecryptionKeys::parse(json!({"keys": [jwk]}).to_string().as_bytes()) {
        Ok(keys) => {
            assert_eq!(keys.skipped(), []);
            None
        }
        Err(DecryptionKeysError::NoneUsable(skipped)) => Some(skipped[0].reason.to_string()),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn keys_come_as_a_set_a_list_or_alone() {
    for source in [json!({"keys": [jwk("rsa")]}), json!([jwk("rsa")]), jwk("rsa")] {
        let keys = parse(&source);
        assert_eq!(keys.keys().len(), 1);
        let key = &keys.keys()[0];
        assert_eq!((key.kid(), key.is_default(), key.is_symmetric()), (Some("rsa"), false, false));
    }
}

/// A token that names no key is tried with private keys, and of secrets with the default one alone.
#[test]
fn a_key_that_no_token_can_name_is_taken_if_it_is_private_or_the_default() {
    let unreachable = DecryptionSkipReason::Unreachable.to_string();
    let without_kid = |kid: &str, default: Value| {
        let mut jwk = jwk_with(kid, json!({"default": default}));
        jwk.as_object_mut().unwrap().remove("kid");
        jwk
    };
    for (kid, default, expected) in [
        ("rsa", json!(null), None),
        ("X25519", json!(false), None),
        ("oct256", json!(true), None),
        ("oct256", json!(false), Some(unreachable)),
    ] {
        assert_eq!(reason(&without_kid(kid, default.clone())), expected, "{kid}, default: {default}");
    }
}

#[test]
fn sources_without_a_usable_key_are_errors_that_show_nothing_of_them() {
    let parse = |source: &str| DecryptionKeys::parse(source.as_bytes()).unwrap_err();
    for (source, message) in [
        ("", "holds no key"),
        (" \n", "holds no key"),
        ("[]", "holds no key"),
        (r#"{"keys":[]}"#, "holds no key"),
        ("secret", "neither a JWK set, nor a JWK, nor a list of JWKs"),
        ("{}", "neither a JWK set, nor a JWK, nor a list of JWKs"),
        (r#"{"keys":{}}"#, "neither a JWK set, nor a JWK, nor a list of JWKs"),
        ("[secret]", "not JSON: error at line 1, column 2"),
        (r#"{"kty":"oct","k":"AA","kid":"a""#, "not JSON: error at line 1, column 31"),
        ("[1]", "holds no usable key: key 1 without kid: not a JSON object with unique members"),
    ] {
        assert_eq!(parse(source).to_string(), message, "{source}");
    }
    assert!(matches!(parse(&"[".repeat(100)), DecryptionKeysError::Source(KeySetError::Nesting { .. })));
    assert!(matches!(
        parse(&" ".repeat(2_000_000)),
        DecryptionKeysError::Source(KeySetError::TooLarge { .. })
    ));
    assert!(matches!(
        DecryptionKeys::parse(b"\xff").unwrap_err(),
        DecryptionKeysError::Source(KeySetError::NotText)
    ));
}

#[test]
fn at_most_one_secret_is_the_default() {
    let marked = |kid: &str| jwk_with(kid, json!({"default": true}));
    let parse = |source: Value| DecryptionKeys::parse(source.to_string().as_bytes());
    let keys = parse(json!([jwk("rsa"), marked("oct256")])).unwrap();
    assert!(keys.keys()[1].is_default());
    assert_eq!(
        parse(json!([marked("oct128"), marked("oct256")])).unwrap_err(),
        DecryptionKeysError::SeveralDefaults { count: 2 }
    );
    for kid in ["rsa", "P-256", "X25519"] {
        assert_eq!(
            parse(json!([jwk("oct256"), marked(kid)])).unwrap_err(),
            DecryptionKeysError::AsymmetricDefault
        );
    }
    // A default key needs no name, and a bad one is not replaced.
    assert!(parse(json!({"kty": "oct", "k": b64([1; 32]), "default": true})).unwrap().keys()[0].is_default());
    let keys = parse(json!([jwk("oct256"), {"kty": "oct", "kid": "b", "k": "AA", "default": true}])).unwrap();
    assert_eq!(keys.skipped()[0].reason, DecryptionSkipReason::Unfit { bits: 8 });
    assert!(!keys.keys()[0].is_default());
}

#[test]
fn each_key_is_judged_on_its_own() {
    let keys = DecryptionKeys::parse(
        json!([{"kty": "AKP", "kid": "a"}, jwk("oct256"), {"kty": "RSA", "kid": "b"}]).to_string().as_bytes(),
    )
    .unwrap();
    assert_eq!(keys.keys().len(), 1);
    let skipped: Vec<_> = keys.skipped().iter().map(ToString::to_string).collect();
    assert_eq!(
        skipped,
        [r#"key "a": key type "AKP" is not supported"#, r#"key "b": parameter `n` is missing or malformed"#]
    );
}

#[test]
fn keys_over_the_limit_are_counted_and_not_read() {
    let source = json!(vec![jwk("oct256"); MAX_KEYS + 3]);
    let keys = DecryptionKeys::parse(source.to_string().as_bytes()).unwrap();
    assert_eq!(keys.keys().len(), MAX_KEYS);
    assert_eq!(keys.skipped()[0].reason, SkipReason::TooMany { more: 3, max: MAX_KEYS }.into());
}

#[test]
fn a_key_is_left_out_for_what_is_wrong_with_it() {
    let oct = |len: usize| json!({"kty": "oct", "kid": "a", "k": b64(vec![7; len])});
    let oct_with = |len: usize, members: Value| {
        let mut key = oct(len);
        key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        key
    };
    let without = |kid: &str, member: &str| {
        let mut key = jwk(kid);
        key.as_object_mut().unwrap().remove(member);
        key
    };
    let malformed = |name: &str| format!("parameter `{name}` is missing or malformed");
    let unfit = |bits| DecryptionSkipReason::Unfit { bits }.to_string();
    let mismatch = DecryptionSkipReason::Mismatch.to_string();
    let public_only = DecryptionSkipReason::PublicOnly.to_string();
    for (key, expected) in [
        (json!({"kty": "oct", "kid": "a", "k": ""}), "empty secret".to_owned()),
        (json!({"kty": "oct", "kid": "a"}), malformed("k")),
        (json!({"kty": "oct", "kid": [1], "k": "AA"}), malformed("kid")),
        (oct_with(32, json!({"default": "true"})), malformed("default")),
        (oct_with(32, json!({"kid": "a", "kty": null})), malformed("kty")),
        (oct(1), unfit(8)),
        (oct(15), unfit(120)),
        (oct(17), unfit(136)),
        (oct(65), unfit(520)),
        (oct_with(32, json!({"alg": "A128KW"})), unfit(256)),
        (oct_with(16, json!({"alg": "A256GCMKW"})), unfit(128)),
        (oct_with(32, json!({"alg": "dir", "enc": "A256CBC-HS512"})), unfit(256)),
        (oct_with(32, json!({"alg": "A256CBC-HS512"})), unfit(256)),
        (oct_with(64, json!({"alg": "A256CBC-HS512", "enc": "A256GCM"})), malformed("enc")),
        (oct_with(32, json!({"alg": "RSA-OAEP"})), unfit(256)),
        (
            oct_with(32, json!({"alg": "HS256"})),
            r#"algorithm "HS256" is not a supported encryption algorithm"#.into(),
        ),
        (
            oct_with(32, json!({"alg": "PBES2-HS256+A128KW"})),
            r#"algorithm "PBES2-HS256+A128KW" is not a supported encryption algorithm"#.into(),
        ),
        (
            jwk_with("rsa", json!({"alg": "RSA1_5"})),
            r#"algorithm "RSA1_5" is not a supported encryption algorithm"#.into(),
        ),
        (oct_with(32, json!({"enc": "dir"})), r#"content encryption "dir" is not supported"#.into()),
        (oct_with(32, json!({"use": "sig"})), r#"its use is "sig", not "enc""#.into()),
        (oct_with(32, json!({"key_ops": ["encrypt", "verify"]})), DecryptionSkipReason::KeyOps.to_string()),
        (oct_with(32, json!({"key_ops": "decrypt"})), malformed("key_ops")),
        (without("rsa", "d"), public_only.clone()),
        (without("P-256", "d"), public_only.clone()),
        (without("X25519", "d"), public_only),
        (without("rsa", "qi"), malformed("qi")),
        (jwk_with("rsa", json!({"oth": [{}]})), malformed("oth")),
        (jwk_with("rsa", json!({"alg": "dir"})), unfit(2048)),
        (jwk_with("rsa", json!({"dp": jwk("rsa")["dq"]})), mismatch.clone()),
        (jwk_with("rsa", json!({"d": "AQAB"})), mismatch.clone()),
        (jwk_with("rsa", json!({"e": "AQ"})), SkipReason::Exponent.to_string()),
        (
            jwk_with("rsa", json!({"n": b64([255; 128])})),
            SkipReason::ModulusSize { bits: 1024, min: 2048, max: 8192 }.to_string(),
        ),
        (jwk_with("P-256", json!({"x": jwk("P-256")["y"], "y": jwk("P-256")["x"]})), mismatch.clone()),
        (jwk_with("P-256", json!({"d": "AA"})), malformed("d")),
        (jwk_with("P-256", json!({"d": b64([0; 32])})), malformed("d")),
        (jwk_with("P-256", json!({"d": b64([255; 32])})), malformed("d")),
        (jwk_with("P-256", json!({"crv": "P-384"})), mismatch.clone()),
        (jwk_with("P-256", json!({"crv": "secp256k1"})), r#"curve "secp256k1" is not supported"#.into()),
        (jwk_with("P-256", json!({"alg": "RSA-OAEP"})), unfit(256)),
        (jwk_with("X25519", json!({"d": "AA"})), malformed("d")),
        (jwk_with("X25519", json!({"x": b64([9; 32])})), mismatch),
        (jwk_with("X25519", json!({"crv": "Ed25519"})), r#"curve "Ed25519" is not supported"#.into()),
    ] {
        assert_eq!(reason(&key), Some(expected), "{key}");
    }
    for members in [
        json!({}),
        json!({"use": "enc"}),
        json!({"key_ops": ["unwrapKey"]}),
        json!({"alg": "A256KW"}),
        json!({"alg": "dir"}),
        json!({"enc": "A128GCM"}),
        json!({"alg": "A128CBC-HS256", "enc": "A128CBC-HS256"}),
        json!({"default": false}),
        json!({"default": null, "use": null, "key_ops": [], "alg": null, "enc": null}),
    ] {
        assert_eq!(reason(&oct_with(32, members.clone())), None, "{members}");
    }
}

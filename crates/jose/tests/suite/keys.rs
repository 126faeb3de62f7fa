//! Which keys are taken from a source, and why the others are not.

use jose::{
    Algorithm, AlgorithmSet, Curve, Doubt, IssuerPolicy, KeyKind, KeyOrigin, KeyRules, KeySet, KeySetError,
    MAX_KEY_SET_BYTES, MAX_KEYS, Profile, Reject, SkipReason,
};
use serde_json::{Value, json};

use crate::support::{GOOD, NOW, STRICT, Signer, b64, keys, parse, refusal};

const URL: KeyRules = KeyRules { origin: KeyOrigin::Url, ..STRICT };
const MS_USERS: KeyRules = KeyRules { profile: Profile::MsUsers, ..STRICT };

const SMALL_RSA: &str = include_str!("data/rsa1024.pub.pem");
const CERTIFICATE: &str = include_str!("data/rsa2048.crt.pem");

/// The one reason for which a set with this single key is refused.
fn reason(jwk: &Value) -> SkipReason {
    let source = json!({"keys": [jwk]}).to_string();
    match KeySet::parse(source.as_bytes(), &STRICT) {
        Err(KeySetError::NoneUsable(mut skipped)) if skipped.len() == 1 => skipped.remove(0).reason,
        other => panic!("{jwk}: {other:?}"),
    }
}

#[test]
fn one_bad_key_spoils_no_other() {
    let good = Signer::generate(Algorithm::ES256);
    let set = keys([
        json!(null),
        json!("x"),
        json!({}),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AA"}),
        json!({"kty": "EC", "crv": "secp256k1", "kid": "k1", "x": "AA", "y": "AA"}),
        good.jwk_with(json!({"kid": "good", "use": "sig", "key_ops": ["verify"], "alg": "ES256", "x5c": 7, "x5u": 8, "unknown": {}})),
        json!({"kty": "RSA", "kid": [7], "n": "AA", "e": "AQAB"}),
    ]);
    assert_eq!(set.len(), 1);
    assert_eq!(set.keys()[0].kid(), Some("good"));
    assert_eq!(set.keys()[0].kind(), KeyKind::Ec(Curve::P256));
    let skipped: Vec<_> = set.skipped().iter().map(ToString::to_string).collect();
    assert_eq!(
        skipped,
        [
            "key 1 without kid: not a JSON object with unique members",
            "key 2 without kid: not a JSON object with unique members",
            "key 3 without kid: parameter `kty` is missing or malformed",
            r#"key "pq": public key of 1 bytes; those of ML-DSA-44 have 1312"#,
            r#"key "k1": curve "secp256k1" is not supported"#,
            "key 7 without kid: parameter `kid` is missing or malformed",
        ]
    );
}

#[test]
fn what_a_jwk_says_of_itself_binds() {
    let ec = Signer::generate(Algorithm::ES256);
    let rsa = Signer::generate(Algorithm::RS256);
    let ed = Signer::generate(Algorithm::EdDSA);
    for (jwk, expected) in [
        (ec.jwk_with(json!({"use": "enc"})), r#"its use is "enc", not "sig""#),
        (ec.jwk_with(json!({"use": ["sig"]})), "parameter `use` is missing or malformed"),
        (ec.jwk_with(json!({"key_ops": ["sign", "encrypt"]})), r#"its key_ops do not contain "verify""#),
        (ec.jwk_with(json!({"key_ops": "verify"})), "parameter `key_ops` is missing or malformed"),
        (ec.jwk_with(json!({"alg": "ES384"})), "algorithm ES384 does not fit the key's type, curve or size"),
        (ec.jwk_with(json!({"alg": "RS256"})), "algorithm RS256 does not fit the key's type, curve or size"),
        (ec.jwk_with(json!({"alg": "HS256"})), "algorithm HS256 does not fit the key's type, curve or size"),
        (ec.jwk_with(json!({"alg": "none"})), r#"algorithm "none" is not a supported signature algorithm"#),
        (
            ec.jwk_with(json!({"alg": "ECDH-ES"})),
            r#"algorithm "ECDH-ES" is not a supported signature algorithm"#,
        ),
        (ec.jwk_with(json!({"alg": 7})), "parameter `alg` is missing or malformed"),
        (ec.jwk_with(json!({"crv": "P-384"})), "not a point on P-384"),
        (ec.jwk_with(json!({"crv": "p-256"})), r#"curve "p-256" is not supported"#),
        (ec.jwk_with(json!({"crv": null})), "parameter `crv` is missing or malformed"),
        (ec.jwk_with(json!({"x": format!("{}==", b64([1; 32]))})), "parameter `x` is missing or malformed"),
        (ec.jwk_with(json!({"x": ""})), "parameter `x` is missing or malformed"),
        (ec.jwk_with(json!({"y": b64([1; 33])})), "parameter `y` is missing or malformed"),
        (ec.jwk_with(json!({"y": b64([1; 31])})), "not a point on P-256"),
        (ec.jwk_with(json!({"kty": "RSA"})), "parameter `n` is missing or malformed"),
        (ec.jwk_with(json!({"kty": "ec"})), r#"key type "ec" is not supported"#),
        (
            rsa.jwk_with(json!({"alg": "RSA-OAEP"})),
            r#"algorithm "RSA-OAEP" is not a supported signature algorithm"#,
        ),
        (
            rsa.jwk_with(json!({"alg": "ML-DSA-65"})),
            "algorithm ML-DSA-65 does not fit the key's type, curve or size",
        ),
        (
            rsa.jwk_with(json!({"alg": "ML-DSA-65-ES256"})),
            r#"algorithm "ML-DSA-65-ES256" is not a supported signature algorithm"#,
        ),
        (rsa.jwk_with(json!({"alg": "ES256"})), "algorithm ES256 does not fit the key's type, curve or size"),
        (ed.jwk_with(json!({"crv": "X25519"})), r#"curve "X25519" is not supported"#),
        (ed.jwk_with(json!({"crv": "Ed448"})), r#"curve "Ed448" is not supported"#),
        (ed.jwk_with(json!({"crv": "ML-DSA-65"})), r#"curve "ML-DSA-65" is not supported"#),
        (ed.jwk_with(json!({"x": b64(ed.spki())})), "parameter `x` is missing or malformed"),
        (ed.jwk_with(json!({"x": b64([1; 31])})), "parameter `x` is missing or malformed"),
        (json!({"kty": "oct"}), "parameter `k` is missing or malformed"),
        (json!({"kty": "oct", "k": ""}), "empty secret"),
        (json!({"kty": "oct", "k": b64([1; 31])}), "secret of 248 bits; 256 are required"),
        (json!({"kty": "oct", "k": b64([1; 63]), "alg": "HS512"}), "secret of 504 bits; 512 are required"),
        (
            json!({"kty": "oct", "k": b64([1; 64]), "alg": "SHA256"}),
            r#"algorithm "SHA256" is not a supported signature algorithm"#,
        ),
        (
            json!({"kty": "oct", "k": b64([1; 64]), "alg": "A256GCM"}),
            r#"algorithm "A256GCM" is not a supported signature algorithm"#,
        ),
    ] {
        assert_eq!(reason(&jwk).to_string(), expected, "{jwk}");
    }
}

#[test]
fn rsa_keys_have_a_sane_size_and_exponent() {
    let odd = |bytes: usize| {
        let mut n = vec![0xb7; bytes];
        n[bytes - 1] = 0x01;
        n
    };
    let with = |n: &[u8], e: &[u8]| json!({"kty": "RSA", "n": b64(n), "e": b64(e)});
    let size = |bits| SkipReason::ModulusSize { bits, min: 2048, max: 8192 };
    let mut even = odd(256);
    even[255] = 2;
    let mut short = odd(256);
    short[0] = 0x7f;
    for (jwk, expected) in [
        (with(&odd(128), &[1, 0, 1]), size(1024)),
        (with(&short, &[1, 0, 1]), size(2047)),
        (with(&odd(1025), &[1, 0, 1]), size(8200)),
        (with(&[], &[1, 0, 1]), size(0)),
        (with(&[0; 256], &[1, 0, 1]), size(0)),
        (with(&odd(256), &[]), SkipReason::Exponent),
        (with(&odd(256), &[0]), SkipReason::Exponent),
        (with(&odd(256), &[1]), SkipReason::Exponent),
        (with(&odd(256), &[2]), SkipReason::Exponent),
        (with(&odd(256), &[1, 0, 0]), SkipReason::Exponent),
        (with(&odd(256), &[2, 0, 0, 0, 1]), SkipReason::Exponent),
        (with(&odd(256), &odd(256)), SkipReason::Exponent),
        (with(&even, &[1, 0, 1]), SkipReason::WeakModulus),
    ] {
        assert_eq!(reason(&jwk), expected, "{jwk:.60}");
    }
    for (jwk, bits) in [
        (with(&odd(256), &[1, 0, 1]), 2048),
        (with(&odd(256), &[3]), 2048),
        (with(&[&[0, 0], odd(256).as_slice()].concat(), &[0, 1, 0, 1]), 2048),
        (with(&odd(1024), &[1, 0, 1]), 8192),
    ] {
        assert_eq!(keys([jwk]).keys()[0].kind(), KeyKind::Rsa { bits });
    }
}

#[test]
fn a_private_jwk_gives_its_public_half_with_a_warning() {
    let signer = Signer::generate(Algorithm::ES256);
    let set = keys([signer.jwk_with(json!({"kid": "a", "d": b64([1; 32])}))]);
    assert_eq!(set.warnings().len(), 1);
    assert_eq!(set.warnings()[0].doubt, Doubt::PrivateParameters);
    assert!(set.warnings()[0].to_string().starts_with(r#"key "a": holds private parameters"#));
    assert_eq!(refusal(&signer.plain_token(Algorithm::ES256, GOOD), &set), None);

    assert_eq!(reason(&json!({"kty": "EC", "crv": "P-256", "d": b64([1; 32])})), SkipReason::PrivateOnly);
    assert_eq!(reason(&json!({"kty": "RSA", "d": "AQ", "p": "Aw"})), SkipReason::PrivateOnly);
}

#[test]
fn short_secrets_are_taken_only_with_the_switch_and_empty_ones_never() {
    let allowed = KeyRules { allow_short_secrets: true, ..STRICT };
    let set = parse(&json!({"keys": [{"kty": "oct", "kid": "a", "k": b64(b"short")}]}), &allowed);
    assert_eq!(set.keys()[0].algorithms(), AlgorithmSet::HMAC);
    assert_eq!(set.warnings()[0].doubt, Doubt::ShortSecret { bits: 40 });
    let token = Signer::Hmac(b"short".to_vec()).plain_token(Algorithm::HS512, GOOD);
    assert_eq!(refusal(&token, &set), None);
    // Long enough for HS256: no doubt, and with the switch HS512 is verified too.
    let middling = json!({"keys": [{"kty": "oct", "k": b64([7; 32])}]});
    let set = parse(&middling, &allowed);
    assert!(set.warnings().is_empty());
    assert_eq!(set.keys()[0].algorithms(), AlgorithmSet::HMAC);
    assert_eq!(parse(&middling, &STRICT).keys()[0].algorithms(), AlgorithmSet::of(&[Algorithm::HS256]));

    for source in [json!({"keys": [{"kty": "oct", "k": ""}]}), json!([{"kid": "a", "secret": ""}])] {
        for rules in [STRICT, allowed, MS_USERS] {
            let Err(KeySetError::NoneUsable(skipped)) = KeySet::parse(source.to_string().as_bytes(), &rules)
            else {
                panic!("taken: {source}")
            };
            assert_eq!(skipped[0].reason, SkipReason::EmptySecret);
        }
    }
}

#[test]
fn secrets_beside_public_keys_from_a_url_are_left_out() {
    let ec = Signer::generate(Algorithm::ES256);
    let secret = Signer::generate(Algorithm::HS256);
    let mixed = json!({"keys": [secret.jwk_with(json!({"kid": "s"})), ec.jwk_with(json!({"kid": "e"}))]});
    let kids =
        |set: &KeySet| set.keys().iter().filter_map(|key| key.kid().map(str::to_owned)).collect::<Vec<_>>();

    let strict = parse(&mixed, &URL);
    assert_eq!(kids(&strict), ["e"]);
    assert_eq!(strict.skipped()[0].reason, SkipReason::MixedKinds);
    assert_eq!(kids(&parse(&mixed, &STRICT)), ["s", "e"]);
    let allowed = parse(&mixed, &KeyRules { allow_mixed_keys: true, ..URL });
    assert_eq!(kids(&allowed), ["s", "e"]);
    assert_eq!(allowed.warnings()[0].doubt, Doubt::MixedKinds);
    assert_eq!(kids(&parse(&json!({"keys": [secret.jwk_with(json!({"kid": "s"}))]}), &URL)), ["s"]);

    let legacy = json!([{"kid": "s", "secret": "s".repeat(32)}, {"kid": "e", "cert": ec.pem()}]);
    let ms_users = parse(&legacy, &KeyRules { profile: Profile::MsUsers, ..URL });
    assert_eq!(kids(&ms_users), ["s", "e"]);
    assert_eq!(ms_users.warnings()[0].doubt, Doubt::MixedKinds);
    assert_eq!(kids(&parse(&legacy, &URL)), ["e"]);
}

#[test]
fn the_legacy_list_takes_weak_keys_in_the_ms_users_profile_only() {
    let list = json!([
        {"kid": "weak", "secret": "hunter2"},
        {"kid": "small", "cert": SMALL_RSA},
        {"kid": "cert", "cert": CERTIFICATE},
        {"kid": "both", "secret": "x", "cert": CERTIFICATE},
        {"kid": "neither"},
        {"kid": [5], "secret": "hunter2"},
        {"kid": "private", "cert": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"},
        {"secret": "without a name"},
        {"kid": "half", "kty": "oct", "secret": "x", "cert": CERTIFICATE},
        {"kid": "two", "cert": (CERTIFICATE.repeat(2))}
    ]);
    let set = parse(&list, &MS_USERS);
    let taken: Vec<_> = set.keys().iter().map(|key| (key.kid(), key.kind())).collect();
    assert_eq!(
        taken,
        [
            (Some("weak"), KeyKind::Oct),
            (Some("small"), KeyKind::Rsa { bits: 1024 }),
            (Some("cert"), KeyKind::Rsa { bits: 2048 }),
            (None, KeyKind::Oct),
        ]
    );
    let doubts: Vec<_> = set.warnings().iter().map(|warning| warning.doubt.clone()).collect();
    assert_eq!(
        doubts,
        [
            Doubt::ShortSecret { bits: 56 },
            Doubt::SmallModulus { bits: 1024 },
            Doubt::ShortSecret { bits: 112 }
        ]
    );
    let reasons: Vec<_> = set.skipped().iter().map(|key| (key.kid.as_deref(), &key.reason)).collect();
    assert_eq!(
        reasons,
        [
            (Some("both"), &SkipReason::LegacyEntry),
            (Some("neither"), &SkipReason::LegacyEntry),
            (None, &SkipReason::Parameter("kid")),
            (Some("private"), &SkipReason::PrivateOnly),
            (Some("half"), &SkipReason::LegacyEntry),
            (Some("two"), &SkipReason::Pem),
        ]
    );

    let standard = parse(&list, &STRICT);
    assert_eq!(standard.keys().iter().map(|key| key.kid()).collect::<Vec<_>>(), [Some("cert")]);
    assert!(standard.warnings().is_empty());

    let small = include_str!("data/rsa1024.jwt").trim();
    assert!(matches!(
        jose::verify(small, &set, &IssuerPolicy::of(Profile::MsUsers), NOW),
        jose::Verdict::Accept(_)
    ));
    let tampered = small.replace(".n4B", ".n4C");
    assert_ne!(tampered, small);
    assert_eq!(jose::verify_signature(&tampered, &set, AlgorithmSet::ALL), Err(jose::Reject::Signature));
    let weak = Signer::Hmac(b"hunter2".to_vec()).plain_token(Algorithm::HS256, r#"{"st":1}"#);
    assert!(matches!(
        jose::verify(&weak, &set, &IssuerPolicy::of(Profile::MsUsers), NOW),
        jose::Verdict::Accept(_)
    ));
}

#[test]
fn a_source_without_a_usable_key_is_an_error_that_shows_nothing_of_it() {
    let deep = format!(r#"{{"keys":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let huge = format!(r#"{{"keys":[]{}}}"#, " ".repeat(MAX_KEY_SET_BYTES));
    for (source, expected) in [
        (&b""[..], KeySetError::Empty),
        (b" \n", KeySetError::Empty),
        (b"[]", KeySetError::Empty),
        (br#"{"keys":[]}"#, KeySetError::Empty),
        (b"{}", KeySetError::Form),
        (b"null", KeySetError::Form),
        (b"<html>Service Unavailable</html>", KeySetError::Form),
        (br#"{"keys":{}}"#, KeySetError::Form),
        (br#"{"a":"b"}"#, KeySetError::Form),
        (br#"{"a":"-----BEGIN CERTIFICATE-----","b":{}}"#, KeySetError::Form),
        (br#"{"keys":[],"keys":[{"kty":"oct"}]}"#, KeySetError::Repeated),
        (br#"{"kty":"oct","k":"AA","k":"AQ"}"#, KeySetError::Repeated),
        (br#"{"keys":["#, KeySetError::Json { line: 1, column: 9 }),
        (b"{\n\"hunter2\" 7}", KeySetError::Json { line: 2, column: 11 }),
        (b"\xff\xfe", KeySetError::NotText),
        (deep.as_bytes(), KeySetError::Nesting { max: 32 }),
        (huge.as_bytes(), KeySetError::TooLarge { len: huge.len(), max: MAX_KEY_SET_BYTES }),
    ] {
        let error = KeySet::parse(source, &STRICT).unwrap_err();
        assert_eq!(error, expected, "{:.40}", String::from_utf8_lossy(source));
        assert!(!error.to_string().contains("hunter2"));
    }
}

#[test]
fn a_source_of_very_many_keys_is_cut_and_says_so() {
    let secret = Signer::generate(Algorithm::HS256);
    let set = keys((0..MAX_KEYS + 5).map(|index| secret.jwk_with(json!({"kid": index.to_string()}))));
    assert_eq!(set.len(), MAX_KEYS);
    assert_eq!(set.skipped().len(), 1);
    assert_eq!(set.skipped()[0].reason, SkipReason::TooMany { more: 5, max: MAX_KEYS });

    let unusable = json!({"keys": vec![json!({}); 20]}).to_string();
    let message = KeySet::parse(unusable.as_bytes(), &STRICT).unwrap_err().to_string();
    assert!(message.ends_with("; and 12 more"), "{message}");
}

#[test]
fn a_single_jwk_is_a_set_of_one() {
    let signer = Signer::generate(Algorithm::EdDSA);
    let set = KeySet::parse(signer.jwk().to_string().as_bytes(), &STRICT).unwrap();
    assert_eq!(refusal(&signer.plain_token(Algorithm::EdDSA, GOOD), &set), None);
}

#[test]
fn ed25519_is_eddsa_in_a_key_and_in_a_token_and_stays_bound_to_its_type() {
    let ed = Signer::generate(Algorithm::EdDSA);
    let named = |alg: &str| ed.token(Algorithm::EdDSA, &format!(r#"{{"alg":"{alg}"}}"#), GOOD);
    for alg in ["EdDSA", "Ed25519"] {
        let set = KeySet::parse(ed.jwk_with(json!({"alg": alg})).to_string().as_bytes(), &STRICT).unwrap();
        assert_eq!(refusal(&named("Ed25519"), &set), None, "{alg}");
        assert_eq!(refusal(&named("EdDSA"), &set), None, "{alg}");
        assert_eq!(refusal(&named("Ed448"), &set), Some(Reject::Algorithm), "{alg}");
    }
    let ec = Signer::generate(Algorithm::ES256);
    let set = KeySet::parse(ec.jwk().to_string().as_bytes(), &STRICT).unwrap();
    assert_eq!(refusal(&named("Ed25519"), &set), Some(Reject::UnknownKey));
    let skipped = KeySet::parse(ec.jwk_with(json!({"alg": "Ed25519"})).to_string().as_bytes(), &STRICT);
    assert!(skipped.unwrap_err().to_string().contains("algorithm EdDSA does not fit"));
}

#[test]
fn merged_sources_add_up() {
    let a = Signer::generate(Algorithm::ES256);
    let b = Signer::generate(Algorithm::HS256);
    let merged = KeySet::merge([&keys([a.jwk(), json!({})]), &KeySet::empty(), &keys([b.jwk()])]);
    assert_eq!((merged.len(), merged.skipped().len()), (2, 1));
    assert_eq!(refusal(&a.plain_token(Algorithm::ES256, GOOD), &merged), None);
    assert_eq!(refusal(&b.plain_token(Algorithm::HS256, GOOD), &merged), None);
    assert!(KeySet::merge([]).is_empty());
}

#[test]
fn debug_output_holds_no_key_material() {
    let set = parse(&json!([{"kid": "a", "secret": "correct horse battery staple, twice over"}]), &STRICT);
    let text = format!("{set:?}");
    assert!(text.contains("kid: Some(\"a\")") && text.contains("HS256"), "{text}");
    assert!(!text.contains("horse"), "{text}");
}

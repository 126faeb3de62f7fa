//! One test for each way in which JOSE verifiers have been broken.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use jose::{Algorithm, KeySet, MAX_JSON_DEPTH, Reject, SkipReason, verify_signature};
use serde_json::json;

use crate::support::{GOOD, STRICT, Signer, b64, keys, refusal};

#[test]
fn a_public_key_is_never_an_hmac_secret() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::MlDsa44] {
        let signer = Signer::generate(algorithm);
        let pem = signer.pem();
        let jwk = signer.jwk_with(json!({"kid": "a"})).to_string();
        let spaced = format!("  \n{pem}");
        let with_byte = format!("\u{1}{pem}");
        let guesses: [&[u8]; 7] = [
            pem.as_bytes(),
            pem.trim_end().as_bytes(),
            spaced.as_bytes(),
            with_byte.as_bytes(),
            jwk.as_bytes(),
            &signer.spki(),
            b"a",
        ];
        let sets =
            [keys([signer.jwk_with(json!({"kid": "a"}))]), KeySet::parse(pem.as_bytes(), &STRICT).unwrap()];
        for set in &sets {
            for guess in guesses {
                for hash in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                    let header = format!(r#"{{"alg":"{hash}","kid":"a"}}"#);
                    let token = Signer::Hmac(guess.to_vec()).token(hash, &header, GOOD);
                    assert_eq!(refusal(&token, set), Some(Reject::UnknownKey), "{algorithm}, {hash}");
                }
            }
        }
    }
}

#[test]
fn the_text_of_a_key_is_refused_as_a_secret() {
    let signer = Signer::generate(Algorithm::RS256);
    let pem = signer.pem();
    let jwk = signer.jwk().to_string();
    let texts = [
        pem.clone(),
        format!("  {pem}"),
        format!("\u{1}{pem}"),
        format!("# mine\n{pem}"),
        jwk.clone(),
        format!(" {jwk}"),
    ];
    let mut sources: Vec<_> = texts.iter().map(|text| json!([{"kid": "a", "secret": text}])).collect();
    sources.extend(texts.iter().map(|text| json!({"keys": [{"kty": "oct", "kid": "a", "k": b64(text)}]})));
    sources.push(json!({"keys": [{"kty": "oct", "kid": "a", "k": b64(signer.spki())}]}));
    for source in sources {
        let Err(jose::KeySetError::NoneUsable(skipped)) =
            KeySet::parse(source.to_string().as_bytes(), &STRICT)
        else {
            panic!("taken: {source}")
        };
        assert_eq!(skipped[0].reason, SkipReason::SecretIsKey, "{source}");
    }
}

#[test]
fn an_algorithm_is_bound_to_type_and_curve() {
    let p256 = Signer::generate(Algorithm::ES256);
    let p384 = Signer::generate(Algorithm::ES384);
    let rsa = Signer::generate(Algorithm::RS256);
    let ed = Signer::generate(Algorithm::EdDSA);
    let ml_dsa = Signer::generate(Algorithm::MlDsa65);
    for (signer, fitting) in [
        (&p256, vec![Algorithm::ES256]),
        (&p384, vec![Algorithm::ES384]),
        (&ed, vec![Algorithm::EdDSA]),
        (&ml_dsa, vec![Algorithm::MlDsa65]),
        (&rsa, jose::AlgorithmSet::RSA.iter().collect()),
    ] {
        let set = keys([signer.jwk()]);
        assert_eq!(set.keys()[0].algorithms().iter().collect::<Vec<_>>(), fitting);
        for algorithm in Algorithm::ALL.iter().filter(|algorithm| !fitting.contains(algorithm)) {
            let token =
                format!("{}.{}.{}", b64(format!(r#"{{"alg":"{algorithm}"}}"#)), b64(GOOD), b64([0; 64]));
            assert_eq!(refusal(&token, &set), Some(Reject::UnknownKey), "{algorithm}");
        }
    }
    // A key that names its algorithm does not serve its siblings.
    let set = keys([rsa.jwk_with(json!({"alg": "PS256"}))]);
    assert_eq!(refusal(&rsa.plain_token(Algorithm::PS256, GOOD), &set), None);
    assert_eq!(refusal(&rsa.plain_token(Algorithm::RS256, GOOD), &set), Some(Reject::UnknownKey));
}

#[test]
fn none_is_refused_in_every_letter_case_with_and_without_signature() {
    let set = keys([Signer::generate(Algorithm::HS256).jwk()]);
    for bits in 0..16_u8 {
        let none: String = "none"
            .chars()
            .enumerate()
            .map(|(index, letter)| if bits >> index & 1 == 1 { letter.to_ascii_uppercase() } else { letter })
            .collect();
        let unsigned = format!("{}.{}", b64(format!(r#"{{"alg":"{none}"}}"#)), b64(GOOD));
        assert_eq!(refusal(&format!("{unsigned}.AAAA"), &set), Some(Reject::Algorithm), "{none}");
        assert_eq!(refusal(&format!("{unsigned}."), &set), Some(Reject::Algorithm), "{none}");
        assert_eq!(refusal(&unsigned, &set), Some(Reject::Malformed), "{none}");
    }
}

#[test]
fn keys_that_the_token_brings_along_are_ignored() {
    let ours = Signer::generate(Algorithm::ES256);
    let set = keys([ours.jwk_with(json!({"kid": "a"}))]);
    let theirs = Signer::generate(Algorithm::ES256);
    for header in [
        json!({"alg": "ES256", "kid": "a", "jwk": theirs.jwk()}),
        json!({"alg": "ES256", "kid": "a", "jku": "https://mallory.example/jwks.json"}),
        json!({"alg": "ES256", "kid": "a", "x5u": "https://mallory.example/cert.pem"}),
        json!({"alg": "ES256", "kid": "a", "x5c": [b64(theirs.spki())]}),
    ] {
        assert_eq!(
            refusal(&theirs.token(Algorithm::ES256, &header.to_string(), GOOD), &set),
            Some(Reject::Signature),
            "{header}"
        );
        assert_eq!(refusal(&ours.token(Algorithm::ES256, &header.to_string(), GOOD), &set), None, "{header}");
    }
}

#[test]
fn a_kid_is_a_name_and_nothing_else() {
    let set = keys([Signer::generate(Algorithm::HS256).jwk_with(json!({"kid": "a"}))]);
    let empty = Signer::Hmac(b"guess".to_vec());
    for kid in [
        "../../../../dev/null",
        "/dev/null",
        "' UNION SELECT 'guess",
        "a\u{0}",
        "a ",
        "|id",
        "%61",
        "a/../a",
        "x".repeat(5000).as_str(),
    ] {
        let header = json!({"alg": "HS256", "kid": kid}).to_string();
        assert_eq!(
            refusal(&empty.token(Algorithm::HS256, &header, GOOD), &set),
            Some(Reject::UnknownKey),
            "{kid:?}"
        );
    }
    for kid in [json!(null), json!([1]), json!(["a"]), json!({"a": 1}), json!(true)] {
        let header = json!({"alg": "HS256", "kid": kid}).to_string();
        assert_eq!(
            refusal(&empty.token(Algorithm::HS256, &header, GOOD), &set),
            Some(Reject::Malformed),
            "{kid}"
        );
    }
}

#[test]
fn empty_and_zero_signatures_are_refused() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let set = keys([Signer::generate(algorithm).jwk()]);
        let unsigned = format!("{}.{}", b64(format!(r#"{{"alg":"{algorithm}"}}"#)), b64(GOOD));
        assert_eq!(refusal(&format!("{unsigned}."), &set), Some(Reject::Malformed), "{algorithm}");
        for zeros in [1, 32, 48, 64, 96, 132, 256] {
            let token = format!("{unsigned}.{}", b64(vec![0; zeros]));
            assert_eq!(refusal(&token, &set), Some(Reject::Signature), "{algorithm} with {zeros} zeros");
        }
    }
}

#[test]
fn ecdsa_signatures_are_raw_and_never_der() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(32);
    let set = keys([json!({"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y)})]);
    let message = format!("{}.{}", b64(r#"{"alg":"ES256"}"#), b64(GOOD));
    let der = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    assert_eq!(refusal(&format!("{message}.{}", b64(der.as_ref())), &set), Some(Reject::Signature));
}

#[test]
fn points_off_the_curve_are_no_keys() {
    for (algorithm, curve) in
        [(Algorithm::ES256, "P-256"), (Algorithm::ES384, "P-384"), (Algorithm::ES512, "P-521")]
    {
        let jwk = Signer::generate(algorithm).jwk();
        let x = jwk["x"].as_str().unwrap();
        let len = x.len() * 3 / 4;
        let beyond_the_field = b64(vec![0xff; len]);
        let zero = b64(vec![0; len]);
        for (x, y) in [(x, x), (zero.as_str(), zero.as_str()), (beyond_the_field.as_str(), x)] {
            let source = json!({"keys": [{"kty": "EC", "crv": curve, "x": x, "y": y}]});
            let Err(jose::KeySetError::NoneUsable(skipped)) =
                KeySet::parse(source.to_string().as_bytes(), &STRICT)
            else {
                panic!("taken: {source}")
            };
            assert!(matches!(skipped[0].reason, SkipReason::Point(_)), "{curve}: {}", skipped[0]);
        }
    }
}

#[test]
fn an_expiry_is_a_number_that_a_clock_can_reach() {
    let signer = Signer::generate(Algorithm::HS256);
    let set = keys([signer.jwk()]);
    for (exp, expected) in [
        ("1700000600", None),
        ("1700000600.0", None),
        ("1.7000006e9", None),
        ("17000006000000", None),
        ("\"1700000600\"", Some(Reject::ClaimType)),
        ("\"\"", Some(Reject::ClaimType)),
        ("null", Some(Reject::ClaimType)),
        ("true", Some(Reject::ClaimType)),
        ("[1700000600]", Some(Reject::ClaimType)),
        ("{\"value\":1700000600}", Some(Reject::ClaimType)),
        ("1e400", Some(Reject::ClaimType)),
        ("1e30", Some(Reject::ClaimType)),
        ("99999999999999999999999999", Some(Reject::ClaimType)),
        ("-1", Some(Reject::Expired)),
        ("-1e400", Some(Reject::ClaimType)),
        ("0", Some(Reject::Expired)),
        ("NaN", Some(Reject::Malformed)),
        ("Infinity", Some(Reject::Malformed)),
        ("0x7fffffff", Some(Reject::Malformed)),
        ("01700000600", Some(Reject::Malformed)),
        ("1700000600,\"exp\":1900000000", Some(Reject::Malformed)),
        ("1,\"\\u0065xp\":1900000000", Some(Reject::Malformed)),
    ] {
        let token = signer.plain_token(Algorithm::HS256, &format!(r#"{{"exp":{exp}}}"#));
        assert_eq!(refusal(&token, &set), expected, "{exp}");
    }
}

#[test]
fn nesting_is_bounded_in_header_and_payload() {
    let signer = Signer::generate(Algorithm::HS256);
    let set = keys([signer.jwk()]);
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for (depth, expected) in [
        (MAX_JSON_DEPTH - 1, None),
        (MAX_JSON_DEPTH, Some(Reject::Malformed)),
        (100_000, Some(Reject::Malformed)),
    ] {
        let header = format!(r#"{{"alg":"HS256","x":{}}}"#, nested(depth));
        assert_eq!(
            refusal(&signer.token(Algorithm::HS256, &header, GOOD), &set),
            expected,
            "header of depth {depth}"
        );
        let payload = format!(r#"{{"exp":1700000600,"x":{}}}"#, nested(depth));
        assert_eq!(
            refusal(&signer.plain_token(Algorithm::HS256, &payload), &set),
            expected,
            "payload of depth {depth}"
        );
    }
    let unclosed = format!(r#"{{"alg":"HS256","x":{}"#, "[{\"a\":".repeat(100_000));
    assert_eq!(refusal(&signer.token(Algorithm::HS256, &unclosed, GOOD), &set), Some(Reject::Malformed));
}

#[test]
fn a_token_has_one_spelling() {
    let signer = Signer::generate(Algorithm::HS256);
    let set = keys([signer.jwk()]);
    let token = signer.plain_token(Algorithm::HS256, GOOD);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(refusal(&token, &set), None);
    // The MAC has 32 bytes, so its last character carries two bits that count for nothing.
    let stray_bits = {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = alphabet.find(signature.chars().last().unwrap()).unwrap();
        format!("{}{}", &signature[..signature.len() - 1], alphabet.chars().nth(last + 1).unwrap())
    };
    for variant in [
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{token}="),
        format!("{token}\0"),
        format!("{token}ä"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}==.{signature}"),
        format!("{header}. {payload}.{signature}"),
        format!("{header}.{payload}.{stray_bits}"),
        format!("{header}.{payload}.{}+", &signature[1..]),
        format!("{header}.{payload}.%{}", &signature[1..]),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        ".".repeat(1_000_000),
    ] {
        assert_eq!(refusal(&variant, &set), Some(Reject::Malformed), "{:.80}", variant);
        assert_eq!(
            verify_signature(&variant, &set, jose::AlgorithmSet::ALL),
            Err(Reject::Malformed),
            "{:.80}",
            variant
        );
    }
}

#[test]
fn duplicate_members_and_critical_parameters_are_refused_though_well_signed() {
    let signer = Signer::generate(Algorithm::HS256);
    let set = keys([signer.jwk()]);
    for (header, expected) in [
        (r#"{"alg":"HS256","alg":"HS256"}"#, Reject::Malformed),
        (r#"{"alg":"none","\u0061lg":"HS256"}"#, Reject::Malformed),
        (r#"{"alg":"HS256","kid":"a","kid":"b"}"#, Reject::Malformed),
        (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, Reject::CriticalHeader),
        (r#"{"alg":"HS256","crit":["x"],"x":1}"#, Reject::CriticalHeader),
        (r#"{"alg":"HS256","b64":false}"#, Reject::CriticalHeader),
    ] {
        assert_eq!(refusal(&signer.token(Algorithm::HS256, header, GOOD), &set), Some(expected), "{header}");
    }
    for payload in [
        r#"{"exp":1700000600,"sub":"a","sub":"b"}"#,
        r#"{"exp":1700000600,"r":{"a":1,"a":2}}"#,
        "[]",
        "\"alice\"",
        "null",
        "alice",
    ] {
        assert_eq!(
            refusal(&signer.plain_token(Algorithm::HS256, payload), &set),
            Some(Reject::Malformed),
            "{payload}"
        );
    }
}

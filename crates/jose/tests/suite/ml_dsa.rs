//! ML-DSA (RFC 9964, RFC 9881): which keys are taken, and whose signature a token has.

use base64::Engine as _;
use jose::{
    Algorithm, AlgorithmSet, Identity, Jws, KeyKind, KeyOrigin, KeyRules, KeySet, KeySetError,
    MAX_KEY_SET_BYTES, MAX_KEYS, MlDsa, Reject, SkipReason,
};
use serde_json::{Value, json};

use crate::support::{GOOD, STRICT, Signer, b64, keys, parse, refusal};

const URL: KeyRules = KeyRules { origin: KeyOrigin::Url, ..STRICT };

fn data() -> Value {
    serde_json::from_str(include_str!("data/ml_dsa.json")).unwrap()
}

fn verified(token: &str, set: &KeySet) -> Result<Vec<u8>, Reject> {
    Jws::verify(token, set, AlgorithmSet::ALL).map(|jws| jws.payload)
}

/// The one reason for which a source with this single key is refused.
fn reason(source: &str) -> SkipReason {
    match KeySet::parse(source.as_bytes(), &STRICT) {
        Err(KeySetError::NoneUsable(mut skipped)) if skipped.len() == 1 => skipped.remove(0).reason,
        other => panic!("{source:.300}: {other:?}"),
    }
}

/// A structure of DER (X.690 section 8.1), whose contents have fewer than 65,536 bytes.
fn der(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let [high, low] = u16::try_from(contents.len()).unwrap().to_be_bytes();
    let head = if contents.len() < 128 { vec![tag, low] } else { vec![tag, 0x82, high, low] };
    [head, contents].concat()
}

/// A SubjectPublicKeyInfo of an algorithm below 2.16.840.1.101.3.4.3.
fn spki_of(algorithm: u8, parameters: &[u8], public: &[u8]) -> Vec<u8> {
    let identifier = der(6, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, algorithm]]);
    der(0x30, &[&der(0x30, &[&identifier, parameters]), &der(3, &[&[0], public])])
}

fn pem_of(algorithm: u8, parameters: &[u8], public: &[u8]) -> String {
    pem::encode(&pem::Pem::new("PUBLIC KEY", spki_of(algorithm, parameters, public)))
}

/// A certificate of that key, which no authority has signed.
fn certificate_of(spki: &[u8]) -> Vec<u8> {
    let algorithm = der(0x30, &[&der(6, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18]])]);
    let name = der(0x30, &[]);
    let time = der(0x17, &[b"260101000000Z"]);
    let version = der(0xa0, &[&der(2, &[&[2]])]);
    let parts =
        [&version, &der(2, &[&[1]]), &algorithm, &name, &der(0x30, &[&time, &time]), &name, &spki.to_vec()];
    let signed = der(0x30, &parts.map(Vec::as_slice));
    der(0x30, &[&signed, &algorithm, &der(3, &[&[0, 7]])])
}

#[test]
fn the_examples_of_the_rfc_are_verified_by_their_own_key_alone() {
    let data = data();
    let examples = data["examples"].as_array().unwrap();
    assert_eq!(examples.len(), MlDsa::ALL.len());
    for (example, set) in examples.iter().zip(MlDsa::ALL) {
        let token = example["jws"].as_str().unwrap();
        let found = keys([example["jwk"].clone()]);
        assert_eq!(found.keys()[0].kind(), KeyKind::MlDsa(set));
        let thumbprint = example["jwk"]["kid"].as_str().unwrap().to_owned();
        assert_eq!(found.keys()[0].identity(), &Identity::Thumbprint(thumbprint));
        let payload = "It\u{2019}s a dangerous business, Frodo, going out your door.";
        assert_eq!(verified(token, &found), Ok(payload.as_bytes().to_vec()), "{set}");
        for other in examples.iter().filter(|other| *other != example) {
            let mut other = other["jwk"].clone();
            other["kid"] = example["jwk"]["kid"].clone();
            assert_eq!(verified(token, &keys([other])), Err(Reject::UnknownKey), "{set}");
        }
    }
}

#[test]
fn signatures_of_another_construction_are_refused() {
    let data = data();
    let set = keys(data["examples"].as_array().unwrap().iter().map(|example| example["jwk"].clone()));
    let others = data["others"].as_array().unwrap();
    assert_eq!(others.len(), 5);
    for other in others {
        let token = other["jws"].as_str().unwrap();
        assert_eq!(verified(token, &set), Err(Reject::Signature), "{}", other["what"]);
    }
}

#[test]
fn a_signature_has_the_length_of_its_parameter_set() {
    for (set, len) in [(MlDsa::Set44, 2420), (MlDsa::Set65, 3309), (MlDsa::Set87, 4627)] {
        let algorithm = set.algorithm();
        let signer = Signer::generate(algorithm);
        let set = keys([signer.jwk()]);
        let message = format!("{}.{}", b64(format!(r#"{{"alg":"{algorithm}"}}"#)), b64(GOOD));
        let good = signer.sign(algorithm, message.as_bytes());
        assert_eq!(good.len(), len);
        let token = |signature: &[u8]| format!("{message}.{}", b64(signature));
        assert_eq!(refusal(&token(&good), &set), None);
        for wrong in
            [1, 64, 2420, 3309, 4627, len - 1, len + 1, 2 * len].into_iter().filter(|wrong| *wrong != len)
        {
            let mut signature = good.repeat(2);
            signature.truncate(wrong);
            signature.resize(wrong, 0);
            assert_eq!(refusal(&token(&signature), &set), Some(Reject::Signature), "{algorithm}: {wrong}");
        }
    }
}

/// An issuer on its way to ML-DSA may have two keys of one `kid`: what the token says does not choose how it is verified.
#[test]
fn keys_of_one_kid_verify_their_own_algorithm_alone() {
    let algorithms =
        [Algorithm::ES256, Algorithm::RS256, Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87];
    let signers = algorithms.map(|algorithm| (algorithm, Signer::generate(algorithm)));
    let set = keys(signers.iter().map(|(_, signer)| signer.jwk_with(json!({"kid": "a"}))));
    for (algorithm, signer) in &signers {
        for named in algorithms {
            let message = format!("{}.{}", b64(format!(r#"{{"alg":"{named}","kid":"a"}}"#)), b64(GOOD));
            let token = format!("{message}.{}", b64(signer.sign(*algorithm, message.as_bytes())));
            let expected = (named != *algorithm).then_some(Reject::Signature);
            assert_eq!(refusal(&token, &set), expected, "{algorithm} as {named}");
        }
        let others = keys(
            signers
                .iter()
                .filter(|(other, _)| other != algorithm)
                .map(|(_, other)| other.jwk_with(json!({"kid": "a"}))),
        );
        let token = signer.token(*algorithm, &format!(r#"{{"alg":"{algorithm}","kid":"a"}}"#), GOOD);
        assert_eq!(refusal(&token, &others), Some(Reject::UnknownKey), "{algorithm}");
    }
}

#[test]
fn a_key_of_type_akp_is_whole_or_left_out() {
    let signer = Signer::generate(Algorithm::MlDsa65);
    let (long, short) = (b64([1; 2592]), b64([1; 1951]));
    for (members, expected) in [
        (json!({"alg": null}), "parameter `alg` is missing or malformed"),
        (json!({"alg": 65}), "parameter `alg` is missing or malformed"),
        (json!({"alg": "ML-DSA-66"}), r#"algorithm "ML-DSA-66" is not a supported signature algorithm"#),
        (json!({"alg": "ml-dsa-65"}), r#"algorithm "ml-dsa-65" is not a supported signature algorithm"#),
        (
            json!({"alg": "HashML-DSA-65"}),
            r#"algorithm "HashML-DSA-65" is not a supported signature algorithm"#,
        ),
        (
            json!({"alg": "SLH-DSA-SHA2-128s"}),
            r#"algorithm "SLH-DSA-SHA2-128s" is not a supported signature algorithm"#,
        ),
        (json!({"alg": "dilithium3"}), r#"algorithm "dilithium3" is not a supported signature algorithm"#),
        (json!({"alg": "EdDSA"}), "algorithm EdDSA does not fit the key's type, curve or size"),
        (json!({"alg": "ML-DSA-44"}), "public key of 1952 bytes; those of ML-DSA-44 have 1312"),
        (json!({"alg": "ML-DSA-87"}), "public key of 1952 bytes; those of ML-DSA-87 have 2592"),
        (json!({"pub": long}), "public key of 2592 bytes; those of ML-DSA-65 have 1952"),
        (json!({"pub": short}), "public key of 1951 bytes; those of ML-DSA-65 have 1952"),
        (json!({"pub": b64(signer.spki())}), "public key of 1974 bytes; those of ML-DSA-65 have 1952"),
        (json!({"pub": ""}), "public key of 0 bytes; those of ML-DSA-65 have 1952"),
        (json!({"pub": null}), "parameter `pub` is missing or malformed"),
        (json!({"pub": ["AA"]}), "parameter `pub` is missing or malformed"),
        (json!({"use": "enc"}), r#"its use is "enc", not "sig""#),
        (json!({"key_ops": ["sign"]}), r#"its key_ops do not contain "verify""#),
        (json!({"kty": "OKP", "crv": "ML-DSA-65"}), r#"curve "ML-DSA-65" is not supported"#),
        (json!({"kty": "ML-DSA"}), r#"key type "ML-DSA" is not supported"#),
        (json!({"kty": "akp"}), r#"key type "akp" is not supported"#),
    ] {
        let jwk = signer.jwk_with(members.clone()).to_string();
        assert_eq!(reason(&jwk).to_string(), expected, "{members:.200}");
    }
    // Spelled in the ways in which the other types may be.
    let [jwk, padded] = [
        signer.jwk(),
        signer.jwk_with(json!({"use": "sig", "key_ops": ["verify"], "x5c": [], "priv": null})),
    ];
    for jwk in [jwk, padded] {
        assert_eq!(refusal(&signer.plain_token(Algorithm::MlDsa65, GOOD), &keys([jwk])), None);
    }
}

#[test]
fn a_private_half_among_public_keys_costs_the_key() {
    for algorithm in [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87] {
        let [leaked, good] = [Signer::generate(algorithm), Signer::generate(algorithm)];
        // `d` is where other types have it. The whole key is refused also where something else is wrong with it.
        for members in [
            json!({"priv": b64([7; 32])}),
            json!({"priv": b64([7; 4032])}),
            json!({"priv": ""}),
            json!({"priv": 7}),
            json!({"d": b64([7; 32])}),
            json!({"priv": b64([7; 32]), "pub": null}),
            json!({"priv": b64([7; 32]), "alg": null}),
            json!({"priv": b64([7; 32]), "use": "enc"}),
        ] {
            let mut bad = leaked.jwk_with(members);
            bad["kid"] = json!("leaked");
            let set = parse(&json!({"keys": [bad, good.jwk_with(json!({"kid": "good"}))]}), &URL);
            let skipped: Vec<_> = set.skipped().iter().map(ToString::to_string).collect();
            assert_eq!(set.skipped()[0].reason, SkipReason::PrivateHalf);
            assert!(skipped[0].starts_with(r#"key "leaked": holds its private half"#), "{skipped:?}");
            let token = |signer: &Signer, kid: &str| {
                signer.token(algorithm, &format!(r#"{{"alg":"{algorithm}","kid":"{kid}"}}"#), GOOD)
            };
            assert_eq!(refusal(&token(&leaked, "leaked"), &set), Some(Reject::UnknownKey));
            assert_eq!(refusal(&token(&good, "good"), &set), None);
        }
    }
}

#[test]
fn a_public_key_in_pem_is_known_by_its_identifier() {
    for (set, number) in MlDsa::ALL.into_iter().zip([17, 18, 19]) {
        let signer = Signer::generate(set.algorithm());
        let Signer::MlDsa(pair, _) = &signer else { panic!("not ML-DSA") };
        let public = aws_lc_rs::signature::KeyPair::public_key(pair).as_ref().to_vec();
        let pem = pem_of(number, &[], &public);
        assert_eq!(pem, signer.pem(), "{set}");
        let found = KeySet::parse(pem.as_bytes(), &STRICT).unwrap();
        assert_eq!(found.keys()[0].kind(), KeyKind::MlDsa(set));
        let token = signer.plain_token(set.algorithm(), GOOD);
        assert_eq!(refusal(&token, &found), None);

        let bytes = public.len() - 1;
        let private = pem::encode(&pem::Pem::new("PRIVATE KEY", &public[..64]));
        for (text, expected) in [
            (pem_of(number, &[5, 0], &public), SkipReason::Pem),
            (pem_of(number, &[], &public[1..]), SkipReason::PublicKeySize { set, bytes }),
            // HashML-DSA, which is another algorithm, and SLH-DSA.
            (pem_of(number + 15, &[], &public), SkipReason::PublicKeyAlgorithm),
            (pem_of(20, &[], &public), SkipReason::PublicKeyAlgorithm),
            (private, SkipReason::PrivateOnly),
        ] {
            assert_eq!(reason(&text), expected, "{set}: {text:.200}");
        }
        for other in MlDsa::ALL.into_iter().zip([17, 18, 19]).filter(|(other, _)| *other != set) {
            let (other, number) = other;
            let expected = SkipReason::PublicKeySize { set: other, bytes: public.len() };
            assert_eq!(reason(&pem_of(number, &[], &public)), expected);
        }
    }
}

#[test]
fn as_many_keys_of_the_largest_kind_as_are_taken_fit_a_source() {
    let signer = Signer::generate(Algorithm::MlDsa87);
    let jwk = |index: usize| {
        signer.jwk_with(json!({"kid": format!("{index:0>64}"), "use": "sig", "key_ops": ["verify"]}))
    };
    let source = json!({"keys": (0..MAX_KEYS).map(jwk).collect::<Vec<_>>()});
    assert!(source.to_string().len() < MAX_KEY_SET_BYTES, "{}", source.to_string().len());
    let set = parse(&source, &URL);
    assert_eq!((set.len(), set.skipped().len()), (MAX_KEYS, 0));
}

#[test]
fn a_certificate_holds_the_same_key_or_stands_in_for_it_and_never_for_the_algorithm() {
    let signer = Signer::generate(Algorithm::MlDsa65);
    let certificate = certificate_of(&signer.spki());
    let x5c = |certificate: &[u8]| json!([base64::engine::general_purpose::STANDARD.encode(certificate)]);
    let other = x5c(&certificate_of(&Signer::generate(Algorithm::MlDsa65).spki()));
    let other_set = x5c(&certificate_of(&Signer::generate(Algorithm::MlDsa44).spki()));
    let other_type = x5c(&certificate_of(&Signer::generate(Algorithm::ES256).spki()));
    let own = x5c(&certificate);
    let token = signer.plain_token(Algorithm::MlDsa65, GOOD);
    for members in [json!({"x5c": own}), json!({"x5c": own, "pub": null})] {
        assert_eq!(refusal(&token, &keys([signer.jwk_with(members.clone())])), None, "{members:.100}");
    }
    for (members, expected) in [
        (json!({"x5c": own, "pub": null, "alg": null}), SkipReason::Parameter("alg")),
        (json!({"x5c": own, "pub": null, "alg": "ML-DSA-44"}), SkipReason::Algorithm(Algorithm::MlDsa44)),
        (json!({"x5c": other}), SkipReason::Certificate),
        (json!({"x5c": other_set}), SkipReason::Certificate),
        (json!({"x5c": other_type}), SkipReason::Certificate),
        (json!({"x5c": other_type, "pub": null}), SkipReason::Certificate),
    ] {
        assert_eq!(reason(&signer.jwk_with(members.clone()).to_string()), expected, "{members:.100}");
    }
    let pem = pem::encode(&pem::Pem::new("CERTIFICATE", certificate));
    assert_eq!(refusal(&token, &KeySet::parse(pem.as_bytes(), &STRICT).unwrap()), None);
}

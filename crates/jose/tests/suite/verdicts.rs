//! What good and bad tokens come to.

use jose::{
    Algorithm, AlgorithmSet, Claim, IssuerPolicy, KeySet, MAX_TRIED_KEYS, Profile, Refusal, Reject,
    TokenVersion, Verdict, verify, verify_signature,
};
use serde_json::{Value, json};

use crate::support::{GOOD, NOW, STRICT, Signer, b64, keys, parse, refusal};

#[test]
fn every_algorithm_verifies_and_no_part_may_be_changed() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let signer = Signer::generate(algorithm);
        let keys = keys([signer.jwk_with(json!({"kid": "a"}))]);
        let token = signer.token(algorithm, &format!(r#"{{"alg":"{algorithm}","kid":"a"}}"#), GOOD);
        assert_eq!(refusal(&token, &keys), None, "{algorithm}");

        let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let other_header = b64(format!(r#"{{"kid":"a","alg":"{algorithm}"}}"#));
        let other_payload = b64(GOOD.replace("alice", "mallory"));
        let mut bytes = signer.sign(algorithm, format!("{header}.{payload}").as_bytes());
        bytes[3] ^= 1;
        for tampered in [
            format!("{other_header}.{payload}.{signature}"),
            format!("{header}.{other_payload}.{signature}"),
            format!("{header}.{payload}.{}", b64(&bytes)),
            format!("{header}.{payload}.{}", b64(&bytes[1..])),
            format!("{header}.{payload}.AA"),
        ] {
            assert_eq!(refusal(&tampered, &keys), Some(Reject::Signature), "{algorithm}: {tampered}");
        }
        let others = AlgorithmSet::ALL.iter().filter(|other| *other != algorithm).collect();
        assert_eq!(verify_signature(&token, &keys, others), Err(Reject::Algorithm), "{algorithm}");
    }
}

#[test]
fn one_rsa_key_serves_all_rsa_algorithms_and_one_secret_all_hashes_that_it_is_long_enough_for() {
    let rsa = Signer::generate(Algorithm::RS256);
    let secret = Signer::Hmac(vec![7; 48]);
    let keys = keys([rsa.jwk(), secret.jwk()]);
    for algorithm in AlgorithmSet::RSA.iter() {
        assert_eq!(refusal(&rsa.plain_token(algorithm, GOOD), &keys), None, "{algorithm}");
    }
    for (algorithm, expected) in
        [(Algorithm::HS256, None), (Algorithm::HS384, None), (Algorithm::HS512, Some(Reject::UnknownKey))]
    {
        assert_eq!(refusal(&secret.plain_token(algorithm, GOOD), &keys), expected, "{algorithm}");
    }
}

#[test]
fn an_accepted_token_gives_header_and_claims_as_they_were_sent() {
    let signer = Signer::generate(Algorithm::ES256);
    let header = r#"{ "alg" : "ES256", "typ":"JWT" }"#;
    let payload = "{\n \"exp\" : 1700000600.0, \"id\":12345678901234567890, \"roles\":[ ], \"st\":true }";
    let verdict = verify(
        &signer.token(Algorithm::ES256, header, payload),
        &keys([signer.jwk()]),
        &IssuerPolicy::of(Profile::Standard),
        NOW,
    );
    let Verdict::Accept(signed) = verdict else { panic!("refused: {verdict:?}") };
    assert_eq!(signed.header, r#"{"alg":"ES256","typ":"JWT"}"#);
    assert_eq!(
        signed.claims.as_json(),
        r#"{"exp":1700000600.0,"id":12345678901234567890,"roles":[],"st":true}"#
    );
    assert_eq!(signed.claims.get("id"), Some(Claim::Number("12345678901234567890")));
    assert_eq!(signed.version, TokenVersion::Stateless);
}

#[test]
fn a_refusal_tells_the_claims_only_if_the_signature_was_good() {
    let signer = Signer::generate(Algorithm::EdDSA);
    let keys = keys([signer.jwk()]);
    let expired = signer.plain_token(Algorithm::EdDSA, r#"{"sub":"alice","exp":1700000000}"#);
    let Verdict::Refuse(Refusal { reject: Reject::Expired, signed: Some(signed) }) =
        verify(&expired, &keys, &IssuerPolicy::of(Profile::Standard), NOW)
    else {
        panic!("not refused as expired")
    };
    assert_eq!(signed.claims.subject(Profile::Standard).as_deref(), Some("alice"));
    assert_eq!(signed.version, TokenVersion::Legacy);

    let forged = Signer::generate(Algorithm::EdDSA).plain_token(Algorithm::EdDSA, GOOD);
    let verdict = verify(&forged, &keys, &IssuerPolicy::of(Profile::Standard), NOW);
    assert_eq!(verdict, Verdict::Refuse(Refusal { reject: Reject::Signature, signed: None }));
}

#[test]
fn the_form_of_a_token_is_judged_by_the_profile() {
    let secret = Signer::generate(Algorithm::HS256);
    let keys = keys([secret.jwk()]);
    for (token, standard, ms_users) in [
        ("", Reject::Missing, Reject::Missing),
        ("x", Reject::Malformed, Reject::Legacy),
        ("a.b", Reject::Malformed, Reject::Legacy),
        ("a.b.c.d", Reject::Malformed, Reject::Legacy),
        ("a.b.c.d.e.f", Reject::Malformed, Reject::Legacy),
        ("a.b.c.d.e", Reject::Unsupported, Reject::Unsupported),
        ("....", Reject::Unsupported, Reject::Unsupported),
        ("..", Reject::Malformed, Reject::Malformed),
        ("a.b.c", Reject::Malformed, Reject::Malformed),
    ] {
        for (profile, expected) in [(Profile::Standard, standard), (Profile::MsUsers, ms_users)] {
            let refused = Verdict::Refuse(Refusal { reject: expected, signed: None });
            assert_eq!(
                verify(token, &keys, &IssuerPolicy::of(profile), NOW),
                refused,
                "{token:?} in {profile}"
            );
        }
    }
}

#[test]
fn the_ms_users_profile_tells_versions_apart_after_the_signature() {
    let secret = Signer::generate(Algorithm::HS256);
    let keys = keys([secret.jwk()]);
    for (payload, expected, version) in [
        (r#"{"username":"a"}"#, Reject::Legacy, TokenVersion::Legacy),
        (r#"{"username":"a","st":0,"irt":1}"#, Reject::Legacy, TokenVersion::Legacy),
        (r#"{"username":"a","st":1,"irt":1}"#, Reject::RefreshToken, TokenVersion::Stateless),
        (r#"{"username":"a","exp":1600000000000}"#, Reject::Expired, TokenVersion::Legacy),
    ] {
        let token = secret.plain_token(Algorithm::HS256, payload);
        let Verdict::Refuse(Refusal { reject, signed: Some(signed) }) =
            verify(&token, &keys, &IssuerPolicy::of(Profile::MsUsers), NOW)
        else {
            panic!("{payload} is accepted or its signature is not")
        };
        assert_eq!((reject, signed.version), (expected, version), "{payload}");
        assert_eq!(signed.claims.as_json(), payload);
    }
    let good = secret.plain_token(Algorithm::HS256, r#"{"username":"a","st":1}"#);
    assert!(matches!(verify(&good, &keys, &IssuerPolicy::of(Profile::MsUsers), NOW), Verdict::Accept(_)));
}

#[test]
fn a_kid_chooses_among_the_keys_that_fit() {
    let a = Signer::generate(Algorithm::ES256);
    let b = Signer::generate(Algorithm::ES256);
    let rsa = Signer::generate(Algorithm::RS256);
    // The same kid twice: told apart by the algorithm.
    let keys = keys([
        a.jwk_with(json!({"kid": "a"})),
        b.jwk_with(json!({"kid": "b"})),
        rsa.jwk_with(json!({"kid": "a"})),
    ]);
    let es256 = |signer: &Signer, kid: &str| {
        signer.token(Algorithm::ES256, &format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#), GOOD)
    };
    for (token, expected) in [
        (es256(&a, "a"), None),
        (es256(&b, "b"), None),
        (rsa.token(Algorithm::RS256, r#"{"alg":"RS256","kid":"a"}"#, GOOD), None),
        (es256(&a, "b"), Some(Reject::Signature)),
        (es256(&a, "A"), Some(Reject::UnknownKey)),
        (es256(&a, ""), Some(Reject::UnknownKey)),
        (rsa.token(Algorithm::RS256, r#"{"alg":"RS256","kid":"b"}"#, GOOD), Some(Reject::UnknownKey)),
        (a.plain_token(Algorithm::ES256, GOOD), None),
        (b.plain_token(Algorithm::ES256, GOOD), None),
        (Signer::generate(Algorithm::EdDSA).plain_token(Algorithm::EdDSA, GOOD), Some(Reject::UnknownKey)),
    ] {
        assert_eq!(refusal(&token, &keys), expected, "{token}");
        assert_eq!(expected.is_some_and(Reject::suggests_newer_keys), expected.is_some());
    }
}

#[test]
fn keys_without_a_kid_and_keys_of_the_legacy_list_are_tried_for_every_kid() {
    let pem = Signer::generate(Algorithm::ES256);
    let token = |signer: &Signer, algorithm, kid: &str| {
        signer.token(algorithm, &format!(r#"{{"alg":"{algorithm}","kid":"{kid}"}}"#), GOOD)
    };
    let keys = KeySet::parse(pem.pem().as_bytes(), &STRICT).unwrap();
    assert_eq!(refusal(&token(&pem, Algorithm::ES256, "any"), &keys), None);

    let secrets = ["a".repeat(32), "b".repeat(32)];
    let list = json!([{"kid": "a", "secret": secrets[0]}, {"kid": "b", "secret": secrets[1]}, {"kid": "c", "cert": pem.pem()}]);
    let keys = parse(&list, &STRICT);
    for secret in secrets {
        let signer = Signer::Hmac(secret.into_bytes());
        for kid in ["a", "b", "c", "other"] {
            assert_eq!(refusal(&token(&signer, Algorithm::HS256, kid), &keys), None, "{kid}");
            assert_eq!(refusal(&token(&pem, Algorithm::ES256, kid), &keys), None, "{kid}");
        }
    }
    let stranger = Signer::generate(Algorithm::HS256);
    assert_eq!(refusal(&token(&stranger, Algorithm::HS256, "a"), &keys), Some(Reject::Signature));
}

#[test]
fn a_token_without_kid_is_tried_with_a_bounded_number_of_keys() {
    let signers: Vec<_> = (0..=MAX_TRIED_KEYS).map(|_| Signer::generate(Algorithm::HS256)).collect();
    let jwks =
        signers.iter().enumerate().map(|(index, signer)| signer.jwk_with(json!({"kid": index.to_string()})));
    let keys = keys(jwks);
    let last_tried = &signers[MAX_TRIED_KEYS - 1];
    let beyond = &signers[MAX_TRIED_KEYS];
    assert_eq!(refusal(&last_tried.plain_token(Algorithm::HS256, GOOD), &keys), None);
    assert_eq!(refusal(&beyond.plain_token(Algorithm::HS256, GOOD), &keys), Some(Reject::Signature));
    let named =
        beyond.token(Algorithm::HS256, &format!(r#"{{"alg":"HS256","kid":"{MAX_TRIED_KEYS}"}}"#), GOOD);
    assert_eq!(refusal(&named, &keys), None);
}

#[test]
fn the_key_that_a_token_names_is_tried_first_and_once() {
    let signers: Vec<_> =
        (0..=MAX_TRIED_KEYS).map(|index| Signer::Hmac(index.to_string().repeat(32).into_bytes())).collect();
    let entry = |(index, signer): (usize, &Signer)| {
        let Signer::Hmac(secret) = signer else { panic!("not a secret") };
        json!({"kid": index.to_string(), "secret": String::from_utf8(secret.clone()).unwrap()})
    };
    let list: Value = signers.iter().enumerate().map(entry).collect();
    let keys = parse(&list, &STRICT);
    let last = MAX_TRIED_KEYS;
    for (signer, kid, expected) in [
        (last, last, None),
        (last - 1, 0, None),
        (last, 0, Some(Reject::Signature)),
        (last, 100, Some(Reject::Signature)),
    ] {
        let header = format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#);
        let token = signers[signer].token(Algorithm::HS256, &header, GOOD);
        assert_eq!(refusal(&token, &keys), expected, "signed by {signer}, kid {kid}");
    }
}

#[test]
fn without_keys_no_signature_is_judged_but_a_malformed_token_stays_malformed() {
    let none = KeySet::empty();
    let token = Signer::generate(Algorithm::HS256).plain_token(Algorithm::HS256, GOOD);
    assert_eq!(refusal(&token, &none), Some(Reject::NoKeys));
    assert_eq!(refusal("a.b.c", &none), Some(Reject::Malformed));
    assert!(Reject::NoKeys.suggests_newer_keys());
}

#[test]
fn the_policy_is_judged_once_the_signature_is_good() {
    let signer = Signer::generate(Algorithm::ES256);
    let keys = keys([signer.jwk()]);
    let strict = IssuerPolicy {
        algorithms: AlgorithmSet::of(&[Algorithm::ES256]),
        issuers: vec!["https://issuer.example".into()],
        audiences: vec!["api".into()],
        ..IssuerPolicy::of(Profile::Standard)
    };
    for (payload, expected) in [
        (r#"{"exp":1700000600,"iss":"https://issuer.example","aud":["api","x"]}"#, None),
        (r#"{"exp":1700000600,"iss":"https://other.example","aud":"api"}"#, Some(Reject::Issuer)),
        (r#"{"exp":1700000600,"iss":"https://issuer.example","aud":"web"}"#, Some(Reject::Audience)),
        (r#"{"exp":1699999999,"iss":"x","aud":"y"}"#, Some(Reject::Expired)),
    ] {
        let found = match verify(&signer.plain_token(Algorithm::ES256, payload), &keys, &strict, NOW) {
            Verdict::Accept(_) => None,
            Verdict::Refuse(refusal) => Some(refusal.reject),
        };
        assert_eq!(found, expected, "{payload}");
    }
}

//! What key sets of real identity providers look like: read if it can be read in one way, and only then.

use jose::{Algorithm, AlgorithmSet, Doubt, Jws, KeyOrigin, KeyRules, KeySet, Profile, Reject, SkipReason};
use serde_json::{Value, json};

use crate::support::{GOOD, STRICT, Signer, b64, keys, refusal};

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("data/keysets/", $name))
    };
}

const URL: KeyRules = KeyRules { origin: KeyOrigin::Url, ..STRICT };
const TOKEN: &str = data!("token.jwt");

fn verified(token: &str, set: &KeySet) -> Result<(), Reject> {
    Jws::verify(token.trim(), set, AlgorithmSet::ALL).map(|_| ())
}

#[test]
fn one_key_is_read_in_every_spelling_that_is_published() {
    for (name, text) in [
        ("plain", data!("plain.json")),
        ("x5c", data!("x5c.json")),
        ("empty arrays", data!("empty_arrays.json")),
        ("null members", data!("null_members.json")),
        ("padded", data!("padded.json")),
        ("standard base64", data!("standard_base64.json")),
        ("byte order mark", data!("byte_order_mark.json")),
        ("certificates by kid", data!("certificates_by_kid.json")),
        ("unregistered alg", data!("unregistered_alg.json")),
        ("numeric kid", data!("numeric_kid.json")),
        ("leading zeros", data!("leading_zeros.json")),
        ("list", data!("list.json")),
    ] {
        for profile in [Profile::Standard, Profile::MsUsers] {
            for rules in [KeyRules { profile, ..STRICT }, KeyRules { profile, ..URL }] {
                let set =
                    KeySet::parse(text.as_bytes(), &rules).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(set.skipped(), [], "{name}");
                assert_eq!(verified(TOKEN, &set), Ok(()), "{name}");
                let doubts: Vec<_> = set.warnings().iter().map(|warning| warning.doubt.to_string()).collect();
                let expected: &[&str] = match name {
                    "unregistered alg" => {
                        &[r#"its algorithm "RSA256" is no registered name and counts as absent"#]
                    }
                    _ => &[],
                };
                assert_eq!(doubts, expected, "{name}");
            }
        }
    }
}

#[test]
fn a_number_as_kid_is_its_text_in_keys_and_in_tokens() {
    let [one, two] = [Signer::generate(Algorithm::ES256), Signer::generate(Algorithm::ES256)];
    let set = keys([one.jwk_with(json!({"kid": 1399593380})), two.jwk_with(json!({"kid": "2.50"}))]);
    assert_eq!(set.keys()[0].kid(), Some("1399593380"));
    let token = |signer: &Signer, kid: &str| {
        signer.token(Algorithm::ES256, &format!(r#"{{"alg":"ES256","kid":{kid}}}"#), GOOD)
    };
    for (signer, kid, expected) in [
        (&one, "1399593380", None),
        (&one, r#""1399593380""#, None),
        (&two, "2.50", None),
        (&two, "2.5", Some(Reject::UnknownKey)),
        (&two, "1399593380", Some(Reject::Signature)),
        (&one, "null", Some(Reject::Malformed)),
        (&one, "true", Some(Reject::Malformed)),
    ] {
        assert_eq!(refusal(&token(signer, kid), &set), expected, "{kid}");
    }
}

/// A key whose first coordinate begins with a zero.
fn with_short_x(algorithm: Algorithm) -> Signer {
    loop {
        let signer = Signer::generate(algorithm);
        let Signer::Ec(pair, _) = &signer else { panic!("{algorithm} has no coordinates") };
        if aws_lc_rs::signature::KeyPair::public_key(pair).as_ref()[1] == 0 {
            return signer;
        }
    }
}

#[test]
fn coordinates_are_numbers_whatever_their_length() {
    for (algorithm, len) in [(Algorithm::ES256, 32), (Algorithm::ES384, 48), (Algorithm::ES512, 66)] {
        let signer = with_short_x(algorithm);
        let Signer::Ec(pair, _) = &signer else { panic!("{algorithm} has no coordinates") };
        let x = aws_lc_rs::signature::KeyPair::public_key(pair).as_ref()[1..=len].to_vec();
        let short: Vec<u8> = x.iter().copied().skip_while(|byte| *byte == 0).collect();
        for spelled in [short, x.clone(), [&[0], &x[..]].concat(), [&[0, 0, 0], &x[..]].concat()] {
            let set = keys([signer.jwk_with(json!({"x": b64(&spelled)}))]);
            assert_eq!(refusal(&signer.plain_token(algorithm, GOOD), &set), None, "{}", spelled.len());
        }
    }
}

#[test]
fn a_token_is_tried_first_with_the_key_whose_certificate_it_names() {
    let signers: Vec<_> = (0..20).map(|_| Signer::generate(Algorithm::ES256)).collect();
    for (name, len) in [("x5t", 20), ("x5t#S256", 32)] {
        let hash = |index: usize| b64(vec![u8::try_from(index).unwrap(); len]);
        let set =
            keys(signers.iter().enumerate().map(|(index, signer)| {
                signer.jwk_with(json!({"kid": format!("k{index}"), name: hash(index)}))
            }));
        let token = |header: &str| signers[17].token(Algorithm::ES256, header, GOOD);
        for (named, expected) in [
            (hash(17), None),
            // What names no key of ours is no help, and more keys than are tried fit.
            (hash(99), Some(Reject::Signature)),
            (b64([17; 7]), Some(Reject::Signature)),
            (format!("{}=", hash(17)), Some(Reject::Signature)),
        ] {
            let header = format!(r#"{{"alg":"ES256","{name}":"{named}"}}"#);
            assert_eq!(refusal(&token(&header), &set), expected, "{header}");
            // A kid that no key bears.
            let header = format!(r#"{{"alg":"ES256","kid":"x","{name}":"{named}"}}"#);
            let expected = expected.map(|_| Reject::UnknownKey);
            assert_eq!(refusal(&token(&header), &set), expected, "{header}");
        }
        assert_eq!(
            refusal(&token(&format!(r#"{{"alg":"ES256","{name}":17}}"#)), &set),
            Some(Reject::Signature)
        );
    }
}

#[test]
fn a_hash_is_also_that_of_the_published_certificate() {
    let jwk: Value = serde_json::from_str(data!("x5c.json")).unwrap();
    let others = (0..2).map(|index| Signer::generate(Algorithm::RS256).jwk_with(json!({"kid": index})));
    let der = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        jwk["keys"][0]["x5c"][0].as_str().unwrap(),
    );
    let der = der.unwrap();
    use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
    let set = keys(others.chain([jwk["keys"][0].clone()]));
    // No private key is at hand: that the signature is judged at all shows that a key was found.
    for (name, algorithm) in [("x5t", &SHA1_FOR_LEGACY_USE_ONLY), ("x5t#S256", &SHA256)] {
        let header =
            format!(r#"{{"alg":"RS256","kid":"unknown","{name}":"{}"}}"#, b64(digest(algorithm, &der)));
        let token = format!("{}.{}.{}", b64(header), b64(GOOD), b64([1; 256]));
        assert_eq!(verified(&token, &set), Err(Reject::Signature), "{name}");
    }
    let token = format!("{}.{}.{}", b64(r#"{"alg":"RS256","kid":"unknown"}"#), b64(GOOD), b64([1; 256]));
    assert_eq!(verified(&token, &set), Err(Reject::UnknownKey));
}

#[test]
fn of_a_chain_only_the_first_certificate_is_a_key() {
    let (leaf, ca, root) =
        (data!("chain_leaf.crt.pem"), data!("chain_ca.crt.pem"), data!("chain_root.crt.pem"));
    let other = Signer::generate(Algorithm::ES256).pem();
    for text in [
        format!("{leaf}{ca}{root}"),
        format!("{leaf}{ca}"),
        format!("{root}{ca}{leaf}"),
        format!("{other}{leaf}{ca}{root}{other}"),
        json!({"a": format!("{leaf}{ca}{root}")}).to_string(),
        json!([{"kid": "a", "cert": format!("{leaf}{ca}{root}")}]).to_string(),
    ] {
        let set = KeySet::parse(text.as_bytes(), &STRICT).unwrap();
        assert_eq!(verified(data!("chain_leaf.jwt"), &set), Ok(()), "{text}");
        for authority in [data!("chain_ca.jwt"), data!("chain_root.jwt")] {
            assert_eq!(verified(authority, &set), Err(Reject::Signature), "{text}");
        }
        assert!(set.skipped().iter().all(|skipped| skipped.reason == SkipReason::Issuer));
    }
    // Alone each one is a key that an issuer put there, and so are two that know nothing of each other.
    for (text, token) in [(ca, data!("chain_ca.jwt")), (root, data!("chain_root.jwt"))] {
        assert_eq!(verified(token, &KeySet::parse(text.as_bytes(), &STRICT).unwrap()), Ok(()));
    }
    let apart = KeySet::parse(format!("{leaf}{root}").as_bytes(), &STRICT).unwrap();
    assert_eq!(apart.len(), 2);
}

#[test]
fn two_keys_of_one_kid_lend_each_other_nothing() {
    let [ec, rsa, stranger] = [Algorithm::ES256, Algorithm::RS256, Algorithm::ES256].map(Signer::generate);
    let set = keys([
        ec.jwk_with(json!({"kid": "a"})),
        rsa.jwk_with(json!({"kid": "a", "alg": "RS256"})),
        Signer::generate(Algorithm::ES256).jwk_with(json!({"kid": "a"})),
    ]);
    for (signer, algorithm, expected) in [
        (&ec, Algorithm::ES256, None),
        (&rsa, Algorithm::RS256, None),
        (&rsa, Algorithm::PS256, Some(Reject::UnknownKey)),
        (&rsa, Algorithm::RS512, Some(Reject::UnknownKey)),
        (&stranger, Algorithm::ES256, Some(Reject::Signature)),
    ] {
        let header = json!({"alg": algorithm.as_str(), "kid": "a"}).to_string();
        assert_eq!(refusal(&signer.token(algorithm, &header, GOOD), &set), expected, "{algorithm}");
        let header = json!({"alg": algorithm.as_str(), "kid": "b"}).to_string();
        let elsewhere = refusal(&signer.token(algorithm, &header, GOOD), &set);
        assert_eq!(elsewhere, Some(Reject::UnknownKey), "{algorithm} under another kid");
    }
}

#[test]
fn what_tolerance_does_not_allow_stays_refused() {
    let rsa = Signer::generate(Algorithm::RS256);
    let x5c: Value = serde_json::from_str(data!("x5c.json")).unwrap();
    let certificate = &x5c["keys"][0]["x5c"];
    let secret = json!({"kty": "oct", "kid": "s", "k": b64([7; 64])});
    let small = b64([0xb7; 128]);
    for (bad, expected) in [
        (rsa.jwk_with(json!({"x5c": certificate})), SkipReason::Certificate),
        (Signer::generate(Algorithm::ES256).jwk_with(json!({"x5c": certificate})), SkipReason::Certificate),
        (secret, SkipReason::MixedKinds),
        (
            json!({"kty": "RSA", "n": small, "e": "AQAB"}),
            SkipReason::ModulusSize { bits: 1024, min: 2048, max: 8192 },
        ),
        (rsa.jwk_with(json!({"e": "AAAB"})), SkipReason::Exponent),
        (json!({"kty": "EC", "crv": "P-256", "d": b64([1; 32])}), SkipReason::PrivateOnly),
        (rsa.jwk_with(json!({"alg": "ES256"})), SkipReason::Algorithm(Algorithm::ES256)),
        (rsa.jwk_with(json!({"n": "A B="})), SkipReason::Parameter("n")),
        (rsa.jwk_with(json!({"n": null})), SkipReason::Parameter("n")),
        (rsa.jwk_with(json!({"n": []})), SkipReason::Parameter("n")),
        (rsa.jwk_with(json!({"key_ops": [null]})), SkipReason::Parameter("key_ops")),
    ] {
        for source in
            [json!({"keys": [rsa.jwk_with(json!({"kid": "good"})), &bad]}), json!([rsa.jwk(), &bad])]
        {
            let set = KeySet::parse(source.to_string().as_bytes(), &URL).unwrap();
            let skipped: Vec<_> = set.skipped().iter().map(|skipped| &skipped.reason).collect();
            assert_eq!(skipped, [&expected], "{source:.300}");
        }
    }
    let set = keys([rsa.jwk(), rsa.jwk_with(json!({"kty": null}))]);
    assert_eq!(set.skipped()[0].reason, SkipReason::Parameter("kty"));
    // A list with a JWK in it is no legacy list, whose weak keys one profile takes.
    let list = json!([rsa.jwk(), {"kid": "weak", "secret": "hunter2"}, {"kty": "oct", "k": b64([7; 64])}]);
    for origin in [KeyOrigin::File, KeyOrigin::Url] {
        let rules = KeyRules { origin, profile: Profile::MsUsers, ..STRICT };
        let set = KeySet::parse(list.to_string().as_bytes(), &rules).unwrap();
        assert!(set.skipped().iter().any(|skipped| skipped.kid.as_deref() == Some("weak")), "{set:?}");
    }
    // Private members cost the owner a warning, in every spelling.
    let set = keys([rsa.jwk_with(json!({"d": b64([1; 256]), "oth": []}))]);
    assert_eq!(set.warnings()[0].doubt, Doubt::PrivateParameters);
    let set = keys([rsa.jwk_with(json!({"x5c": ["AAAA"]}))]);
    assert_eq!(set.warnings()[0].doubt, Doubt::UnreadableCertificate);
}

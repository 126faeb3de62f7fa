//! No input makes the crate panic, and what it accepts keeps its promises.

use jose::{
    Algorithm, AlgorithmSet, Claims, IssuerPolicy, Jws, KeyOrigin, KeyRules, KeySet, Profile, TokenForm,
    verify,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{GOOD, NOW, Signer, b64, keys};

fn rules() -> impl Strategy<Value = KeyRules> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(url, ms_users, allow_short_secrets, allow_mixed_keys)| KeyRules {
            origin: if url { KeyOrigin::Url } else { KeyOrigin::File },
            profile: if ms_users { Profile::MsUsers } else { Profile::Standard },
            allow_short_secrets,
            allow_mixed_keys,
        },
    )
}

/// JSON whose members and words are those that the crate looks for.
fn json_value() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("kty"),
        Just("RSA"),
        Just("EC"),
        Just("OKP"),
        Just("oct"),
        Just("AKP"),
        Just("pub"),
        Just("priv"),
        Just("ML-DSA-44"),
        Just("n"),
        Just("e"),
        Just("x"),
        Just("y"),
        Just("k"),
        Just("crv"),
        Just("P-256"),
        Just("P-521"),
        Just("Ed25519"),
        Just("alg"),
        Just("HS256"),
        Just("kid"),
        Just("use"),
        Just("sig"),
        Just("key_ops"),
        Just("verify"),
        Just("secret"),
        Just("cert"),
        Just("exp"),
        Just("st"),
        Just("AQAB"),
        Just("AAAA"),
        Just(""),
        Just("-----BEGIN PUBLIC KEY-----\nMAAA\n-----END PUBLIC KEY-----"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".*".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_token_panics(
        token in prop_oneof![
            ".*",
            r"[A-Za-z0-9_=. -]{0,60}",
            r"[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}",
        ],
    ) {
        let secret = Signer::Hmac(vec![7; 32]);
        for set in [keys([secret.jwk()]), KeySet::empty()] {
            for profile in [Profile::Standard, Profile::MsUsers] {
                verify(&token, &set, &IssuerPolicy::of(profile), NOW);
            }
        }
        TokenForm::of(&token);
    }

    #[test]
    fn no_header_panics_and_only_our_own_algorithms_pass(
        header in json_value(),
        raw in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let secret = Signer::Hmac(vec![7; 32]);
        let set = keys([secret.jwk()]);
        for header in [header.to_string().into_bytes(), raw] {
            let message = format!("{}.{}", b64(&header), b64(GOOD));
            let token = format!("{message}.{}", b64(secret.sign(Algorithm::HS256, message.as_bytes())));
            if Jws::verify(&token, &set, AlgorithmSet::ALL).is_ok() {
                let header: Value = serde_json::from_slice(&header).unwrap();
                prop_assert_eq!(&header["alg"], "HS256");
            }
        }
    }

    #[test]
    fn payloads_that_are_taken_mean_what_serde_json_reads(
        value in json_value(),
        raw in prop::collection::vec(any::<u8>(), 0..80),
        spaced in any::<bool>(),
    ) {
        let text = if spaced { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        prop_assert_eq!(Claims::parse(text.as_bytes()).is_ok(), value.is_object());
        for payload in [text.as_bytes(), &raw] {
            let Ok(claims) = Claims::parse(payload) else { continue };
            let expected: Value = serde_json::from_slice(payload).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Value>(claims.as_json()).unwrap(), &expected);
            let names: Vec<_> = claims.iter().map(|(name, _)| name.to_owned()).collect();
            prop_assert_eq!(names.len(), expected.as_object().unwrap().len());
            for name in names {
                prop_assert!(claims.get(&name).is_some() && claims.path(&name).is_some());
            }
            for profile in [Profile::Standard, Profile::MsUsers] {
                IssuerPolicy::of(profile).validate(&claims, NOW).ok();
                claims.subject(profile);
            }
            claims.path("st.exp.kid");
        }
    }

    #[test]
    fn no_key_source_panics_and_none_gives_an_empty_set(
        value in json_value(),
        raw in prop::collection::vec(any::<u8>(), 0..200),
        rules in rules(),
    ) {
        let wrapped = json!({"keys": [value.clone()]}).to_string();
        let block = |label: &str| pem::encode(&pem::Pem::new(label, raw.clone()));
        let pem = block("CERTIFICATE") + &block("PUBLIC KEY");
        for source in [value.to_string().into_bytes(), wrapped.into_bytes(), pem.into_bytes(), raw] {
            if let Ok(set) = KeySet::parse(&source, &rules) {
                prop_assert!(!set.is_empty());
                prop_assert!(set.keys().iter().all(|key| !key.algorithms().is_empty()));
            }
        }
    }

    #[test]
    fn no_damaged_public_key_panics(position in 0..91_usize, bit in 0..8_u8) {
        let mut der = Signer::generate(Algorithm::ES256).spki();
        prop_assert_eq!(der.len(), 91);
        der[position] ^= 1 << bit;
        let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", der));
        KeySet::parse(pem.as_bytes(), &crate::support::STRICT).ok();
    }
}

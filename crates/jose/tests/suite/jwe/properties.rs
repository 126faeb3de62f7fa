//! No encrypted token and no key source makes the crate panic.

use jose::{ContentEncryption, DecryptionKeys, KeyManagement, decrypt};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::encrypter::seal;
use super::{ALL_KEYS, CLAIMS, INTEROP, jwk};
use crate::support::b64;

/// A header parameter of any type, often a fitting one.
fn parameter() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i32>().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| json!(b64(bytes))),
        "[ -~]{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["P-256", "P-384", "P-521", "X25519"]).prop_map(|kid| {
            let jwk = jwk(kid);
            json!({"kty": jwk["kty"], "crv": jwk["crv"], "x": jwk["x"], "y": jwk["y"]})
        }),
        Just(json!({"kty": "EC", "crv": "P-256", "x": [], "y": 1})),
    ]
}

fn header() -> impl Strategy<Value = Value> {
    let kids: Vec<_> = INTEROP["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
    let names = prop::sample::select(vec!["epk", "apu", "apv", "iv", "tag", "zip", "cty", "x"]);
    (
        prop::sample::select(KeyManagement::ALL.to_vec()),
        prop::sample::select(ContentEncryption::ALL.to_vec()),
        prop::sample::select(kids),
        prop::collection::vec((names, parameter()), 0..5),
    )
        .prop_map(|(alg, enc, kid, members)| {
            let mut header = json!({"alg": alg.as_str(), "enc": enc.as_str(), "kid": kid});
            for (name, value) in members {
                header[name] = value;
            }
            header
        })
}

proptest! {
    #[test]
    fn no_token_panics(
        header in header(),
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 4),
        text in "\\PC{0,60}",
    ) {
        let token = format!("{}.{}", b64(header.to_string()), parts.iter().map(b64).collect::<Vec<_>>().join("."));
        prop_assert!(decrypt(&token, &ALL_KEYS).is_err());
        prop_assert!(decrypt(&text, &ALL_KEYS).is_err());
        prop_assert!(decrypt(&text.replace(' ', "."), &ALL_KEYS).is_err());
    }

    #[test]
    fn a_token_with_one_other_character_is_another_token(
        row in any::<prop::sample::Index>(),
        position in any::<prop::sample::Index>(),
        character in "[A-Za-z0-9_.-]",
    ) {
        let rows = INTEROP["tokens"].as_array().unwrap();
        let token = row.get(rows)["token"].as_str().unwrap();
        let at = position.index(token.len());
        let mut changed = token.to_owned();
        changed.replace_range(at..=at, &character);
        prop_assume!(changed != token);
        prop_assert!(decrypt(&changed, &ALL_KEYS).is_err());
    }

    #[test]
    fn no_plaintext_panics(plaintext in prop::collection::vec(any::<u8>(), 0..200), zip in any::<bool>()) {
        let members = if zip { json!({"zip": "DEF"}) } else { json!({}) };
        for (alg, kid) in [("dir", "oct256"), ("ECDH-ES", "X25519")] {
            let (alg, enc) = (alg.parse().unwrap(), "A256GCM".parse().unwrap());
            decrypt(&seal(alg, enc, &jwk(kid), members.clone(), &plaintext).encode(), &ALL_KEYS).ok();
        }
    }

    #[test]
    fn no_key_source_panics_and_none_gives_an_empty_set(
        kid in prop::sample::select(vec!["oct128", "rsa", "P-256", "P-521", "X25519"]),
        name in prop::sample::select(vec![
            "kty", "crv", "x", "y", "d", "k", "n", "e", "p", "qi", "alg", "enc", "use", "default",
        ]),
        value in parameter(),
        raw in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut key = jwk(kid);
        key[name] = value;
        for source in [key.to_string().into_bytes(), json!([key, CLAIMS]).to_string().into_bytes(), raw] {
            if let Ok(keys) = DecryptionKeys::parse(&source) {
                prop_assert!(!keys.keys().is_empty());
            }
        }
    }
}

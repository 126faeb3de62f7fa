//! Tokens that others made: RFC 7516 and two libraries.

use std::collections::BTreeMap;

use jose::{Decrypted, Jwe, Reject, decrypt, needs_private_key};
use serde_json::{Value, json};

use super::{ALL_KEYS, INTEROP, jwk, parse};

#[test]
fn rfc_7516_tokens_name_no_key_and_are_opened_all_the_same() {
    let examples: Vec<Value> = serde_json::from_str(include_str!("../data/rfc7516.json")).unwrap();
    for example in &examples {
        let mut key = example["key"].clone();
        key["kid"] = json!("x");
        key["default"] = json!(key["kty"] == "oct");
        let result = Jwe::decrypt(example["token"].as_str().unwrap(), &parse(&key));
        match example["section"].as_str().unwrap() {
            "A.1" => {
                let plaintext = b"The true sign of intelligence is not knowledge but imagination.";
                assert_eq!(result.unwrap().plaintext, plaintext);
            }
            "A.2" => assert_eq!(result, Err(Reject::Algorithm)),
            "A.3" => assert_eq!(result.unwrap().plaintext, b"Live long and prosper."),
            other => panic!("{other}"),
        }
    }
    assert_eq!(examples.len(), 3);
}

#[test]
fn tokens_of_other_libraries_are_decrypted() {
    let mut counts = BTreeMap::new();
    for row in INTEROP["tokens"].as_array().unwrap() {
        let token = row["token"].as_str().unwrap();
        let decrypted = decrypt(token, &ALL_KEYS).unwrap_or_else(|reject| panic!("{row}: {reject:?}"));
        match decrypted {
            Decrypted::Claims { claims, header } => {
                assert_eq!(claims.as_json(), INTEROP["claims"]);
                let header: Value = serde_json::from_str(&header).unwrap();
                assert_eq!((&header["alg"], &header["enc"]), (&row["alg"], &row["enc"]));
            }
            Decrypted::Nested { token, .. } => assert_eq!(token, INTEROP["nested"]),
        }
        *counts.entry(row["by"].as_str().unwrap()).or_insert(0) += 1;
    }
    println!("{counts:?}");
    assert_eq!(counts, [("joserfc", 34), ("jwcrypto", 153)].into());
}

#[test]
fn a_token_needs_a_private_key_if_it_is_encrypted_to_one_and_there_is_one() {
    let secrets = parse(&json!({"keys": [jwk("oct128"), jwk("oct256")]}));
    let (mut private, mut secret) = (0, 0);
    for row in INTEROP["tokens"].as_array().unwrap() {
        let (token, algorithm) = (row["token"].as_str().unwrap(), row["alg"].as_str().unwrap());
        let expected = ["RSA", "ECDH"].iter().any(|family| algorithm.starts_with(family));
        assert_eq!(needs_private_key(token, &ALL_KEYS), expected, "{algorithm}");
        assert!(!needs_private_key(token, &secrets), "{algorithm}");
        *(if expected { &mut private } else { &mut secret }) += 1;
    }
    assert!(private > 10 && secret > 10, "{private} {secret}");
    for no_token in ["", "x", "..", "e30.a.b.c.d"] {
        assert!(!needs_private_key(no_token, &ALL_KEYS), "{no_token:?}");
    }
}

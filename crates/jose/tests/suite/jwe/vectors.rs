//! Tokens that others made: RFC 7516, RFC 7520, and two libraries.

use std::collections::BTreeMap;

use jose::{Decrypted, Jwe, Reject, decrypt};
use serde_json::{Value, json};

use super::{ALL_KEYS, INTEROP, parse};
use crate::conformance::{files, read, vectors};

/// RFC 7520 examples that are not for a decrypter of compact tokens.
const NOT_COMPACT: [(&str, &str); 4] = [
    ("5_10", "additional authenticated data, JSON serialization only"),
    ("5_11", "unprotected header parameters, JSON serialization only"),
    ("5_12", "unprotected header only, JSON serialization only"),
    ("5_13", "several recipients, JSON serialization only"),
];

/// RFC 7520 examples whose algorithm is refused.
const REFUSED: [(&str, &str); 2] = [
    ("5_1.", "RSA1_5: its padding is an oracle"),
    ("5_3", "PBES2: a password is no key, and the token names the cost"),
];

#[test]
fn rfc_7520_tokens_are_decrypted_or_listed() {
    let (mut decrypted, mut others) = (0, 0);
    for path in files(&vectors().join("rfc7520/jwe")) {
        let example = read(&path);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let title = example["title"].as_str().unwrap();
        let listed = |list: &[(&str, &'static str)]| {
            list.iter().find(|(section, _)| name.starts_with(section)).map(|(_, reason)| *reason)
        };
        if let Some(reason) = listed(&NOT_COMPACT) {
            println!("{title}: not for a decrypter of compact tokens ({reason})");
            assert!(example["output"].get("compact").is_none(), "{title}");
            others += 1;
            continue;
        }
        let token = example["output"]["compact"].as_str().unwrap();
        if let Some(reason) = listed(&REFUSED) {
            println!("{title}: refused ({reason})");
            assert_eq!(Jwe::decrypt(token, &ALL_KEYS), Err(Reject::Algorithm), "{title}");
            others += 1;
            continue;
        }
        let jwe = Jwe::decrypt(token, &parse(&example["input"]["key"])).unwrap();
        let plaintext = example["input"]["plaintext"].as_str().unwrap();
        assert_eq!(String::from_utf8(jwe.plaintext).unwrap(), plaintext, "{title}");
        println!("{title}: decrypted");
        decrypted += 1;
    }
    assert_eq!((decrypted, others), (7, 6));
}

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

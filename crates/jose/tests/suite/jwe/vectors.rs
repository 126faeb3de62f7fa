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

/// Decrypts every token of RFC 7520 section 5 that has a compact form, and renders what became of each.
pub(crate) fn rfc_7520() -> String {
    let mut table = "## RFC 7520, section 5 (encryption)\n\n| example | |\n|---|---|\n".to_owned();
    let mut examples: Vec<_> = files(&vectors().join("rfc7520/jwe"))
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let number: u32 = name.strip_prefix("5_").unwrap().split('.').next().unwrap().parse().unwrap();
            (number, name, read(&path))
        })
        .collect();
    examples.sort_by_key(|(number, ..)| *number);
    assert_eq!(examples.len(), 13);
    for (number, name, example) in examples {
        let title = format!("5.{number}: {}", example["title"].as_str().unwrap());
        let listed = |list: &[(&str, &'static str)]| {
            list.iter().find(|(section, _)| name.starts_with(section)).map(|(_, reason)| *reason)
        };
        if let Some(reason) = listed(&NOT_COMPACT) {
            assert!(example["output"].get("compact").is_none(), "{title}");
            table += &format!("| {title} | not for compact tokens: {reason} |\n");
            continue;
        }
        let token = example["output"]["compact"].as_str().unwrap();
        if let Some(reason) = listed(&REFUSED) {
            assert_eq!(Jwe::decrypt(token, &ALL_KEYS), Err(Reject::Algorithm), "{title}");
            table += &format!("| {title} | refused, {reason} |\n");
            continue;
        }
        let jwe = Jwe::decrypt(token, &parse(&example["input"]["key"])).unwrap();
        let plaintext = example["input"]["plaintext"].as_str().unwrap();
        assert_eq!(String::from_utf8(jwe.plaintext).unwrap(), plaintext, "{title}");
        table += &format!("| {title} | decrypted |\n");
    }
    table
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

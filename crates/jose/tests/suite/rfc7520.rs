//! The examples of RFC 7520 that have a compact form, whatever their algorithm.

use jose::{AlgorithmSet, Jwe, Jws, KeySet, Reject};
use serde_json::{Value, json};

use crate::jwe;
use crate::support::{STRICT, keys};

/// Examples whose algorithm is refused.
const REFUSED: [(&str, &str); 2] = [
    ("5.1", "RSA1_5: its padding is an oracle"),
    ("5.3", "PBES2: a password is no key, and the token names the cost"),
];

fn examples(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("data/rfc7520.json")).unwrap();
    all[kind].as_array().unwrap().clone()
}

fn text<'a>(example: &'a Value, member: &str) -> &'a str {
    example[member].as_str().unwrap_or_else(|| panic!("no {member} in {example}"))
}

#[test]
fn keys_are_read_by_what_they_are_for() {
    let examples = examples("keys");
    assert_eq!(examples.len(), 6);
    for example in examples {
        let section = text(&example, "section");
        // Section 3.6 is a content encryption key.
        let is_for_signatures = section != "3.6";
        let read = KeySet::parse(example["key"].to_string().as_bytes(), &STRICT);
        assert_eq!(read.is_ok(), is_for_signatures, "{section}");
    }
}

#[test]
fn signatures_are_verified_and_payloads_are_as_they_were() {
    let examples = examples("signatures");
    assert_eq!(examples.len(), 4);
    for example in examples {
        let set = keys([example["key"].clone()]);
        let jws = Jws::verify(text(&example, "token"), &set, AlgorithmSet::ALL).unwrap();
        assert_eq!(String::from_utf8(jws.payload).unwrap(), text(&example, "payload"));
    }
}

#[test]
fn encrypted_tokens_are_opened_but_those_of_refused_algorithms() {
    let examples = examples("encryptions");
    assert_eq!(examples.len(), 9);
    for example in examples {
        let (section, token) = (text(&example, "section"), text(&example, "token"));
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == section) {
            assert_eq!(Jwe::decrypt(token, &jwe::ALL_KEYS), Err(Reject::Algorithm), "{section}: {why}");
            continue;
        }
        let opened = Jwe::decrypt(token, &jwe::parse(&json!(example["key"]))).unwrap();
        assert_eq!(String::from_utf8(opened.plaintext).unwrap(), text(&example, "plaintext"), "{section}");
    }
}

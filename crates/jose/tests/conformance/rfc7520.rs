//! The examples of RFC 7520, all of them, as the cookbook has them: one file each.

use std::fs;
use std::path::{Path, PathBuf};

use jose::{AlgorithmSet, DecryptionKeys, Jwe, Jws, KeySet, Reject};
use serde_json::{Value, json};

use crate::table::{STRICT, named, read, verifies};

/// Signatures that have no compact form with an attached payload.
const NOT_COMPACT_SIGNATURES: [(&str, &str); 4] = [
    ("4.5", "detached content"),
    ("4.6", "unprotected header parameters, JSON serialization only"),
    ("4.7", "unprotected header only, JSON serialization only"),
    ("4.8", "several signatures, JSON serialization only"),
];

/// Encryptions that have no compact form.
const NOT_COMPACT_ENCRYPTIONS: [(&str, &str); 4] = [
    ("5.10", "additional authenticated data, JSON serialization only"),
    ("5.11", "unprotected header parameters, JSON serialization only"),
    ("5.12", "unprotected header only, JSON serialization only"),
    ("5.13", "several recipients, JSON serialization only"),
];

/// Encryptions whose algorithm is refused.
const REFUSED: [(&str, &str); 2] = [
    ("5.1", "RSA1_5: its padding is an oracle"),
    ("5.3", "PBES2: a password is no key, and the token names the cost"),
];

/// Verifies every signature of section 4 that has a compact form, and renders what became of each.
pub(crate) fn signatures() -> String {
    let mut table = "## RFC 7520, section 4 (signatures)\n\n| example | |\n|---|---|\n".to_owned();
    let examples = examples("jws");
    assert_eq!(examples.len(), 8);
    for Example { section, path } in examples {
        let example = read(&path);
        let title = title(&section, &example);
        if let Some(reason) = listed(&NOT_COMPACT_SIGNATURES, &section) {
            table += &format!("| {title} | not for compact tokens: {reason} |\n");
            continue;
        }
        let token = example["output"]["compact"].as_str().unwrap();
        let keys = json!({"keys": [example["input"]["key"]]});
        assert!(verifies(token, &keys), "{title}");
        let set = KeySet::parse(keys.to_string().as_bytes(), &STRICT).unwrap();
        let jws = Jws::verify(token, &set, AlgorithmSet::ALL).unwrap();
        let payload = example["input"]["payload"].as_str().unwrap();
        assert_eq!(String::from_utf8(jws.payload).unwrap(), payload, "{title}");
        table += &format!("| {title} | verified |\n");
    }
    table
}

/// Decrypts every token of section 5 that has a compact form, and renders what became of each.
pub(crate) fn encryptions() -> String {
    let made: Value = serde_json::from_str(include_str!("../suite/data/jwe.json")).unwrap();
    let keys_of_every_type = decryption_keys(&json!({"keys": made["keys"]}));
    let mut table = "## RFC 7520, section 5 (encryption)\n\n| example | |\n|---|---|\n".to_owned();
    let examples = examples("jwe");
    assert_eq!(examples.len(), 13);
    for Example { section, path } in examples {
        let example = read(&path);
        let title = title(&section, &example);
        if let Some(reason) = listed(&NOT_COMPACT_ENCRYPTIONS, &section) {
            assert!(example["output"].get("compact").is_none(), "{title}");
            table += &format!("| {title} | not for compact tokens: {reason} |\n");
            continue;
        }
        let token = example["output"]["compact"].as_str().unwrap();
        if let Some(reason) = listed(&REFUSED, &section) {
            assert_eq!(Jwe::decrypt(token, &keys_of_every_type), Err(Reject::Algorithm), "{title}");
            table += &format!("| {title} | refused, {reason} |\n");
            continue;
        }
        let jwe = Jwe::decrypt(token, &decryption_keys(&example["input"]["key"])).unwrap();
        let plaintext = example["input"]["plaintext"].as_str().unwrap();
        assert_eq!(String::from_utf8(jwe.plaintext).unwrap(), plaintext, "{title}");
        table += &format!("| {title} | decrypted |\n");
    }
    table
}

fn decryption_keys(source: &Value) -> DecryptionKeys {
    DecryptionKeys::parse(source.to_string().as_bytes()).unwrap()
}

/// A file of the cookbook.
struct Example {
    section: String,
    path: PathBuf,
}

/// The files of one folder, in the order of their sections.
fn examples(folder: &str) -> Vec<Example> {
    let mut examples: Vec<_> = fs::read_dir(named("VECTORS_RFC7520").join(folder))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            Example { section: section(&path), path }
        })
        .collect();
    examples.sort_by_key(|example| number(&example.section));
    examples
}

/// `5_10.key_wrap.json` is an example of section 5.10.
fn section(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy();
    name.split('.').next().unwrap().replace('_', ".")
}

fn number(section: &str) -> u32 {
    section.split('.').nth(1).unwrap().parse().unwrap()
}

fn title(section: &str, example: &Value) -> String {
    format!("{section}: {}", example["title"].as_str().unwrap())
}

fn listed(list: &[(&str, &'static str)], section: &str) -> Option<&'static str> {
    list.iter().find(|(of, _)| *of == section).map(|(_, reason)| *reason)
}

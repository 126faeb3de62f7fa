//! Published test vectors: C2SP Wycheproof and the examples of RFC 7520.
//!
//! They make the table in `docs/CONFORMANCE.md`. Where we decide otherwise than a vector expects, the vector is listed
//! with the reason, and a list entry that no vector needs is a failure too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jose::{AlgorithmSet, Jws, KeyOrigin, KeyRules, KeySet, KeySetError, SkipReason};
use serde_json::{Value, json};

use crate::support::STRICT;

const SIGNATURES: &str = "wycheproof_json_web_signature.json";
const KEYS: &str = "wycheproof_json_web_key.json";

const EMPTY_PAYLOAD: &str = "an empty part is refused: an empty payload is no claims set";
const ES521: &str = "the key's `alg` is \"ES521\", which is not registered; the algorithm is ES512";
const PS256_KEY: &str = "the key's `alg` is PS256 and the token's is PS384: the key's binds";
const SAME_AS_357: &str = "the vector's token is that of 357, byte for byte, which is valid";
const NOT_BASE64URL: &str = "`?` is outside base64url; RFC 7515 section 2 has no characters to ignore";

/// Vectors whose expectation we do not share.
const DIFFERING: [(&str, u64, &str); 15] = [
    (SIGNATURES, 259, EMPTY_PAYLOAD),
    (SIGNATURES, 264, EMPTY_PAYLOAD),
    (SIGNATURES, 268, EMPTY_PAYLOAD),
    (SIGNATURES, 272, EMPTY_PAYLOAD),
    (SIGNATURES, 320, EMPTY_PAYLOAD),
    (SIGNATURES, 325, EMPTY_PAYLOAD),
    (SIGNATURES, 346, PS256_KEY),
    (SIGNATURES, 347, ES521),
    (SIGNATURES, 350, PS256_KEY),
    (SIGNATURES, 351, ES521),
    (SIGNATURES, 367, SAME_AS_357),
    (SIGNATURES, 370, SAME_AS_357),
    (SIGNATURES, 372, NOT_BASE64URL),
    (SIGNATURES, 373, NOT_BASE64URL),
    (
        KEYS,
        4,
        "keys of one `kid` are told apart by algorithm and otherwise all tried; both are the operator's",
    ),
];

/// RFC 7520 examples that have no compact form with an attached payload.
const NOT_COMPACT: [(&str, &str); 4] = [
    ("4_5", "detached content"),
    ("4_6", "unprotected header parameters, JSON serialization only"),
    ("4_7", "unprotected header only, JSON serialization only"),
    ("4_8", "several signatures, JSON serialization only"),
];

#[test]
fn the_committed_table_is_what_the_vectors_say_today() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFORMANCE.md");
    let parts = [heading(), wycheproof(), rfc_7520(), crate::jwe::vectors::rfc_7520()];
    let table = parts.join("\n");
    println!("{table}");
    if std::env::var_os("WRITE_CONFORMANCE").is_some() {
        fs::write(&committed, &table).unwrap_or_else(|error| panic!("{}: {error}", committed.display()));
    }
    assert!(
        fs::read_to_string(&committed).is_ok_and(|text| text == table),
        "docs/CONFORMANCE.md is not what this test has found; `make conformance` writes it anew"
    );
}

fn heading() -> String {
    "\
# Conformance

What `crates/jose` makes of published test vectors. Written by `make conformance`; a test fails when it is not current.
"
    .to_owned()
}

/// Judges every vector, and renders a table of the groups and a list of what we decide otherwise.
fn wycheproof() -> String {
    let mut differing = BTreeMap::new();
    let mut table = "\
## C2SP Wycheproof

| vectors | tests | as expected | otherwise |
|---|--:|--:|--:|
"
    .to_owned();
    let mut all = Tally::default();
    for file in [SIGNATURES, KEYS] {
        let vectors = read(&vectors().join(file));
        let mut tallies = BTreeMap::<_, Tally>::new();
        for (group, cases) in groups(&vectors) {
            for case in &cases {
                let is_as_expected = verifies(&case.token, &group.keys) == case.is_valid;
                if !is_as_expected {
                    differing.insert((file, case.id), (case.comment.clone(), case.is_valid));
                }
                tallies.entry(group.name.clone()).or_default().count(is_as_expected);
                all.count(is_as_expected);
            }
        }
        for (group, tally) in tallies {
            table += &tally.row(&format!("{}: {group}", short(file)));
        }
    }
    table += &all.row("all");

    table +=
        "\nWhere we decide otherwise, on purpose:\n\n| vector | it expects | why not here |\n|---|---|---|\n";
    for (file, id, reason) in DIFFERING {
        let Some((comment, is_valid)) = differing.remove(&(file, id)) else {
            panic!("{file} {id} is listed, but judged as the vector expects")
        };
        let expected = if is_valid { "accepted" } else { "refused" };
        table += &format!("| {} {id}: {comment} | {expected} | {reason} |\n", short(file));
    }
    assert!(differing.is_empty(), "judged otherwise than expected, and not listed: {differing:#?}");
    table
}

/// What became of a group of vectors.
#[derive(Default)]
struct Tally {
    as_expected: usize,
    otherwise: usize,
}

impl Tally {
    fn count(&mut self, is_as_expected: bool) {
        *(if is_as_expected { &mut self.as_expected } else { &mut self.otherwise }) += 1;
    }

    fn row(&self, name: &str) -> String {
        let Self { as_expected, otherwise } = self;
        format!("| {name} | {} | {as_expected} | {otherwise} |\n", as_expected + otherwise)
    }
}

/// What a file of vectors is about.
fn short(file: &str) -> &str {
    file.trim_start_matches("wycheproof_json_").trim_end_matches(".json")
}

#[test]
fn the_roca_key_is_refused_for_its_modulus() {
    let vectors = read(&vectors().join(KEYS));
    let (group, _) = groups(&vectors).find(|(group, _)| group.name == "jws_rsa_roca_key").unwrap();
    let Err(KeySetError::NoneUsable(skipped)) = KeySet::parse(group.keys.to_string().as_bytes(), &STRICT)
    else {
        panic!("taken")
    };
    assert_eq!(skipped[0].reason, SkipReason::WeakModulus);
}

/// Verifies every signature of RFC 7520 section 4 that has a compact form, and renders what became of each.
fn rfc_7520() -> String {
    let mut table = "## RFC 7520, section 4 (signatures)\n\n| example | |\n|---|---|\n".to_owned();
    let examples = files(&vectors().join("rfc7520/jws"));
    assert_eq!(examples.len(), 8);
    for path in examples {
        let example = read(&path);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let section = name.split_once(".").unwrap().0;
        let title = format!("{}: {}", section.replace('_', "."), example["title"].as_str().unwrap());
        if let Some((_, reason)) = NOT_COMPACT.iter().find(|(named, _)| *named == section) {
            table += &format!("| {title} | not for compact tokens: {reason} |\n");
            continue;
        }
        let token = example["output"]["compact"].as_str().unwrap();
        let keys = json!({"keys": [example["input"]["key"]]});
        assert!(verifies(token, &keys), "{title}");
        let set = KeySet::parse(keys.to_string().as_bytes(), &STRICT).unwrap();
        let jws = Jws::verify(token, &set, AlgorithmSet::ALL).unwrap();
        assert_eq!(
            String::from_utf8(jws.payload).unwrap(),
            example["input"]["payload"].as_str().unwrap(),
            "{title}"
        );
        table += &format!("| {title} | verified |\n");
    }
    table
}

#[test]
fn rfc_7520_keys_are_read_by_what_they_are_for() {
    let mut seen = 0;
    for path in files(&vectors().join("rfc7520/jwk")) {
        let key = fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Section 3.6 is a content encryption key.
        let is_for_signatures = !name.starts_with("3_6");
        assert_eq!(KeySet::parse(&key, &STRICT).is_ok(), is_for_signatures, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 6);
}

struct Group {
    name: String,
    keys: Value,
}

struct Case {
    id: u64,
    comment: String,
    token: String,
    is_valid: bool,
}

fn groups(vectors: &Value) -> impl Iterator<Item = (Group, Vec<Case>)> {
    vectors["testGroups"].as_array().unwrap().iter().map(|group| {
        let key = group.get("public").unwrap_or(&group["private"]);
        let keys = if key.get("keys").is_some() { key.clone() } else { json!({"keys": [key]}) };
        let cases = group["tests"].as_array().unwrap().iter().map(|test| Case {
            id: test["tcId"].as_u64().unwrap(),
            comment: test["comment"].as_str().unwrap().to_owned(),
            token: test["jws"].as_str().unwrap().to_owned(),
            is_valid: match test["result"].as_str().unwrap() {
                "valid" => true,
                "invalid" => false,
                other => panic!("unknown result {other}"),
            },
        });
        (Group { name: group["comment"].as_str().unwrap().to_owned(), keys }, cases.collect())
    })
}

/// Whether the keys, as if served by a URL, verify the token.
fn verifies(token: &str, keys: &Value) -> bool {
    let rules = KeyRules { origin: KeyOrigin::Url, ..STRICT };
    KeySet::parse(keys.to_string().as_bytes(), &rules)
        .is_ok_and(|keys| Jws::verify(token, &keys, AlgorithmSet::ALL).is_ok())
}

pub fn vectors() -> PathBuf {
    let folder = std::env::var_os("JOSE_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"), PathBuf::from);
    assert!(
        folder.is_dir(),
        "the test vectors are not there: no folder {}; put them into ../shared/vectors beside the project, or name their folder in JOSE_VECTORS",
        folder.display()
    );
    folder
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

pub fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

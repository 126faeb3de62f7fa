//! C2SP Wycheproof's vectors for signed tokens and for their keys.
//!
//! Where we decide otherwise than a vector expects, the vector is listed with the reason, and a list entry that no vector
//! needs is a failure too.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jose::{KeySet, KeySetError, SkipReason};
use serde_json::{Value, json};

use crate::table::{STRICT, named, read, verifies};

const EMPTY_PAYLOAD: &str = "an empty part is refused: an empty payload is no claims set";
const PS256_KEY: &str = "the key's `alg` is PS256 and the token's is PS384: the key's binds";
const CURVE_BINDS: &str =
    "the key's `alg` is registered for nothing and counts as absent; its curve alone binds it to ES256";
const SAME_AS_357: &str = "the vector's token is that of 357, byte for byte, which is valid";
const NOT_BASE64URL: &str = "`?` is outside base64url; RFC 7515 section 2 has no characters to ignore";

/// Vectors whose expectation we do not share.
const DIFFERING: [(File, u64, &str); 15] = [
    (File::Signatures, 259, EMPTY_PAYLOAD),
    (File::Signatures, 264, EMPTY_PAYLOAD),
    (File::Signatures, 268, EMPTY_PAYLOAD),
    (File::Signatures, 272, EMPTY_PAYLOAD),
    (File::Signatures, 320, EMPTY_PAYLOAD),
    (File::Signatures, 325, EMPTY_PAYLOAD),
    (File::Signatures, 346, PS256_KEY),
    (File::Signatures, 350, PS256_KEY),
    (File::Signatures, 367, SAME_AS_357),
    (File::Signatures, 370, SAME_AS_357),
    (File::Signatures, 372, NOT_BASE64URL),
    (File::Signatures, 373, NOT_BASE64URL),
    (
        File::Keys,
        4,
        "keys of one `kid` are told apart by algorithm and otherwise all tried; both are the operator's",
    ),
    (File::Keys, 19, CURVE_BINDS),
    (File::Keys, 20, CURVE_BINDS),
];

/// A file of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum File {
    Signatures,
    Keys,
}

impl File {
    fn path(self) -> PathBuf {
        named(match self {
            Self::Signatures => "VECTORS_SIGNATURES",
            Self::Keys => "VECTORS_KEYS",
        })
    }

    /// What its vectors are about.
    fn name(self) -> &'static str {
        match self {
            Self::Signatures => "web_signature",
            Self::Keys => "web_key",
        }
    }
}

/// Judges every vector, and renders a table of the groups and a list of what we decide otherwise.
pub(crate) fn table() -> String {
    let mut differing = BTreeMap::new();
    let mut table = "\
## C2SP Wycheproof

| vectors | tests | as expected | otherwise |
|---|--:|--:|--:|
"
    .to_owned();
    let mut all = Tally::default();
    for file in [File::Signatures, File::Keys] {
        let vectors = read(&file.path());
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
            table += &tally.row(&format!("{}: {group}", file.name()));
        }
    }
    table += &all.row("all");

    table +=
        "\nWhere we decide otherwise, on purpose:\n\n| vector | it expects | why not here |\n|---|---|---|\n";
    for (file, id, reason) in DIFFERING {
        let Some((comment, is_valid)) = differing.remove(&(file, id)) else {
            panic!("{} {id} is listed, but judged as the vector expects", file.name())
        };
        let expected = if is_valid { "accepted" } else { "refused" };
        table += &format!("| {} {id}: {comment} | {expected} | {reason} |\n", file.name());
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

#[test]
fn the_roca_key_is_refused_for_its_modulus() {
    let vectors = read(&File::Keys.path());
    let (group, _) = groups(&vectors).find(|(group, _)| group.name == "jws_rsa_roca_key").unwrap();
    let Err(KeySetError::NoneUsable(skipped)) = KeySet::parse(group.keys.to_string().as_bytes(), &STRICT)
    else {
        panic!("taken")
    };
    assert_eq!(skipped[0].reason, SkipReason::WeakModulus);
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

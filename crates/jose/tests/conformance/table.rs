//! The table of `docs/CONFORMANCE.md`, and what its parts have in common.

use std::fs;
use std::path::{Path, PathBuf};

use jose::{AlgorithmSet, Jws, KeyOrigin, KeyRules, KeySet, Profile};
use serde_json::Value;

use crate::{rfc7520, rfc9964, wycheproof};

/// A file of the operator in the standard profile, no switch set.
pub(crate) const STRICT: KeyRules = KeyRules {
    origin: KeyOrigin::File,
    profile: Profile::Standard,
    allow_short_secrets: false,
    allow_mixed_keys: false,
};

#[test]
fn the_committed_table_is_what_the_vectors_say_today() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFORMANCE.md");
    let parts = [
        heading(),
        wycheproof::table(),
        rfc9964::signatures(),
        rfc7520::signatures(),
        rfc7520::encryptions(),
    ];
    let table = parts.join("\n");
    println!("{table}");
    if std::env::var_os("WRITE_CONFORMANCE").is_some() {
        fs::write(&committed, &table).unwrap_or_else(|error| panic!("{}: {error}", committed.display()));
    }
    assert!(
        fs::read_to_string(&committed).is_ok_and(|text| text == table),
        "docs/CONFORMANCE.md is not what these vectors give; `make conformance VECTORS=..` writes it anew"
    );
}

fn heading() -> String {
    "\
# Conformance

What `crates/jose` makes of published test vectors. Written by `make conformance`; `make test-conformance` fails when it is
not current.
"
    .to_owned()
}

/// Whether the keys, as if served by a URL, verify the token.
pub(crate) fn verifies(token: &str, keys: &Value) -> bool {
    let rules = KeyRules { origin: KeyOrigin::Url, ..STRICT };
    KeySet::parse(keys.to_string().as_bytes(), &rules)
        .is_ok_and(|keys| Jws::verify(token, &keys, AlgorithmSet::ALL).is_ok())
}

/// The path that a variable of `tests/conformance.sh` has.
pub(crate) fn named(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    path.unwrap_or_else(|| panic!("{variable} is not set: run make test-conformance VECTORS=folder")).into()
}

pub(crate) fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

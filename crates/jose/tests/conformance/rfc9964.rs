//! The examples of RFC 9964 appendix A.1, and what else their keys could have signed.

use std::path::Path;

use serde_json::{Value, json};

use crate::table::{read, verifies};

/// The part of the table about them. They are committed: their keys come from a seed that the RFC prints.
pub(crate) fn signatures() -> String {
    let data = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/data/ml_dsa.json"));
    let [examples, others] = ["examples", "others"].map(|name| data[name].as_array().unwrap());
    let keys = json!({"keys": examples.iter().map(|example| &example["jwk"]).collect::<Vec<_>>()});
    let judged = |token: &Value| {
        let is_verified = verifies(token["jws"].as_str().unwrap(), &keys);
        if is_verified { "verified" } else { "refused" }
    };
    let name = |kid: &Value| {
        let example = examples.iter().find(|example| example["jwk"]["kid"] == *kid).unwrap();
        example["jwk"]["alg"].as_str().unwrap()
    };
    let mut table = String::from("## RFC 9964, appendix A.1 (ML-DSA)\n\n| signature | |\n|---|---|\n");
    for example in examples {
        assert_eq!(judged(example), "verified", "{example:.100}");
        table.push_str(&format!(
            "| {}: the RFC's example | {} |\n",
            name(&example["jwk"]["kid"]),
            judged(example)
        ));
    }
    for other in others {
        assert_eq!(judged(other), "refused", "{}", other["what"]);
        let what = other["what"].as_str().unwrap();
        table.push_str(&format!(
            "| {}: {what}, by the same key | {} |\n",
            name(&other["kid"]),
            judged(other)
        ));
    }
    table
}

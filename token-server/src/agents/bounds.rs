//! How much is kept of what an agent writes.

use std::collections::BTreeMap;

use revocation::report::{MAX_DECISIONS, MAX_KEYS_BYTES, Streams, Told, Totals, cut};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// Names in a table of numbers: there are fewer reasons and causes.
const MAX_NAMES: usize = 128;
/// Elements of a list, or members of an object, in what is told of keys.
const MAX_ELEMENTS: usize = 512;
/// Lists and objects inside of each other, in what is told of keys.
const MAX_DEPTH: usize = 6;

/// The first of them, each text cut.
pub(super) fn decisions(mut told: Vec<Told>) -> Vec<Told> {
    told.truncate(MAX_DECISIONS);
    told.into_iter().map(decision).collect()
}

fn decision(told: Told) -> Told {
    let Told { at, id, policy, reason, detail, issuer, kid, alg, subject } = told;
    Told {
        at,
        id: id.map(cut),
        policy: policy.map(cut),
        reason: cut(reason),
        detail: cut(detail),
        issuer: issuer.map(cut),
        kid: kid.map(cut),
        alg: alg.map(cut),
        subject: subject.map(cut),
    }
}

pub(super) fn totals(totals: Totals) -> Totals {
    let Totals { accepted, refused, undecided } = totals;
    Totals { accepted, refused: table(refused), undecided: table(undecided) }
}

pub(super) fn streams(streams: Streams) -> Streams {
    Streams { ended: table(streams.ended), ..streams }
}

fn table(numbers: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    numbers.into_iter().take(MAX_NAMES).map(|(name, number)| (cut(name), number)).collect()
}

/// The list of sources in an agent's view of its keys; absent where there is none, or it is too long.
pub(super) fn sources(keys: &RawValue) -> Option<Box<RawValue>> {
    if keys.get().len() > MAX_KEYS_BYTES {
        return None;
    }
    let mut view: Value = serde_json::from_str(keys.get()).ok()?;
    let sources = view.get_mut("sources").filter(|sources| sources.is_array())?.take();
    to_raw_value(&bounded(sources, MAX_DEPTH)).ok()
}

fn bounded(value: Value, depth: usize) -> Value {
    let Some(below) = depth.checked_sub(1) else { return Value::Null };
    match value {
        Value::String(text) => Value::String(cut(text)),
        Value::Array(elements) => {
            elements.into_iter().take(MAX_ELEMENTS).map(|element| bounded(element, below)).collect()
        }
        Value::Object(members) => {
            let members = members.into_iter().take(MAX_ELEMENTS);
            Value::Object(members.map(|(name, value)| (cut(name), bounded(value, below))).collect())
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use revocation::report::MAX_TEXT_CHARS;
    use serde_json::json;

    fn raw(value: &Value) -> Box<RawValue> {
        to_raw_value(value).unwrap()
    }

    #[test]
    fn what_an_agent_tells_of_keys_is_a_list_of_bounded_depth_and_length() {
        let long = "x".repeat(MAX_TEXT_CHARS + 1);
        let cut_text = format!("{}\u{2026}", "x".repeat(MAX_TEXT_CHARS));
        for (told, expected) in [
            (
                json!({"sources": [{"source": "a", "keys": [{"kid": "k", "bits": 2048}]}]}),
                Some(json!([{"source": "a", "keys": [{"kid": "k", "bits": 2048}]}])),
            ),
            (json!({"sources": [{(long.as_str()): long}]}), Some(json!([{(cut_text.as_str()): cut_text}]))),
            (json!({"sources": [[[[[[[1]]]]]]]}), Some(json!([[[[[[null]]]]]]))),
            (json!({"sources": "a"}), None),
            (json!([]), None),
            (json!({"sources": ["x".repeat(MAX_KEYS_BYTES)]}), None),
        ] {
            let kept = sources(&raw(&told)).map(|kept| serde_json::from_str::<Value>(kept.get()).unwrap());
            assert_eq!(kept, expected);
        }
        let many = json!({"sources": vec![0; MAX_ELEMENTS + 1]});
        let kept: Vec<u8> = serde_json::from_str(sources(&raw(&many)).unwrap().get()).unwrap();
        assert_eq!(kept.len(), MAX_ELEMENTS);
        let deep = format!("{{\"sources\":{}{}}}", "[".repeat(60_000), "]".repeat(60_000));
        let deep: Box<RawValue> = serde_json::from_str(&deep).unwrap();
        assert!(sources(&deep).is_none());
    }
}

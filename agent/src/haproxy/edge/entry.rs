//! What stands in HAProxy's map for a verdict.
//!
//! ```text
//! KEY   : SHA-256 of <value of Authorization> "|" <layout> "|" <policy as HAProxy names it>, hexadecimal as HAProxy's `hex` writes it
//! VALUE : { <field> "|" } <name of its lease> "|" <end, unix time in milliseconds>
//! ```
//!
//! The layout names the variables whose fields are in the value, with commas in between. HAProxy looks for the one that its
//! configuration is written for, so that no field is ever taken for another variable's: an agent with other `JWT_VARIABLES` is
//! asked instead. It is no part of the value, and lease and end come last, since HAProxy reads over each byte on its way to a field.

use std::fmt::{self, Write as _};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use spop::TypedData;

use crate::answer::Variables;
use crate::spoa::frame::read_actions;

/// Behind each field of a value, and between the parts of a key.
const SEPARATOR: char = '|';
/// The field of a variable that the token does not have: HAProxy's `url_dec` fails on it, so that no variable is set.
const ABSENT: &str = "%";
/// The same for every entry, or in none: each is a verdict that accepts, none is on a token that needs a proof, and none answers a
/// request that may stay open.
const CONSTANT: [&str; 7] = ["valid", "reason", "detail", "challenge", "proof", "dpop_nonce", "ttl"];
/// The largest value. HAProxy reads a command and its payload into one buffer of 16 KiB.
const MAX_VALUE_BYTES: usize = 4096;

/// The key of an entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; SHA256_OUTPUT_LEN]);

impl Key {
    /// Of a request with this value of `Authorization`, and this policy, empty for the default one, by rules that read these fields.
    /// Nothing, where the policy's name could be taken for other parts.
    pub fn of(authorization: &str, layout: &Layout, policy: &str) -> Option<Self> {
        if policy.contains(SEPARATOR) {
            return None;
        }
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        let text = format!("{authorization}{SEPARATOR}{layout}{SEPARATOR}{policy}");
        bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Some(Self(bytes))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02X}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The variables that an entry has, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout(Vec<String>);

impl Layout {
    /// Those of an answer, as far as they differ from one accepted token to the next; nothing, where they are not named one by
    /// one.
    pub fn of(variables: &Variables) -> Option<Self> {
        let Variables::Only(names) = variables else { return None };
        let named = |name: &&String| Variables::is_name(name) && !CONSTANT.contains(&name.as_str());
        (!names.contains("payload")).then(|| Self(names.iter().filter(named).cloned().collect()))
    }

    /// An entry's value before the name of its lease, from the actions of an ACK. Nothing, where HAProxy could not give a variable
    /// back as it was, or where it would be too long.
    pub fn fields(&self, actions: &[u8]) -> Option<String> {
        let set = read_actions(actions)?;
        let mut fields = String::new();
        for name in &self.0 {
            match set.iter().find(|(set, _)| set == name) {
                Some((_, value)) => encode(value, &mut fields)?,
                None => fields.push_str(ABSENT),
            }
            fields.push(SEPARATOR);
        }
        (fields.len() <= MAX_VALUE_BYTES).then_some(fields)
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join(","))
    }
}

/// A value as HAProxy prints the variable, percent-encoded as far as a map, its runtime API or `url_dec` would read more in it.
/// Nothing, where that cannot be: `url_dec` takes no NUL from HAProxy 3.2 on, and no answer has values of other types.
fn encode(value: &TypedData, out: &mut String) -> Option<()> {
    let text = match value {
        TypedData::Bool(value) => u8::from(*value).to_string(),
        TypedData::Int64(value) => value.to_string(),
        TypedData::String(text) if text.contains('\0') => return None,
        TypedData::String(text) => {
            encode_text(text, out);
            return Some(());
        }
        _ => return None,
    };
    out.push_str(&text);
    Some(())
}

fn encode_text(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !br"%|+?;\#<".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(out, "%{byte:02X}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use spop::{Action, VarScope};

    use super::*;
    use crate::spoa::frame::encode_actions;

    fn actions(set: &[(&str, TypedData)]) -> Box<[u8]> {
        let action = |(name, value): &(&str, TypedData)| Action::SetVar {
            scope: VarScope::Transaction,
            name: (*name).to_owned(),
            value: value.clone(),
        };
        encode_actions(set.iter().map(action).collect())
    }

    fn layout(names: &[&str]) -> Option<Layout> {
        Layout::of(&Variables::Only(names.iter().map(|name| (*name).to_owned()).collect()))
    }

    #[test]
    fn a_key_is_what_haproxy_makes_of_the_header_the_layout_and_the_policy() {
        let (none, id) = (layout(&[]).unwrap(), layout(&["id"]).unwrap());
        let hex = "68948C1890BFB559C58BA3B7CBD16D081981659E2E3DB080E6AB4F4C80128257";
        assert_eq!(Key::of("Bearer x", &none, "").unwrap().to_string(), hex);
        let hex = "FFE3C0BC5279F2E34EF7C114858D82051B263B50B9CB629C66724935F54A598B";
        assert_eq!(Key::of("Bearer x", &id, "admin").unwrap().to_string(), hex);
        assert_eq!(Key::of("Bearer x", &none, "a|b"), None, "or it would be that of another header");
    }

    #[test]
    fn a_layout_is_of_variables_that_are_named_one_by_one() {
        assert_eq!(
            layout(&["reason", "payload.sub", "body", "valid", "ttl", "source"]).unwrap().to_string(),
            "body,payload.sub"
        );
        assert_eq!(layout(&[]).unwrap().to_string(), "");
        assert_eq!(layout(&["payload", "id"]), None);
        assert_eq!(Layout::of(&Variables::All), None);
    }

    #[test]
    fn fields_stand_in_the_order_of_the_layout_and_hold_what_haproxy_would_print() {
        let layout =
            layout(&["id", "payload.a", "payload.b", "payload.n", "payload.t", "payload.none"]).unwrap();
        let set = actions(&[
            ("payload.t", true.into()),
            ("payload.n", (-7_i64).into()),
            ("payload.b", "".into()),
            ("payload.a", "100% of {\"a\":1}|é+".into()),
            ("id", "0f".into()),
            ("reason", "ok".into()),
            ("valid", true.into()),
        ]);
        let expected = "0f|100%25%20of%20{\"a\":1}%7C%C3%A9%2B||-7|%|1|";
        assert_eq!(layout.fields(&set).unwrap(), expected);
    }

    #[test]
    fn a_value_that_haproxy_could_not_give_back_gets_no_entry() {
        let layout = layout(&["payload.a"]).unwrap();
        for value in ["a\0b".into(), TypedData::UInt64(1), TypedData::Null] {
            assert_eq!(layout.fields(&actions(&[("payload.a", value)])), None);
        }
    }

    #[test]
    fn what_is_too_long_for_one_command_gets_no_entry() {
        let layout = layout(&["body"]).unwrap();
        for (len, fits) in [(1000, true), (4095, true), (4096, false)] {
            let set = actions(&[("body", "x".repeat(len).into())]);
            assert_eq!(layout.fields(&set).is_some(), fits, "{len}");
        }
    }
}

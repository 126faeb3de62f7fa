//! The table of one key, as it is written into the file.

use jose::{TokenHash, UnixTime};
use serde_json::Value;

use super::refused;
use crate::cli::error::CliError;
use crate::when;

/// Claims in the order in which they were given.
pub(super) struct Claims(Vec<(String, Value)>);

impl Claims {
    /// Of options; a claim that is given several times is a list.
    pub(super) fn new(sub: String, scope: Option<String>, more: &[String]) -> Result<Self, CliError> {
        let mut claims = vec![("sub".to_owned(), Value::from(sub))];
        claims.extend(scope.map(|scope| ("scope".to_owned(), scope.into())));
        let given = claims.len();
        for text in more {
            let (name, value) =
                text.split_once('=').ok_or_else(|| refused("--claim", "expected NAME=VALUE"))?;
            let known = claims.iter_mut().enumerate().find(|(_, (known, _))| known == name);
            match known {
                None => claims.push((name.to_owned(), value.into())),
                Some((place, _)) if place < given => {
                    return Err(refused("--claim", "has a claim that another option says"));
                }
                Some((_, (_, Value::Array(values)))) => values.push(value.into()),
                Some((_, (_, first))) => *first = Value::Array(vec![first.take(), value.into()]),
            }
        }
        Ok(Self(claims))
    }
}

/// A table `[[keys]]`.
pub(super) fn write(
    name: &str,
    hash: &TokenHash,
    made: UnixTime,
    ends: Option<UnixTime>,
    claims: &Claims,
) -> String {
    let claims: Vec<_> = claims.0.iter().map(|(name, value)| format!("{} = {value}", key(name))).collect();
    let ends = ends.map(|ends| format!("ends = {}\n", when::iso(ends))).unwrap_or_default();
    format!(
        "[[keys]]\nname = {}\nsha256 = \"{}\"\nmade = {}\n{ends}claims = {{ {} }}\n",
        Value::from(name),
        hash.to_hex(),
        when::iso(made),
        claims.join(", "),
    )
}

/// A bare key of TOML, or a quoted one: its basic strings take every escape of JSON's.
fn key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_bare) {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_keys::list::KeyList;

    const MADE: UnixTime = UnixTime::from_secs(1_795_820_810);

    #[test]
    fn what_is_written_is_read_again() {
        let hash = TokenHash::of("test");
        let more =
            ["aud=x", "role=a", "role=b", "role=c", "odd name=\"q\\\n\u{7}é\"", "e="].map(str::to_owned);
        let claims = Claims::new("it's \"me\"".to_owned(), Some("a b".to_owned()), &more).unwrap();
        for ends in [None, Some(UnixTime::from_secs(1_827_356_810))] {
            let text = write("n", &hash, MADE, ends, &claims);
            let list = KeyList::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
            let [key] = list.keys() else { panic!("{list:?}") };
            assert_eq!((key.name.as_str(), key.made, key.ends, key.hash), ("n", MADE, ends, hash));
            assert_eq!(key.subject, "it's \"me\"");
            let read: Value = serde_json::from_str(key.claims(None, MADE).unwrap().as_json()).unwrap();
            for (name, value) in &claims.0 {
                assert_eq!(&read[name.as_str()], value, "{name}");
            }
            assert_eq!(read["role"], serde_json::json!(["a", "b", "c"]));
        }
    }

    #[test]
    fn a_claim_has_one_place() {
        for more in ["sub=x", "scope=y", "no value"] {
            assert!(Claims::new("s".to_owned(), Some("a".to_owned()), &[more.to_owned()]).is_err(), "{more}");
        }
    }
}

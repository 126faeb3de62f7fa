//! Objects whose members are unique and whose values stay text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Malformed;

/// The members of a JSON object: unescaped names, raw values, in the order of the text.
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Object<'a> {
    /// Reads an object strictly: no member twice at any depth, no string that Unicode cannot hold, no nested number
    /// outside a double's range.
    ///
    /// The caller has bounded the nesting with [`compact`](super::compact).
    pub(crate) fn parse(text: &'a str) -> Result<Self, Malformed> {
        let object = Self::members_of(text).ok_or(Malformed)?;
        for (_, value) in &object.members {
            // Nothing is hidden in literals, in numbers and in strings without an escape.
            if value.starts_with(['{', '[']) || value.contains('\\') {
                serde_json::from_str::<Strict>(value).map_err(|_| Malformed)?;
            }
        }
        Ok(object)
    }

    /// Reads an object whose insides were parsed before.
    pub(crate) fn members_of(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The raw value of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.members.iter().find(|(member, _)| member == name).map(|(_, value)| *value)
    }

    /// Names and raw values in the order of the text.
    pub(crate) fn into_members(self) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
        self.members.into_iter()
    }
}

/// The text of a raw JSON string; `None` if it is another type.
pub(crate) fn string(raw: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw).ok().map(|Text(text)| text)
}

/// The text of a raw JSON string or number; `None` if it is another type. Some write numbers where a name is due: the name is
/// then the number's text.
pub(crate) fn name(raw: &str) -> Option<Cow<'_, str>> {
    if raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        Some(Cow::Borrowed(raw))
    } else {
        string(raw)
    }
}

/// A string that borrows from the input unless it holds an escape.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(Cow<'de, str>, &'de str)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with unique members")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(FEW);
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((name, value.get()));
                }
                unique(&members, |(name, _)| name).map_err(|Malformed| A::Error::custom("a member twice"))?;
                Ok(members)
            }
        }

        deserializer.deserialize_map(Members).map(|members| Self { members })
    }
}

/// Any value, read for its faults alone.
struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with unique members")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = Vec::new();
        while let Some((Text(name), Self)) = map.next_entry::<Text<'de>, Self>()? {
            names.push(name);
        }
        unique(&names, |name| name).map_err(|Malformed| A::Error::custom("a member twice"))?;
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

/// Members of which each is compared with each: up to here that takes less time than to sort them.
const FEW: usize = 8;

/// Refuses a name that comes twice. Many are sorted, since a hostile header can hold thousands of members.
fn unique<M>(members: &[M], name: impl Fn(&M) -> &str) -> Result<(), Malformed> {
    let comes_twice = if members.len() <= FEW {
        let is_before = |place, member| members.iter().take(place).any(|before| name(before) == name(member));
        members.iter().enumerate().any(|(place, member)| is_before(place, member))
    } else {
        let mut names: Vec<_> = members.iter().map(name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
    };
    if comes_twice { Err(Malformed) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_values_as_they_were_written() {
        let object = Object::parse(
            r#"{"a":1.50,"\u0062":"\u00fc","c":[1,{"d":[]}],"big":12345678901234567890,"e":1e400}"#,
        )
        .unwrap();
        let members: Vec<_> = object.members.iter().map(|(name, value)| (name.as_ref(), *value)).collect();
        assert_eq!(
            members,
            [
                ("a", "1.50"),
                ("b", r#""\u00fc""#),
                ("c", r#"[1,{"d":[]}]"#),
                ("big", "12345678901234567890"),
                ("e", "1e400")
            ]
        );
        assert_eq!(object.get("b").and_then(string).unwrap(), "ü");
        assert_eq!(object.get("A"), None);
    }

    #[test]
    fn a_member_that_comes_twice_is_found_among_few_and_among_many() {
        for count in [2, FEW, FEW + 1, 100] {
            for twice in [0, (count - 1) / 2, count - 2] {
                let names = || (0..count - 1).chain([twice]).map(|name| format!(r#""{name}":1"#));
                let text = |names: Vec<String>| format!("{{{}}}", names.join(","));
                assert_eq!(Object::parse(&text(names().collect())).err(), Some(Malformed), "{count} {twice}");
                assert!(Object::parse(&text(names().take(count - 1).collect())).is_ok(), "{count}");
            }
        }
    }

    #[test]
    fn refuses_what_two_readers_could_understand_differently() {
        for text in [
            "",
            "null",
            "[]",
            "\"{}\"",
            "{",
            "{}{}",
            "{} x",
            r#"{"a":1,}"#,
            r#"{'a':1}"#,
            r#"{"a":NaN}"#,
            r#"{"a":01}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[[{"a":1,"b":0,"\u0061":2}]]}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"\ud800":1}"#,
            r#"{"x":{"\udc00":1}}"#,
            r#"{"x":["\ud800"]}"#,
            r#"{"x":[1e400]}"#,
            "{\"a\":\"\u{1}\"}",
            "\u{feff}{}",
        ] {
            assert_eq!(Object::parse(text).err(), Some(Malformed), "{text}");
        }
    }
}

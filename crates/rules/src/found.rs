//! What stands at the end of a path: a claim or a part of one, or what JavaScript finds in texts and lists beside their parts,
//! their `length` and single characters.
//!
//! Own properties alone. What JavaScript finds in prototypes (`at`, `constructor`) is there in every token and tells none
//! apart: here it is `undefined`.

use serde_json::Value;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found<'a> {
    /// A claim, or a part of one.
    Claim(&'a Value),
    /// A `length`, or one character of a text. Never a list or a long text.
    Made(Value),
    /// Half of a character above U+FFFF, which is two of JavaScript's and no text of ours: U+D800 to U+DFFF.
    Half(u16),
}

impl<'a> Found<'a> {
    /// The value, but for half a character.
    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Self::Claim(value) => Some(value),
            Self::Made(value) => Some(value),
            Self::Half(_) => None,
        }
    }

    /// The own property of this name.
    pub(crate) fn own(self, name: &str) -> Option<Self> {
        match self {
            Self::Claim(Value::Object(members)) => members.get(name).map(Self::Claim),
            Self::Claim(Value::Array(items)) => match name {
                LENGTH => Some(Self::Made(items.len().into())),
                _ => items.get(index(name)?).map(Self::Claim),
            },
            Self::Claim(Value::String(text)) => in_text(text, name),
            Self::Made(Value::String(text)) => in_text(&text, name),
            Self::Half(unit) => match name {
                LENGTH => Some(Self::Made(1.into())),
                _ => (index(name) == Some(0)).then_some(Self::Half(unit)),
            },
            Self::Claim(Value::Null | Value::Bool(_) | Value::Number(_)) | Self::Made(_) => None,
        }
    }
}

const LENGTH: &str = "length";

fn in_text<'a>(text: &str, name: &str) -> Option<Found<'a>> {
    if name == LENGTH {
        return Some(Found::Made(length(text).into()));
    }
    let place = index(name)?;
    let unit = if text.is_ascii() {
        text.as_bytes().get(place).copied().map(u16::from)
    } else {
        text.encode_utf16().nth(place)
    }?;
    Some(match char::from_u32(unit.into()) {
        Some(character) => Found::Made(character.to_string().into()),
        None => Found::Half(unit),
    })
}

/// The code units of UTF-16: one for each character, two above U+FFFF, whose first byte is 0xF0 or more. Counted so that a
/// long text costs little for each of many rules.
fn length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let characters = bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
    characters.saturating_add(bytes.iter().filter(|byte| **byte >= 0xF0).count())
}

/// An index as a property name: `0`, `12`, but not `01` or `+1`.
fn index(name: &str) -> Option<usize> {
    let canonical = name == "0" || !name.starts_with('0');
    (canonical && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| name.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_have_a_length_and_characters_as_javascript_counts_them() {
        for (text, length, characters) in [
            ("", 0, vec![None]),
            ("ab", 2, vec![Some(Found::Made(json!("a"))), Some(Found::Made(json!("b"))), None]),
            ("é\u{ffff}", 2, vec![Some(Found::Made(json!("é"))), Some(Found::Made(json!("\u{ffff}"))), None]),
            (
                "x😀",
                3,
                vec![
                    Some(Found::Made(json!("x"))),
                    Some(Found::Half(0xD83D)),
                    Some(Found::Half(0xDE00)),
                    None,
                ],
            ),
        ] {
            let value = json!(text);
            let own = |name: &str| Found::Claim(&value).own(name);
            assert_eq!(own("length"), Some(Found::Made(json!(length))), "{text}");
            for (place, character) in characters.iter().enumerate() {
                assert_eq!(&own(&place.to_string()), character, "{text} {place}");
            }
            for name in ["", "-1", "00", "+0", "1.0", "99999999999999999999999", "at", "__proto__", "Length"]
            {
                assert_eq!(own(name), None, "{text} {name}");
            }
        }
        let half = Found::Half(0xD83D);
        assert_eq!(half.clone().own("length"), Some(Found::Made(json!(1))));
        assert_eq!((half.clone().own("0"), half.own("1")), (Some(Found::Half(0xD83D)), None));
        assert_eq!(Found::Made(json!("é")).own("0"), Some(Found::Made(json!("é"))));
        assert_eq!(Found::Made(json!(5)).own("0"), None);
    }
}

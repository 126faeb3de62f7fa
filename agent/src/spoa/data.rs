//! The pieces of a NOTIFY, read where they lie: one comes with each request, so that its texts are not copied.
//!
//! ```text
//! STRING     : <LENGTH:varint> <BYTES>
//! TYPED-DATA : <TYPE:4 bits><FLAGS:4 bits> <DATA>
//! ```
//!
//! Both functions give what they read and what is behind it, nothing where the bytes end too early. Texts apart, the
//! `spop` crate reads them.

use std::borrow::Cow;

use spop::types::typed_data;
use spop::{TypedData, decode_varint};

/// The type of a text (SPOE.txt section 3.1).
const STRING: u8 = 8;

/// TYPED-DATA. It has no `Debug`: it may be a token.
pub enum Value<'a> {
    /// STRING. What is not UTF-8 in it has become replacement characters.
    Text(Cow<'a, str>),
    /// Any other.
    Other(TypedData),
}

/// STRING, as the name of a message or argument.
pub fn string(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, len) = decode_varint(input).ok()?;
    rest.split_at_checked(usize::try_from(len).ok()?)
}

/// TYPED-DATA, as the value of an argument.
pub fn value(input: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (kind, data) = input.split_first()?;
    if kind & 0x0f == STRING {
        let (text, rest) = string(data)?;
        // Whole texts are told faster than lossy ones.
        let text = str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed);
        return Some((Value::Text(text), rest));
    }
    let (rest, other) = typed_data(input).ok()?;
    Some((Value::Other(other), rest))
}

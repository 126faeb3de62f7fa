//! The messages of a NOTIFY, read where they lie: one comes with each request, so that its texts are not copied.
//!
//! ```text
//! LIST-OF-MESSAGES : [ <MESSAGE-NAME:STRING> <NB-ARGS:1 byte> <KV-LIST> ... ]
//! KV-LIST          : [ <KV-NAME:STRING> <KV-VALUE:TYPED-DATA> ... ]
//! STRING           : <LENGTH:varint> <BYTES>
//! TYPED-DATA       : <TYPE:4 bits><FLAGS:4 bits> <DATA>
//! ```
//!
//! What a message or an argument means is not known here: whatever answers makes its own of them ([`FromMessages`]).
//! Texts apart, the `spop` crate reads values.

use std::borrow::Cow;

use spop::types::typed_data;
use spop::{TypedData, decode_varint};

/// The type of a text (SPOE.txt section 3.1).
const STRING: u8 = 8;

/// Made of the messages of a NOTIFY.
pub trait FromMessages<'a> {
    /// Takes what it knows of `messages`. It need not take all, nor look for their end: a list that is malformed anywhere
    /// ends the connection, and what was made of it is dropped.
    fn from_messages(messages: &mut Messages<'a>) -> Self;
}

/// Nothing is read.
impl FromMessages<'_> for () {
    fn from_messages(_: &mut Messages<'_>) {}
}

/// A list of messages, piece by piece. It ends early where it is malformed.
pub struct Messages<'a> {
    rest: &'a [u8],
    /// Arguments of the last message that are to come.
    arguments: u8,
    is_malformed: bool,
}

/// What comes next in a list of messages. It has no `Debug`: it may be a token.
pub enum Piece<'a> {
    /// The name of a message, whose arguments follow.
    Message(&'a [u8]),
    /// An argument of the last message.
    Argument(&'a [u8], Value<'a>),
}

/// TYPED-DATA. It has no `Debug`: it may be a token.
pub enum Value<'a> {
    /// STRING. What is not UTF-8 in it has become replacement characters.
    Text(Cow<'a, str>),
    /// Any other.
    Other(TypedData),
}

/// Reads a list of messages; nothing, where these bytes are none.
pub fn read<'a, R: FromMessages<'a>>(list: &'a [u8]) -> Option<R> {
    let mut messages = Messages { rest: list, arguments: 0, is_malformed: false };
    let read = R::from_messages(&mut messages);
    messages.by_ref().for_each(drop);
    (!messages.is_malformed).then_some(read)
}

impl<'a> Iterator for Messages<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.is_malformed || (self.rest.is_empty() && self.arguments == 0) {
            return None;
        }
        let piece = self.piece();
        self.is_malformed = piece.is_none();
        piece
    }
}

impl<'a> Messages<'a> {
    fn piece(&mut self) -> Option<Piece<'a>> {
        let (name, rest) = string(self.rest)?;
        if let Some(left) = self.arguments.checked_sub(1) {
            let (value, rest) = value(rest)?;
            (self.rest, self.arguments) = (rest, left);
            return Some(Piece::Argument(name, value));
        }
        let (&count, rest) = rest.split_first()?;
        (self.rest, self.arguments) = (rest, count);
        Some(Piece::Message(name))
    }
}

/// STRING, and what is behind it; nothing where the bytes end too early.
pub(super) fn string(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, len) = decode_varint(input).ok()?;
    rest.split_at_checked(usize::try_from(len).ok()?)
}

/// TYPED-DATA, and what is behind it; nothing where the bytes end too early, or are of no type.
fn value(input: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (kind, data) = input.split_first()?;
    if kind & 0x0f == STRING {
        let (text, rest) = string(data)?;
        // Whole texts are read faster than lossy ones.
        let text = str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed);
        return Some((Value::Text(text), rest));
    }
    let (rest, other) = typed_data(input).ok()?;
    Some((Value::Other(other), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of what was read: messages, and their arguments in brackets.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Names(String);

    impl FromMessages<'_> for Names {
        fn from_messages(messages: &mut Messages<'_>) -> Self {
            let text = |name| String::from_utf8_lossy(name).into_owned();
            Self(
                messages
                    .map(|piece| match piece {
                        Piece::Message(name) => text(name),
                        Piece::Argument(name, Value::Text(value)) => format!("({}={value})", text(name)),
                        Piece::Argument(name, Value::Other(value)) => format!("({}={value:?})", text(name)),
                    })
                    .collect(),
            )
        }
    }

    const LIST: &[u8] = b"\x01a\x02\x01x\x08\x01v\x01y\x00\x01b\x00\x01c\x01\x00\x08\x01\xff";

    #[test]
    fn messages_and_their_arguments_come_in_their_order() {
        assert_eq!(read(LIST), Some(Names("a(x=v)(y=Null)bc(=\u{fffd})".to_owned())));
        assert_eq!(read(b""), Some(Names::default()));
    }

    #[test]
    fn a_list_that_is_cut_anywhere_but_between_messages_is_none() {
        for end in 1..LIST.len() {
            let is_whole = [11, 14].contains(&end);
            assert_eq!(read::<Names>(&LIST[..end]).is_some(), is_whole, "cut at {end}");
        }
    }

    #[test]
    fn a_malformed_list_is_none_though_nothing_in_it_is_looked_at() {
        assert_eq!(read::<()>(LIST), Some(()));
        for malformed in [&LIST[..LIST.len() - 1], b"\x01a", b"\x01a\x01\x01x\x0f", b"\x05a\x00"] {
            assert_eq!(read::<()>(malformed), None, "{malformed:?}");
        }
    }
}

//! White space and nesting: what can be told of a JSON text without understanding it.

use std::borrow::Cow;

use super::Malformed;
use crate::limits::MAX_JSON_DEPTH;

/// The text without white space between its tokens, otherwise byte for byte; borrowed when there is none.
///
/// Nesting is bounded here, before anything recurses. Text that is not JSON comes out as something that is not JSON,
/// or is refused: without its white space `1 2` would be another number.
pub(crate) fn compact(text: &str) -> Result<Cow<'_, str>, Malformed> {
    let bytes = text.as_bytes();
    let mut compact = String::new();
    // Where the piece begins that was not copied yet.
    let mut piece = 0;
    let mut depth = 0_usize;
    let mut before = Before::Other;

    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        let mut end = position + 1;
        before = match (byte, before) {
            (b' ' | b'\t' | b'\n' | b'\r', before) => {
                compact.push_str(text.get(piece..position).ok_or(Malformed)?);
                piece = end;
                if before == Before::Scalar { Before::SpacedScalar } else { before }
            }
            (b'"', _) => {
                end = end_of_string(bytes, end);
                Before::Other
            }
            (b'{' | b'[', _) => {
                depth += 1;
                if depth > MAX_JSON_DEPTH {
                    return Err(Malformed);
                }
                Before::Other
            }
            (b'}' | b']', _) => {
                depth = depth.saturating_sub(1);
                Before::Other
            }
            (b':' | b',', _) => Before::Other,
            (_, Before::SpacedScalar) => return Err(Malformed),
            (_, Before::Scalar | Before::Other) => Before::Scalar,
        };
        position = end;
    }
    if piece == 0 {
        return Ok(Cow::Borrowed(text));
    }
    compact.push_str(text.get(piece..).ok_or(Malformed)?);
    Ok(Cow::Owned(compact))
}

/// What stands before the next byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A byte of a number or a literal.
    Scalar,
    /// The same, then white space (RFC 8259 section 2).
    SpacedScalar,
    /// Neither.
    Other,
}

/// Behind the quotation mark that ends the string, or behind the text.
fn end_of_string(bytes: &[u8], begin: usize) -> usize {
    let mut position = begin;
    while let Some(byte) = bytes.get(position) {
        match byte {
            b'"' => return position + 1,
            b'\\' => position += 2,
            _ => position += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_white_space_between_tokens_and_nothing_else() {
        for (text, expected) in [
            (r#"{"a":1}"#, r#"{"a":1}"#),
            ("{ \"a\" :\t[ 1 ,\r\n2 ] }", r#"{"a":[1,2]}"#),
            (r#"{ "a b" : " c\" d \\" , "e" : "ü \u00fc" }"#, r#"{"a b":" c\" d \\","e":"ü \u00fc"}"#),
            (r#" {"n":1.50e+1, "z":-0} "#, r#"{"n":1.50e+1,"z":-0}"#),
        ] {
            assert_eq!(compact(text).unwrap(), expected);
        }
        assert!(matches!(compact(r#"{"a":" "}"#), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn never_joins_two_tokens_to_another_one() {
        for text in
            ["1 2", "[1 2]", r#"{"a":- 1}"#, "{\"a\":1\n.5}", r#"{"a":tr ue}"#, "{\"a\":1\r\n0}", "n\tull"]
        {
            assert_eq!(compact(text).map_err(|_| Malformed), Err(Malformed), "{text}");
        }
        for (text, expected) in
            [("[ 1 , 2 ]", "[1,2]"), ("[1 ,true ,\"1 2\" ]", r#"[1,true,"1 2"]"#), (" 1 ", "1")]
        {
            assert_eq!(compact(text).unwrap(), expected);
        }
    }

    #[test]
    fn bounds_the_nesting_of_objects_and_arrays_outside_strings() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(compact(&nested(MAX_JSON_DEPTH)).is_ok());
        assert_eq!(compact(&nested(MAX_JSON_DEPTH + 1)), Err(Malformed));
        assert!(compact(&format!("\"{}\"", "[".repeat(1000))).is_ok());
        assert!(compact(&"[],".repeat(1000)).is_ok());
    }
}

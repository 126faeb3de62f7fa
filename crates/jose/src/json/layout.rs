//! White space and nesting: what can be told of a JSON text without understanding it.

use std::borrow::Cow;

use super::Malformed;
use crate::limits::MAX_JSON_DEPTH;

/// The text without white space between its tokens, otherwise byte for byte; borrowed when there is none.
///
/// Nesting is bounded here, before anything recurses. Text that is not JSON comes out as something that is not JSON,
/// or is refused: without its white space `1 2` would be another number.
pub(crate) fn compact(text: &str) -> Result<Cow<'_, str>, Malformed> {
    let mut scanner = Scanner::default();
    let mut spaces = 0;
    for byte in text.bytes() {
        if scanner.is_space(byte)? {
            spaces += 1;
        }
    }
    if spaces == 0 {
        return Ok(Cow::Borrowed(text));
    }

    let mut scanner = Scanner::default();
    let mut compact = Vec::with_capacity(text.len() - spaces);
    for byte in text.bytes() {
        if !scanner.is_space(byte)? {
            compact.push(byte);
        }
    }
    // Only whole ASCII characters were left out, so this is UTF-8 as before.
    String::from_utf8(compact).map(Cow::Owned).map_err(|_| Malformed)
}

/// Where in a JSON text the reader stands.
#[derive(Default)]
struct Scanner {
    in_string: bool,
    escaped: bool,
    depth: usize,
    /// Whether the last byte that was no white space belongs to a number or a literal.
    in_scalar: bool,
    spaced: bool,
}

impl Scanner {
    /// Takes the next byte and tells whether it is white space between tokens (RFC 8259 section 2).
    fn is_space(&mut self, byte: u8) -> Result<bool, Malformed> {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return Ok(false);
        }
        let mut is_scalar = false;
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => {
                self.depth += 1;
                if self.depth > MAX_JSON_DEPTH {
                    return Err(Malformed);
                }
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b':' | b',' => {}
            b' ' | b'\t' | b'\n' | b'\r' => {
                self.spaced = true;
                return Ok(true);
            }
            _ => is_scalar = true,
        }
        if is_scalar && self.in_scalar && self.spaced {
            return Err(Malformed);
        }
        self.in_scalar = is_scalar;
        self.spaced = false;
        Ok(false)
    }
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

//! What ECMAScript says about JSON values: `===`, `<`, `Number(x)` and `String(x)` (ECMA-262 sections 7.1.4, 7.1.17, 7.2.13, 7.2.15).
//!
//! Only JSON values and `undefined` exist here; an object's own `toString` or `valueOf` does not.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// The right side of a comparison: what a rule may be written with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number: JavaScript has but one kind.
    Number(f64),
    /// A string.
    Text(Box<str>),
}

/// The same, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Right<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'a str),
}

impl Operand {
    pub(crate) fn as_right(&self) -> Right<'_> {
        match self {
            Self::Null => Right::Null,
            Self::Bool(flag) => Right::Bool(*flag),
            Self::Number(number) => Right::Number(*number),
            Self::Text(text) => Right::Text(text),
        }
    }
}

/// `String(object)`, for every object that JSON can write.
pub(crate) const OBJECT: &str = "[object Object]";

/// `left === right`, where `None` is `undefined`. Objects and lists are equal to nothing but themselves.
pub(crate) fn strict_equals(left: Option<&Value>, right: Right<'_>) -> bool {
    match (left, right) {
        (Some(Value::Null), Right::Null) => true,
        (Some(Value::Bool(left)), Right::Bool(right)) => *left == right,
        (Some(Value::Number(left)), Right::Number(right)) => to_f64(left) == right,
        (Some(Value::String(left)), Right::Text(right)) => left == right,
        _ => false,
    }
}

/// The value as JavaScript's only number type has it.
pub(crate) fn to_f64(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

/// `String(number)`: the shortest digits that read back as the same number (ECMA-262 section 6.1.6.1.20).
pub(crate) fn number_to_string(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match exponent {
        // Rust writes plain decimals with the same shortest digits.
        -7..=20 if exponent > -7 => format!("{number}"),
        0.. => format!("{mantissa}e+{exponent}"),
        _ => format!("{mantissa}e{exponent}"),
    }
}

/// `String(operand)`.
pub(crate) fn operand_to_string(operand: &Operand) -> String {
    match operand {
        Operand::Null => "null".to_owned(),
        Operand::Bool(flag) => flag.to_string(),
        Operand::Number(number) => number_to_string(*number),
        Operand::Text(text) => text.to_string(),
    }
}

/// `Number(operand)`.
pub(crate) fn right_to_number(right: Right<'_>) -> f64 {
    match right {
        Right::Null => 0.0,
        Right::Bool(flag) => f64::from(u8::from(flag)),
        Right::Number(number) => number,
        Right::Text(text) => string_to_number(text),
    }
}

/// `String(list)`: the elements joined by commas, `null` as nothing.
pub(crate) fn list_to_string(items: &[Value]) -> String {
    let mut text = String::new();
    write_list(items, &mut text);
    text
}

/// Recursion is bounded by the JSON parser's own nesting limit.
fn write_list(items: &[Value], out: &mut String) {
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        match item {
            Value::Null => {}
            Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Value::Number(number) => out.push_str(&number_to_string(to_f64(number))),
            Value::String(text) => out.push_str(text),
            Value::Array(items) => write_list(items, out),
            Value::Object(_) => out.push_str(OBJECT),
        }
    }
}

/// `Number(text)` (ECMA-262 section 7.1.4.1.1).
pub(crate) fn string_to_number(text: &str) -> f64 {
    let text = text.trim_matches(is_white_space);
    if text.is_empty() {
        return 0.0;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "Infinity" {
        return if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return digits_to_number(digits, radix);
        }
    }
    // Rust also reads `inf`, `nan` and such, JavaScript does not; on these characters alone the two agree.
    if unsigned.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        text.parse().unwrap_or(f64::NAN)
    } else {
        f64::NAN
    }
}

/// Exact up to 2^53 and within one rounding step above it.
fn digits_to_number(digits: &str, radix: u32) -> f64 {
    if digits.is_empty() {
        return f64::NAN;
    }
    digits
        .chars()
        .map(|digit| digit.to_digit(radix))
        .try_fold(0.0, |sum, digit| Some(sum * f64::from(radix) + f64::from(digit?)))
        .unwrap_or(f64::NAN)
}

/// ECMA-262's WhiteSpace and LineTerminator: Unicode's without U+0085, with U+FEFF.
fn is_white_space(character: char) -> bool {
    (character.is_whitespace() && character != '\u{85}') || character == '\u{feff}'
}

/// JavaScript compares UTF-16 code units; above U+FFFF that is not the order of code points.
pub(crate) fn compare_code_units(left: &str, right: &str) -> Ordering {
    left.encode_utf16().cmp(right.encode_utf16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_javascript_prints_them() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (5.0, "5"),
            (-1.5, "-1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.25e21, "1.25e+21"),
            (0.000001, "0.000001"),
            (1.5e-7, "1.5e-7"),
            (123_456_789_012_345_680.0, "123456789012345680"),
            (f64::MAX, "1.7976931348623157e+308"),
        ] {
            assert_eq!(number_to_string(number), text);
        }
    }

    #[test]
    fn strings_that_only_rust_takes_for_numbers_are_not_numbers() {
        for text in ["inf", "nan", "infinity", "1_0", "0x", "-0x10", "1e", ".", "+", "--1", "5\u{85}", "0b2"]
        {
            assert!(string_to_number(text).is_nan(), "{text}");
        }
    }
}

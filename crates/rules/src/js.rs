//! What ECMAScript says about JSON values: `===`, `<`, `Number(x)` and `String(x)` (ECMA-262 sections 7.1.4, 7.1.17, 7.2.13, 7.2.15).
//!
//! Only JSON values and `undefined` exist here; an object's own `toString` or `valueOf` does not.

use std::borrow::Cow;
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

/// A value once it is neither object nor list.
enum Primitive<'a> {
    Number(f64),
    Text(Cow<'a, str>),
}

/// `left === right`, where `None` is `undefined`. Objects and lists are equal to nothing but themselves.
pub(crate) fn strict_equals(left: Option<&Value>, right: &Operand) -> bool {
    match (left, right) {
        (Some(Value::Null), Operand::Null) => true,
        (Some(Value::Bool(left)), Operand::Bool(right)) => left == right,
        (Some(Value::Number(left)), Operand::Number(right)) => to_f64(left) == *right,
        (Some(Value::String(left)), Operand::Text(right)) => **left == **right,
        _ => false,
    }
}

/// How `left` and `right` compare under `<` and `>`; `None` when every such comparison is false.
pub(crate) fn order(left: Option<&Value>, right: &Operand) -> Option<Ordering> {
    match (to_primitive(left), operand_to_primitive(right)) {
        (Primitive::Text(left), Primitive::Text(right)) => Some(compare_code_units(&left, &right)),
        (left, right) => primitive_to_number(&left).partial_cmp(&primitive_to_number(&right)),
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

fn to_primitive(value: Option<&Value>) -> Primitive<'_> {
    match value {
        None => Primitive::Number(f64::NAN),
        Some(Value::Null) => Primitive::Number(0.0),
        Some(Value::Bool(flag)) => Primitive::Number(f64::from(u8::from(*flag))),
        Some(Value::Number(number)) => Primitive::Number(to_f64(number)),
        Some(Value::String(text)) => Primitive::Text(Cow::Borrowed(text)),
        Some(compound @ (Value::Array(_) | Value::Object(_))) => {
            Primitive::Text(Cow::Owned(element_to_string(compound)))
        }
    }
}

fn operand_to_primitive(operand: &Operand) -> Primitive<'_> {
    match operand {
        Operand::Null => Primitive::Number(0.0),
        Operand::Bool(flag) => Primitive::Number(f64::from(u8::from(*flag))),
        Operand::Number(number) => Primitive::Number(*number),
        Operand::Text(text) => Primitive::Text(Cow::Borrowed(text)),
    }
}

fn primitive_to_number(primitive: &Primitive<'_>) -> f64 {
    match primitive {
        Primitive::Number(number) => *number,
        Primitive::Text(text) => string_to_number(text),
    }
}

/// How an element of a list reads in `String(list)`: the elements joined by commas, `null` as nothing.
///
/// Recursion is bounded by the JSON parser's own nesting limit.
fn element_to_string(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number_to_string(to_f64(number)),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(element_to_string).collect::<Vec<_>>().join(","),
        Value::Object(_) => "[object Object]".to_owned(),
    }
}

/// `Number(text)` (ECMA-262 section 7.1.4.1.1).
fn string_to_number(text: &str) -> f64 {
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
fn compare_code_units(left: &str, right: &str) -> Ordering {
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

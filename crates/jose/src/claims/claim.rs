//! One claim's value.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::decimal::Decimal;
use crate::json::string;

/// A value, typed as far as variables and comparisons need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits 64 bits, written without fraction or exponent.
    Int(i64),
    /// Any other number, as it was written.
    Number(&'a str),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// An object or array as compact JSON.
    Json(&'a str),
}

impl<'a> Claim<'a> {
    /// Types one value of a text that was parsed before.
    pub(crate) fn read(raw: &'a str) -> Option<Self> {
        Some(match raw.as_bytes().first()? {
            b'n' => Self::Null,
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'"' => Self::String(string(raw)?),
            b'{' | b'[' => Self::Json(raw),
            _ => raw.parse().map_or(Self::Number(raw), Self::Int),
        })
    }

    /// Whether it is a number of this value, however it is written: 7, 7.0 and 7e0 are one, 12345678901234567 and its
    /// neighbours are not.
    pub fn is_number(&self, value: i64) -> bool {
        match self {
            Self::Int(number) => *number == value,
            Self::Number(literal) => Decimal::parse(literal)
                .is_some_and(|number| Some(number) == Decimal::parse(&value.to_string())),
            Self::Null | Self::Bool(_) | Self::String(_) | Self::Json(_) => false,
        }
    }

    /// The elements of an array; `None` for anything else.
    pub(crate) fn elements(&self) -> Option<Vec<Claim<'a>>> {
        let Self::Json(json) = *self else {
            return None;
        };
        let elements: Vec<&'a RawValue> = serde_json::from_str(json).ok()?;
        elements.into_iter().map(|element| Claim::read(element.get())).collect()
    }

    /// Whether JavaScript takes the value for true: all but `null`, `false`, zero and the empty string.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Number(literal) => literal.parse::<f64>().is_ok_and(|value| value != 0.0),
            Self::String(value) => !value.is_empty(),
            Self::Json(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_compared_by_its_value_with_every_digit() {
        for (raw, value, expected) in [
            ("7", 7, true),
            ("7.0", 7, true),
            ("7e0", 7, true),
            ("0.7E+1", 7, true),
            ("70e-1", 7, true),
            ("-0.0", 0, true),
            ("0e99999999999999999999", 0, true),
            ("7.5", 7, false),
            ("-7.0", 7, false),
            ("7.00000000000000000001", 7, false),
            ("12345678901234567", 12_345_678_901_234_567, true),
            ("12345678901234567.0", 12_345_678_901_234_567, true),
            ("12345678901234568", 12_345_678_901_234_567, false),
            ("12345678901234568.0", 12_345_678_901_234_567, false),
            ("9223372036854775807.0", i64::MAX, true),
            ("9223372036854775808", i64::MAX, false),
            ("-9223372036854775808.0", i64::MIN, true),
            ("1e99999999999999999999", 1, false),
            (r#""7""#, 7, false),
            ("true", 1, false),
            ("null", 0, false),
            ("[7]", 7, false),
        ] {
            assert_eq!(Claim::read(raw).unwrap().is_number(value), expected, "{raw} {value}");
        }
    }

    #[test]
    fn truth_is_what_javascript_makes_of_it() {
        for (raw, truthy) in [
            ("null", false),
            ("false", false),
            ("true", true),
            ("0", false),
            ("-0", false),
            ("0.0", false),
            ("-0e5", false),
            ("1e-400", false),
            ("1", true),
            ("-1", true),
            ("0.5", true),
            ("1e400", true),
            ("18446744073709551616", true),
            (r#""""#, false),
            (r#""0""#, true),
            (r#""false""#, true),
            (r#""\u0000""#, true),
            ("[]", true),
            ("{}", true),
        ] {
            assert_eq!(Claim::read(raw).unwrap().is_truthy(), truthy, "{raw}");
        }
    }
}

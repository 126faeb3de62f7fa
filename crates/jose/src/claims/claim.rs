//! One claim's value.

use std::borrow::Cow;

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
    pub(super) fn read(raw: &'a str) -> Option<Self> {
        Some(match raw.as_bytes().first()? {
            b'n' => Self::Null,
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'"' => Self::String(string(raw)?),
            b'{' | b'[' => Self::Json(raw),
            _ => raw.parse().map_or(Self::Number(raw), Self::Int),
        })
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

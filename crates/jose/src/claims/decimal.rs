//! Numbers by their value, with every digit: JSON writes one number in many ways (RFC 8259 section 6), and a double
//! holds two neighbours above 2^53 as one.

use std::fmt;

/// Integers of up to so many digits are written without an exponent: as most issuers write them, and longer than any
/// name of a group of rules.
const MAX_PLAIN_DIGITS: usize = 512;

/// Zeros behind the decimal point of a fraction that is written without an exponent, as JavaScript has it.
const MAX_LEADING_ZEROS: usize = 5;

/// `0.DIGITS` times ten to the power of `point`, negative or not. Equal values are equal here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    /// Without a zero at either end; empty for zero.
    digits: String,
    point: i64,
}

impl Decimal {
    /// Reads a number of a text that was parsed before; `None` for an exponent beyond 64 bits.
    pub(super) fn parse(literal: &str) -> Option<Self> {
        let (negative, rest) =
            literal.strip_prefix('-').map_or((false, literal), |positive| (true, positive));
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        let significant = all.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Self { negative: false, digits: String::new(), point: 0 });
        }
        let leading_zeros = i64::try_from(all.len().checked_sub(significant.len())?).ok()?;
        let point = exponent.parse::<i64>().ok()?.checked_add(i64::try_from(whole.len()).ok()?)?;
        let point = point.checked_sub(leading_zeros)?;
        // What is written with an exponent writes this one.
        point.checked_sub(1)?;
        Some(Self { negative, digits: significant.trim_end_matches('0').to_owned(), point })
    }
}

/// The one text of the value: as JavaScript prints it (ECMA-262 section 6.1.6.1.20), but no digit is rounded away, and
/// integers are plain for longer.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let (digits, len) = (self.digits.as_str(), self.digits.len());
        match usize::try_from(self.point) {
            Ok(point) if (len..=MAX_PLAIN_DIGITS).contains(&point) => {
                write!(f, "{digits:0<point$}")
            }
            Ok(point)
                if point > 0
                    && let Some((whole, fraction)) = digits.split_at_checked(point) =>
            {
                write!(f, "{whole}.{fraction}")
            }
            _ => {
                let zeros = self.point.checked_neg().and_then(|zeros| usize::try_from(zeros).ok());
                if let Some(zeros) = zeros.filter(|zeros| *zeros <= MAX_LEADING_ZEROS) {
                    return write!(f, "0.{:0<zeros$}{digits}", "");
                }
                let exponent = self.point.saturating_sub(1);
                match digits.split_at_checked(1) {
                    Some((first, rest)) if !rest.is_empty() => write!(f, "{first}.{rest}e{exponent:+}"),
                    Some(_) | None => write!(f, "{digits}e{exponent:+}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_text_and_no_digit_is_lost() {
        let long = "7".repeat(40);
        let thousand = "1".repeat(1000);
        for (literals, text) in [
            (&["42", "42.0", "42.000", "4.2e1", "4.2E+1", "420e-1", "0.42e2", "42e0"][..], "42"),
            (&["0", "-0", "0.0", "-0.0e9", "0e99999999999999999999"], "0"),
            (&["-7", "-7.0", "-70e-1"], "-7"),
            (&["1.50", "15e-1"], "1.5"),
            (&["12345678901234567"], "12345678901234567"),
            (&["12345678901234568"], "12345678901234568"),
            (&["1e21"], "1000000000000000000000"),
            (&[long.as_str()], &long),
            (&["1e600", "10e599"], "1e+600"),
            (&["1.25e600"], "1.25e+600"),
            (&["0.000001", "1e-6"], "0.000001"),
            (&["1e-7", "0.0000001"], "1e-7"),
            (&["12.5e-9"], "1.25e-8"),
            (&["-1.2e-3"], "-0.0012"),
        ] {
            for literal in literals {
                assert_eq!(Decimal::parse(literal).unwrap().to_string(), text, "{literal}");
                assert_eq!(Decimal::parse(literal), Decimal::parse(text), "{literal}");
            }
        }
        assert!(Decimal::parse(&thousand).unwrap().to_string().len() > 1000);
        assert_ne!(Decimal::parse("12345678901234567"), Decimal::parse("12345678901234568"));
        assert_ne!(Decimal::parse("1"), Decimal::parse("-1"));
    }

    #[test]
    fn an_exponent_costs_no_memory_and_never_overflows() {
        assert_eq!(Decimal::parse("1e9223372036854775806").unwrap().to_string(), "1e+9223372036854775806");
        assert_eq!(Decimal::parse("1e-9223372036854775808").unwrap().to_string(), "1e-9223372036854775808");
        for literal in [
            "1e9223372036854775807",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0.1e-9223372036854775808",
        ] {
            assert_eq!(Decimal::parse(literal), None, "{literal}");
        }
    }
}

//! Lengths of time as people write them: `90s`, `15m`, `12h`, `30d`.

use std::str::FromStr;

/// A length of time in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) i64);

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a number and a unit: 90s, 15m, 12h, 30d";
        let unit = match text.chars().next_back() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 60 * 60,
            Some('d') => 24 * 60 * 60,
            Some(_) | None => return Err(EXPECTED),
        };
        let number: i64 = text
            .get(..text.len().saturating_sub(1))
            .and_then(|number| number.parse().ok())
            .ok_or(EXPECTED)?;
        number.checked_mul(unit).filter(|seconds| *seconds > 0).map(Self).ok_or(EXPECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_a_unit() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("12h", Some(43_200)),
            ("30d", Some(2_592_000)),
            ("90", None),
            ("0s", None),
            ("-1s", None),
            ("s", None),
            ("", None),
            ("1é", None),
            ("9223372036854775807d", None),
        ] {
            assert_eq!(text.parse::<Seconds>().ok().map(|length| length.0), seconds, "{text}");
        }
    }
}

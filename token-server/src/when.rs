//! Times as people write them, for the command line and for the API: ISO 8601 (RFC 3339), relative to now, or unix seconds.
//! Whatever can be read in two ways is refused.

use jose::UnixTime;
use time::format_description::well_known::Iso8601;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

/// A number from here on was meant in milliseconds; in seconds it is the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Unix seconds have ten digits since 2001. A smaller number is a date without its lines, a length of time, or a mistake.
const SECONDS_FROM: i64 = 1_000_000_000;

/// `2026-11-27`
const DATE_LENGTH: usize = 10;

/// Why a text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhenError {
    /// Not one of the forms.
    #[error(
        "is no time that can be read; write now, 4h ago, in 30d, 2026-11-27, 2026-11-27T10:00:00Z or unix seconds"
    )]
    Form,
    /// A time of day somewhere on earth.
    #[error("says no zone; write 2026-11-27T10:00:00Z, or an offset: 2026-11-27T10:00:00+01:00")]
    NoZone,
    /// Has the form, and is in no calendar.
    #[error("is no day and time that there is")]
    NoSuchDay,
    /// A number, too large for seconds.
    #[error("looks like milliseconds; write unix seconds, or 2026-11-27T10:00:00Z")]
    Milliseconds,
    /// A number that may be a date or a length of time.
    #[error(
        "is a number that may mean several things; unix seconds have ten digits, a date is written 2026-11-27"
    )]
    Number,
    /// Months and years differ in length.
    #[error("counts in months or years, which differ in length; write days, such as 30d")]
    Months,
    /// Beyond what can be counted.
    #[error("is too far away")]
    TooFar,
}

/// Where a length of time without a direction, such as `30m`, leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Toward {
    Past,
    Future,
}

/// A time that is usually past: `4h` is `4h ago`.
///
/// # Errors
/// See [`WhenError`].
pub fn parse_past(text: &str, now: UnixTime) -> Result<UnixTime, WhenError> {
    parse(text, now, Toward::Past)
}

/// A time that is usually to come: `30d` is `in 30d`.
///
/// # Errors
/// See [`WhenError`].
pub fn parse_future(text: &str, now: UnixTime) -> Result<UnixTime, WhenError> {
    parse(text, now, Toward::Future)
}

fn parse(text: &str, now: UnixTime, usual: Toward) -> Result<UnixTime, WhenError> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("now") {
        return Ok(now);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return unix_seconds(text);
    }
    if is_dated(text) {
        return iso_8601(text);
    }
    let (length, toward) = match (text.strip_prefix("in "), text.strip_suffix(" ago")) {
        (Some(_), Some(_)) => return Err(WhenError::Form),
        (Some(length), None) => (length, Toward::Future),
        (None, Some(length)) => (length, Toward::Past),
        (None, None) => (text, usual),
    };
    let millis = milliseconds(length)?;
    let at = match toward {
        Toward::Past => now.as_millis().checked_sub(millis),
        Toward::Future => now.as_millis().checked_add(millis),
    };
    at.map(UnixTime::from_millis).ok_or(WhenError::TooFar)
}

fn unix_seconds(text: &str) -> Result<UnixTime, WhenError> {
    match text.parse::<i64>() {
        Ok(seconds) if seconds < SECONDS_FROM => Err(WhenError::Number),
        Ok(seconds) if seconds < MILLISECONDS_FROM => Ok(UnixTime::from_secs(seconds)),
        Ok(_) | Err(_) => Err(WhenError::Milliseconds),
    }
}

/// Whether it begins as a date does, `dddd-dd-dd`: other orders of day and month can be confused.
fn is_dated(text: &str) -> bool {
    let date = text.as_bytes().get(..DATE_LENGTH).unwrap_or_default();
    date.len() == DATE_LENGTH
        && date.iter().enumerate().all(|(place, byte)| match place {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn iso_8601(text: &str) -> Result<UnixTime, WhenError> {
    // RFC 3339 section 5.6: the letters may be small, and a space may stand between date and time.
    let mut text = text.to_ascii_uppercase();
    if text.len() == DATE_LENGTH {
        let date = Date::parse(&text, format_description!("[year]-[month]-[day]"));
        let date = date.map_err(|_| WhenError::NoSuchDay)?;
        return Ok(of_calendar(date.with_time(Time::MIDNIGHT).assume_utc()));
    }
    if text.as_bytes().get(DATE_LENGTH) == Some(&b' ') {
        text.replace_range(DATE_LENGTH..=DATE_LENGTH, "T");
    }
    if text.as_bytes().get(DATE_LENGTH) != Some(&b'T') {
        return Err(WhenError::Form);
    }
    match OffsetDateTime::parse(&text, &Iso8601::PARSING) {
        Ok(at) => Ok(of_calendar(at)),
        Err(_) if PrimitiveDateTime::parse(&text, &Iso8601::PARSING).is_ok() => Err(WhenError::NoZone),
        Err(_) => Err(WhenError::NoSuchDay),
    }
}

fn of_calendar(at: OffsetDateTime) -> UnixTime {
    let millis = at.unix_timestamp_nanos().div_euclid(1_000_000);
    // A calendar of four-digit years fits.
    UnixTime::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// A length of time: numbers, each with its unit: `90s`, `4h`, `1d 12h`, `4 min`.
fn milliseconds(text: &str) -> Result<i64, WhenError> {
    let mut rest = text.trim();
    let mut sum: i64 = 0;
    if rest.is_empty() {
        return Err(WhenError::Form);
    }
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |letter| !letter.is_ascii_digit());
        let (unit, after) = split_where(after.trim_start(), |letter| !letter.is_ascii_alphabetic());
        let seconds = match unit {
            _ if number.is_empty() => return Err(WhenError::Form),
            "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 60 * 60,
            "d" | "day" | "days" => 24 * 60 * 60,
            "w" | "week" | "weeks" => 7 * 24 * 60 * 60,
            "M" | "mo" | "month" | "months" | "y" | "year" | "years" => return Err(WhenError::Months),
            _ => return Err(WhenError::Form),
        };
        let number: i64 = number.parse().map_err(|_| WhenError::TooFar)?;
        let millis = number.checked_mul(seconds).and_then(|seconds| seconds.checked_mul(1000));
        sum = millis.and_then(|millis| sum.checked_add(millis)).ok_or(WhenError::TooFar)?;
        rest = after.trim_start();
    }
    Ok(sum)
}

fn split_where(text: &str, is_end: fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

/// `2026-11-27T23:06:50Z`, rounded down; what no calendar of four-digit years has, in unix seconds.
pub fn iso(at: UnixTime) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let calendar = calendar(at).and_then(|at| at.format(form).ok());
    calendar.unwrap_or_else(|| at.as_millis().div_euclid(1000).to_string())
}

/// `2026-11-27T23:06:50.123Z`; what no calendar of four-digit years has, in unix seconds.
pub fn iso_millis(at: UnixTime) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let calendar = calendar(at).and_then(|at| at.format(form).ok());
    calendar.unwrap_or_else(|| at.as_millis().div_euclid(1000).to_string())
}

fn calendar(at: UnixTime) -> Option<OffsetDateTime> {
    let nanos = i128::from(at.as_millis()).checked_mul(1_000_000)?;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok().filter(|at| at.year() >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_millis(1_795_820_810_123);

    #[test]
    fn a_time_is_read_in_the_forms_that_people_use() {
        for (text, past, future) in [
            ("now", 1_795_820_810_123, 1_795_820_810_123),
            (" NOW ", 1_795_820_810_123, 1_795_820_810_123),
            ("4h ago", 1_795_806_410_123, 1_795_806_410_123),
            ("in 30m", 1_795_822_610_123, 1_795_822_610_123),
            ("30m", 1_795_819_010_123, 1_795_822_610_123),
            ("4 min ago", 1_795_820_570_123, 1_795_820_570_123),
            ("1d 12h", 1_795_691_210_123, 1_795_950_410_123),
            ("2 weeks ago", 1_794_611_210_123, 1_794_611_210_123),
            ("1795820810", 1_795_820_810_000, 1_795_820_810_000),
            ("2026-11-27", 1_795_737_600_000, 1_795_737_600_000),
            ("2026-11-27T10:00:00Z", 1_795_773_600_000, 1_795_773_600_000),
            ("2026-11-27t10:00:00z", 1_795_773_600_000, 1_795_773_600_000),
            ("2026-11-27 10:00:00+01:00", 1_795_770_000_000, 1_795_770_000_000),
            ("2026-11-27T10:00Z", 1_795_773_600_000, 1_795_773_600_000),
            ("2026-11-27T10:00:00.25-00:30", 1_795_775_400_250, 1_795_775_400_250),
        ] {
            assert_eq!(parse_past(text, NOW).map(UnixTime::as_millis), Ok(past), "{text}");
            assert_eq!(parse_future(text, NOW).map(UnixTime::as_millis), Ok(future), "{text}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_or_in_none_is_refused_with_its_cause() {
        for (text, why) in [
            ("", WhenError::Form),
            ("yesterday", WhenError::Form),
            ("monday", WhenError::Form),
            ("27.11.2026", WhenError::Form),
            ("11/12/2026", WhenError::Form),
            ("10:00", WhenError::Form),
            ("-4h", WhenError::Form),
            ("+4h", WhenError::Form),
            ("4", WhenError::Number),
            ("0", WhenError::Number),
            ("20261127", WhenError::Number),
            ("4x", WhenError::Form),
            ("h", WhenError::Form),
            ("ago", WhenError::Form),
            ("in 4h ago", WhenError::Form),
            ("1.5h", WhenError::Form),
            ("1é", WhenError::Form),
            ("\u{664}h ago", WhenError::Form),
            ("3M", WhenError::Months),
            ("1 year ago", WhenError::Months),
            ("2026-11-27T10:00:00", WhenError::NoZone),
            ("2026-11-27 10:00", WhenError::NoZone),
            ("2026-11-31", WhenError::NoSuchDay),
            ("2026-11-27T25:00:00Z", WhenError::NoSuchDay),
            ("2026-11-27T10:00:00CET", WhenError::NoSuchDay),
            ("2026-11-27+01:00", WhenError::Form),
            ("1795820810123", WhenError::Milliseconds),
            ("99999999999999999999", WhenError::Milliseconds),
            ("9223372036854775807s", WhenError::TooFar),
            ("99999999999999999999d", WhenError::TooFar),
        ] {
            assert_eq!(parse_past(text, NOW), Err(why), "{text}");
            assert_eq!(parse_future(text, NOW), Err(why), "{text}");
        }
    }

    #[test]
    fn a_time_that_is_told_is_read_again() {
        for (millis, seconds, told) in [
            (1_795_820_810_123, "2026-11-27T23:06:50Z", "2026-11-27T23:06:50.123Z"),
            (1_000_000_000_000, "2001-09-09T01:46:40Z", "2001-09-09T01:46:40.000Z"),
            (-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z"),
        ] {
            let at = UnixTime::from_millis(millis);
            assert_eq!((iso(at).as_str(), iso_millis(at).as_str()), (seconds, told));
            assert_eq!(parse_past(told, NOW), Ok(at));
        }
        assert_eq!(iso(UnixTime::from_secs(999_999_999_999)), "999999999999", "the year 33658");
        assert_eq!(iso(UnixTime::from_millis(i64::MIN)), "-9223372036854776");
    }
}

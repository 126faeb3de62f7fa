//! Refusals in the log, for the first question that an operator has: why was this request refused?
//!
//! A client can make as many refusals as it likes. A sample shows the first few of each second, and the next line says how
//! many were left out, so that no attack fills a disk. Never the token, nor a claim that no key has signed.

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines of each second in a sample.
pub const SAMPLE_PER_SECOND: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);
/// As much of a `kid` is shown; no key has signed it.
const MAX_KID_CHARS: usize = 64;

/// Which refusals are logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogRefusals {
    /// None.
    Off,
    /// At most [`SAMPLE_PER_SECOND`].
    #[default]
    Sample,
    /// All.
    All,
}

impl LogRefusals {
    /// What a setting may say.
    pub const NAMES: &'static str = "off, sample or all";
}

/// The text is none of [`LogRefusals::NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", LogRefusals::NAMES)]
pub struct UnknownName;

impl FromStr for LogRefusals {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "off" => Ok(Self::Off),
            "sample" => Ok(Self::Sample),
            "all" => Ok(Self::All),
            _ => Err(UnknownName),
        }
    }
}

/// One refusal.
#[derive(Debug, Clone, Copy, Default)]
pub struct RefusalLine<'a> {
    /// What the proxy calls the request.
    pub request: Option<&'a str>,
    /// The coarse code.
    pub reason: &'a str,
    /// The one word.
    pub detail: &'a str,
    /// The policy that was applied.
    pub policy: Option<&'a str>,
    /// The configured issuer that the token names.
    pub issuer: Option<&'a str>,
    /// The key that it names.
    pub kid: Option<&'a str>,
    /// Its fingerprint.
    pub id: Option<&'a str>,
}

/// Writes refusals into the log.
#[derive(Debug)]
pub struct RefusalLog {
    which: LogRefusals,
    sample: Mutex<Sample>,
}

#[derive(Debug, Default)]
struct Sample {
    began: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Sample {
    /// How many were left out before this one, if it is to be written.
    fn take(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= SECOND) {
            (self.began, self.written) = (Some(now), 0);
        }
        if self.written >= SAMPLE_PER_SECOND {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.written = self.written.saturating_add(1);
        Some(std::mem::take(&mut self.left_out))
    }
}

impl RefusalLog {
    /// Writes these.
    pub fn new(which: LogRefusals) -> Self {
        Self { which, sample: Mutex::default() }
    }

    /// Whether anything is written.
    pub fn is_on(&self) -> bool {
        self.which != LogRefusals::Off
    }

    /// Writes a refusal that happened `now`, if its turn has come.
    pub fn write(&self, refusal: &RefusalLine<'_>, now: Instant) {
        let left_out = match self.which {
            LogRefusals::Off => return,
            LogRefusals::All => 0,
            // No number here is wrong after a panic elsewhere.
            LogRefusals::Sample => {
                match self.sample.lock().unwrap_or_else(PoisonError::into_inner).take(now) {
                    Some(left_out) => left_out,
                    None => return,
                }
            }
        };
        let RefusalLine { request, reason, detail, policy, issuer, kid, id } = *refusal;
        let left_out = (left_out > 0).then_some(left_out);
        tracing::info!(request, reason, detail, policy, issuer, kid, id, left_out, "refused");
    }
}

/// A `kid` as a log shows it: it may be as long as a token, and say anything.
pub fn shown_kid(kid: &str) -> String {
    let mut chars = kid.chars();
    let visible = |letter: char| if letter.is_ascii_graphic() { letter } else { '?' };
    let mut shown: String = chars.by_ref().take(MAX_KID_CHARS).map(visible).collect();
    if chars.next().is_some() {
        shown.push_str("..");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_shows_so_many_of_each_second_and_tells_how_many_it_left_out() {
        let start = Instant::now();
        let mut sample = Sample::default();
        let mut told = Vec::new();
        for millisecond in 0..2_500_u64 {
            told.extend(sample.take(start + Duration::from_millis(millisecond)));
        }
        let expected: Vec<u64> =
            [0; 10].into_iter().chain([990]).chain([0; 9]).chain([990]).chain([0; 9]).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_nobody_has_signed_reaches_the_log_short_and_visible() {
        assert_eq!(shown_kid("key-1"), "key-1");
        assert_eq!(shown_kid("\u{1b}[31m\n\u{e9}"), "?[31m??");
        assert_eq!(shown_kid(&"k".repeat(70)), format!("{}..", "k".repeat(64)));
    }

    #[test]
    fn a_setting_says_which() {
        for (text, expected) in [
            ("off", Ok(LogRefusals::Off)),
            ("sample", Ok(LogRefusals::Sample)),
            ("all", Ok(LogRefusals::All)),
            ("ALL", Err(UnknownName)),
            ("", Err(UnknownName)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }
}

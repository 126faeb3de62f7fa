//! Refusals in the log of both programs, for the first question that an operator has: why was this request refused?
//!
//! Never the token, nor a claim that no key has signed.

use std::time::Instant;

use service::sample::{Due, LogLines, Sampler};

/// As much of a `kid` is shown; no key has signed it.
const MAX_KID_CHARS: usize = 64;

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
pub struct RefusalLog(Sampler);

impl RefusalLog {
    /// Writes these.
    pub fn new(which: LogLines) -> Self {
        Self(Sampler::new(which))
    }

    /// Whether anything is written.
    pub fn is_on(&self) -> bool {
        self.0.is_on()
    }

    /// Writes a refusal that happened `now`, if its turn has come.
    pub fn write(&self, refusal: &RefusalLine<'_>, now: Instant) {
        let Some(Due { left_out }) = self.0.take(now) else { return };
        let RefusalLine { request, reason, detail, policy, issuer, kid, id } = *refusal;
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
    fn what_no_key_has_signed_reaches_the_log_short_and_visible() {
        assert_eq!(shown_kid("key-1"), "key-1");
        assert_eq!(shown_kid("\u{1b}[31m\n\u{e9}"), "?[31m??");
        assert_eq!(shown_kid(&"k".repeat(70)), format!("{}..", "k".repeat(64)));
    }
}

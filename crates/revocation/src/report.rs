//! What an agent tells its token-servers of itself and of its decisions, once a second: `POST /v1/decisions`, JSON.
//!
//! It is for people who look at it. No verdict depends on it, and what is lost of it is not told again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Bytes of a report. One with as many decisions as an agent tells, all texts as long as may be, and keys fits.
pub const MAX_REPORT_BYTES: usize = 256 * 1024;
/// Bytes of the keys in a report; more are left out.
pub const MAX_KEYS_BYTES: usize = 128 * 1024;
/// Decisions of a report that are taken.
pub const MAX_DECISIONS: usize = 256;
/// Characters of each text; what is longer is cut, and ends with an ellipsis.
pub const MAX_TEXT_CHARS: usize = 128;
/// What begins the header `User-Agent` of an agent: its version follows, then its name in parentheses.
pub const PRODUCT: &str = "jwt-agent/";

/// One report.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// Whose it is.
    pub agent: Author,
    /// Decisions that were to be told to this server and were not, since the agent's start.
    pub dropped: u64,
    /// All decisions since the agent's start.
    pub totals: Totals,
    /// Some of those since the last report.
    pub decisions: Vec<Told>,
    /// The answer of the agent's own `GET /v1/keys`, now and then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keys: Option<Box<RawValue>>,
    /// Absent where no streams are looked after.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub streams: Option<Streams>,
    /// Absent where HAProxy is given no verdicts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub edge: Option<Edge>,
    /// Whether HAProxy may ask the agent.
    pub ready: bool,
    /// Milliseconds since the agent last heard this server's feed; absent: never.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lag_ms: Option<u64>,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// What tells it from others: its host, and where it listens.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Decisions by their reasons.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Accepted.
    pub accepted: u64,
    /// Refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Those on which no verdict was possible, by reason.
    pub undecided: BTreeMap<String, u64>,
}

/// One decision. Texts of a token may be whatever its sender wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When, milliseconds since the epoch.
    pub at: i64,
    /// The token's fingerprint, `txn.tkn.id`; absent: there was no token.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// The policy that was applied; absent: it is not configured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy: Option<String>,
    /// The coarse code.
    pub reason: String,
    /// The one word.
    pub detail: String,
    /// The configured issuer, or the one that the token names where it was refused for that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issuer: Option<String>,
    /// The key that the token names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kid: Option<String>,
    /// The algorithm that it names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alg: Option<String>,
    /// Whose token it is, where its signature is good; only with `JWT_DECISIONS=full`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
}

/// Open streams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streams {
    /// Those that end with their token.
    pub open: u64,
    /// Those that the agent ended since its start, by cause.
    pub ended: BTreeMap<String, u64>,
}

/// Verdicts inside HAProxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Verdicts that all HAProxys of the agent have.
    pub entries: u64,
}

/// The beginning of a text that may be of any length.
pub fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT_CHARS) {
        text.truncate(end);
        text.push('\u{2026}');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("key-1".to_owned()), "key-1");
        let whole = "\u{e9}".repeat(MAX_TEXT_CHARS);
        assert_eq!(cut(whole.clone()), whole);
        assert_eq!(cut(whole.repeat(2)), format!("{whole}\u{2026}"));
    }

    #[test]
    fn what_is_absent_is_left_out_and_what_a_newer_agent_adds_is_ignored() {
        let told = r#"{"at":5,"reason":"ok","detail":"ok"}"#;
        let report = format!(
            r#"{{"agent":{{"name":"a","version":"9","x":1}},"dropped":0,"totals":{{"accepted":1,"refused":{{}},"undecided":{{}}}},"decisions":[{told}],"ready":true,"later":[]}}"#
        );
        let report: Report = serde_json::from_str(&report).unwrap();
        assert_eq!(serde_json::to_string(&report.decisions).unwrap(), format!("[{told}]"));
        assert!(report.keys.is_none() && report.streams.is_none() && report.lag_ms.is_none());
    }
}

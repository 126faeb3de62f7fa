//! The answer of `GET /v1/events?since=<epoch>:<revision>&profile=<profile>`, JSON: what changed in the rules, for those who keep verdicts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How far a reader is: `<epoch>:<revision>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The process whose numbers it has.
    pub epoch: String,
    /// The last one that it has seen.
    pub revision: u64,
}

/// The text is not of the form `<epoch>:<revision>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSince;

impl fmt::Display for Since {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.epoch, self.revision)
    }
}

impl FromStr for Since {
    type Err = NotSince;

    fn from_str(text: &str) -> Result<Self, NotSince> {
        let (epoch, revision) = text.rsplit_once(':').ok_or(NotSince)?;
        Ok(Self { epoch: epoch.to_owned(), revision: revision.parse().map_err(|_| NotSince)? })
    }
}

/// One answer of the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Names the store that was read; two servers of one agent must agree on it.
    pub store_id: String,
    /// Names the process whose revisions these are.
    pub epoch: String,
    /// The last change that this answer takes into account; what to ask for next.
    pub revision: u64,
    /// So many milliseconds before it wrote this answer, the server knew of every change that had been acknowledged
    /// until then. An age and no time of day, since the clocks of two machines differ. Absent: it may miss changes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub complete_as_of: Option<u64>,
    /// What changed since the revision that was asked for.
    pub changes: Changes,
}

/// Whose rules changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changes {
    /// These groups: subjects, or `g` for everybody. None: nothing changed.
    Groups(Vec<String>),
    /// The server cannot tell: the epoch is another one, the revision is too old, or changes may have passed unheard.
    Everything,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_reader_is_reads_as_it_was_written() {
        for (text, expected) in [
            ("e:5", Some(("e", 5))),
            ("a:b:18446744073709551615", Some(("a:b", u64::MAX))),
            (":0", Some(("", 0))),
            ("e:18446744073709551616", None),
            ("e:-1", None),
            ("e:", None),
            ("e", None),
            ("", None),
        ] {
            let read = text.parse::<Since>();
            assert_eq!(
                read.as_ref().ok().map(|since| (since.epoch.as_str(), since.revision)),
                expected,
                "{text}"
            );
            assert!(read.is_err() || read.unwrap().to_string() == text, "{text}");
        }
    }
}

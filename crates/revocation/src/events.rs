//! The answer of `GET /v1/events?since=<epoch>:<revision>&profile=<profile>`, JSON: what changed in the rules, for those who keep verdicts.

use serde::{Deserialize, Serialize};

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

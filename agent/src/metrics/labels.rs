//! The labels of the metrics. None has more values than an operator has configured, or the code lists.

use std::hash::Hash;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// Shows these rows from the start, with 0: of a counter that begins with its first event no increase is seen.
pub(super) fn begin<L>(family: &Family<L, Counter>, rows: impl IntoIterator<Item = L>)
where
    L: Clone + Hash + Eq,
{
    for row in rows {
        family.get_or_create(&row).inc_by(0);
    }
}

/// Labels of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Judged {
    pub(super) reason: &'static str,
    pub(super) detail: &'static str,
    pub(super) policy: String,
    pub(super) issuer: String,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByStatus {
    /// The name of SPOP's status code.
    pub status: &'static str,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByOutcome {
    /// `answered`, `refused`, `timeout`, `unreachable`, `unreadable`; of a reload `applied`, `refused`.
    pub outcome: &'static str,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByServer {
    /// The token-server's address, and its name if it has one.
    pub server: String,
}

/// Labels of a server that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByEjection {
    /// The token-server's address, and its name if it has one.
    pub server: String,
    /// Why: `failing`, `unread`, `credentials`, `profile`, `store`.
    pub reason: &'static str,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BySocket {
    /// The path of a stats socket.
    pub socket: String,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByReason {
    /// Of verdicts that HAProxy is not given, or of streams that do not end with their token.
    pub reason: &'static str,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByCause {
    /// The detail of a refusal, `lease`, or `stop`.
    pub cause: &'static str,
}

//! What all groups in memory hold together, as metrics show it.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use crate::feed::FeedMetrics;

/// How much the groups in memory hold together, and as of when. Clones count into the same metrics.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Groups with at least one rule.
    pub groups: Gauge,
    /// Rules, the unreadable ones included.
    pub rules: Gauge,
    /// Rules that are not understood.
    pub unreadable: Gauge,
    /// Rules that no check looks at, since there are too many in their groups.
    pub beyond: Gauge,
    /// The number of the last change that was heard of.
    pub revision: Gauge,
    /// The log of changes, and its readers.
    pub feed: FeedMetrics,
    /// Groups with rules that were found in the store though no source of changes had told of them.
    pub untold: Counter,
}

/// What one group holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    /// Rules, the other ones included.
    pub(super) rules: usize,
    /// Those that are not understood.
    pub(super) unreadable: usize,
    /// Those that no check looks at.
    pub(super) beyond: usize,
}

impl Totals {
    /// A group is in memory now.
    pub(super) fn came(&self, counts: Counts) {
        self.groups.inc_by(i64::from(counts.rules > 0));
        self.rules.inc_by(as_gauge(counts.rules));
        self.unreadable.inc_by(as_gauge(counts.unreadable));
        self.beyond.inc_by(as_gauge(counts.beyond));
    }

    /// A group is in memory no more.
    pub(super) fn went(&self, counts: Counts) {
        self.groups.dec_by(i64::from(counts.rules > 0));
        self.rules.dec_by(as_gauge(counts.rules));
        self.unreadable.dec_by(as_gauge(counts.unreadable));
        self.beyond.dec_by(as_gauge(counts.beyond));
    }
}

pub(super) fn as_gauge(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

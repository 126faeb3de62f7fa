//! How this agent is, as its metrics have it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jose::Reject;
use revocation::report::{Edge, Streams};
use service::readiness::Readiness;

use super::Sources;
use crate::metrics::{ByCause, ByServer, BySocket, Metrics};
use crate::token_server::Server;

/// Why streams are ended, beside the details of refusals.
const OTHER_CAUSES: [&str; 2] = ["lease", "stop"];

#[derive(Debug)]
pub(super) struct Vitals {
    readiness: Readiness,
    has_streams: bool,
    edge: Option<Vec<BySocket>>,
    metrics: Arc<Metrics>,
}

impl Vitals {
    pub(super) fn new(sources: Sources) -> Self {
        let Sources { name: _, readiness, has_streams, edge, metrics } = sources;
        Self { readiness, has_streams, edge, metrics }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.readiness.check().is_ok()
    }

    /// Open streams, and those that were ended.
    pub(super) fn streams(&self) -> Option<Streams> {
        let streams = self.has_streams.then_some(&self.metrics.streams)?;
        let causes = Reject::ALL.iter().map(|reject| reject.detail()).chain(OTHER_CAUSES);
        let ended = causes.filter_map(|cause| {
            let number = streams.ended.get(&ByCause { cause })?.get();
            (number > 0).then(|| (cause.to_owned(), number))
        });
        Some(Streams { open: counted(streams.open.get()), ended: ended.collect() })
    }

    /// Verdicts inside HAProxy.
    pub(super) fn edge(&self) -> Option<Edge> {
        let sockets = self.edge.as_ref()?.iter();
        let entries =
            sockets.filter_map(|socket| Some(counted(self.metrics.edge.entries.get(socket)?.get())));
        Some(Edge { entries: entries.sum() })
    }

    /// Milliseconds since a server's feed was heard.
    pub(super) fn lag(&self, server: &Server) -> Option<u64> {
        let label = ByServer { server: server.endpoint().to_string() };
        let heard = Duration::try_from_secs_f64(self.metrics.feed_heard.get(&label)?.get()).ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(now.saturating_sub(heard).as_millis()).ok()
    }
}

fn counted(gauge: i64) -> u64 {
    u64::try_from(gauge).unwrap_or(0)
}

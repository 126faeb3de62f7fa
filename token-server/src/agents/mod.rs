//! What is known of agents: when each was last heard, and what it reports of itself and of its decisions. In memory alone, and no
//! verdict depends on it.
//!
//! Whatever an agent writes counts as a stranger's text: it is cut, and there is a bound to how much is kept.

mod bounds;
mod decisions;
mod metrics;
#[cfg(test)]
mod tests;
mod who;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use revocation::report::{Edge, Report, Streams, Totals};
use serde::Serialize;
use serde_json::value::RawValue;
use service::shutdown::Shutdown;
use tokio::time::Instant;

pub(crate) use self::decisions::{Decisions, Heard, MAX_KEPT, MAX_READERS};
pub(crate) use self::metrics::AgentMetrics;
pub(crate) use self::who::Who;

/// Agents that are known at a time. One more is not shown until another one is forgotten.
const MAX_AGENTS: usize = 256;
/// After this time in which nothing was heard of it an agent is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(5 * 60);
/// An agent asks for changes twice a second; one that has not for so long may not know of rules that were written since.
const BEHIND_AFTER: Duration = Duration::from_secs(2);

/// Any client can report. The page and `GET /v1/decisions` show what it says.
pub(crate) const OPEN_REPORTS: &str = "neither TOKEN_SERVER__AGENT__TOKENS_FILE nor TOKEN_SERVER__TLS__CLIENT_CA is set, so any client that reaches the \
     main listener may tell decisions that no agent has made, and operators see them as those of agents: set \
     TOKEN_SERVER__AGENT__TOKENS_FILE, and JWT_TOKEN_SERVER_TOKEN_FILE of the agents";

/// The agents that were heard lately.
#[derive(Debug)]
pub(crate) struct Agents {
    known: Mutex<BTreeMap<String, Known>>,
    decisions: Arc<Decisions>,
    metrics: AgentMetrics,
    warned: Once,
}

#[derive(Debug, Default)]
struct Known {
    version: Option<String>,
    /// When it last asked for changes.
    asked: Option<Instant>,
    reported: Option<Reported>,
    /// The sources of its keys, as it told them last.
    keys: Option<Box<RawValue>>,
}

/// What an agent said of itself.
#[derive(Debug)]
struct Reported {
    at: Instant,
    ready: bool,
    lag_ms: Option<u64>,
    totals: Totals,
    dropped: u64,
    streams: Option<Streams>,
    edge: Option<Edge>,
}

/// The answer of `GET /v1/agents`.
#[derive(Debug, Serialize)]
pub(crate) struct AgentsView {
    agents: Vec<AgentView>,
}

#[derive(Debug, Serialize)]
struct AgentView {
    name: String,
    version: Option<String>,
    /// Milliseconds since it asked for changes; absent: it never did.
    last_poll_ms: Option<u64>,
    /// Whether it may not know of rules that were written lately.
    behind: bool,
    /// Milliseconds since its last report, of which all that follows is.
    last_report_ms: Option<u64>,
    ready: Option<bool>,
    lag_ms: Option<u64>,
    totals: Option<Totals>,
    dropped: Option<u64>,
    streams: Option<Streams>,
    edge: Option<Edge>,
}

impl Agents {
    /// None is known. Those who read decisions are told no more after `end`.
    pub(crate) fn new(end: Shutdown, metrics: AgentMetrics) -> Self {
        let decisions = Arc::new(Decisions::new(end, metrics.clone()));
        Self { known: Mutex::default(), decisions, metrics, warned: Once::new() }
    }

    /// What was decided lately.
    pub(crate) fn decisions(&self) -> &Arc<Decisions> {
        &self.decisions
    }

    /// An agent asks for changes.
    pub(crate) fn asks(&self, who: Who, now: Instant) {
        self.note(who, now, |known| known.asked = Some(now));
    }

    /// Warns once in the life of the server that reports come, of which it cannot tell whether they are of agents.
    pub(crate) fn warn_of_open_reports(&self) {
        self.warned.call_once(|| tracing::warn!("{OPEN_REPORTS}"));
    }

    /// Takes a report, and tells of how many decisions it was.
    pub(crate) fn reports(&self, report: Report, now: Instant) -> usize {
        let who = Who::of(&report.agent);
        let decisions = bounds::decisions(report.decisions);
        let taken = decisions.len();
        self.decisions.add(&who.name, decisions);
        self.metrics.reports.inc();
        let keys = report.keys.as_deref().and_then(bounds::sources);
        let reported = Reported {
            at: now,
            ready: report.ready,
            lag_ms: report.lag_ms,
            totals: bounds::totals(report.totals),
            dropped: report.dropped,
            streams: report.streams.map(bounds::streams),
            edge: report.edge,
        };
        self.note(who, now, |known| {
            known.reported = Some(reported);
            if keys.is_some() {
                known.keys = keys;
            }
        });
        taken
    }

    /// All of them, by name.
    pub(crate) fn view(&self, now: Instant) -> AgentsView {
        let mut known = self.lock();
        self.forget(&mut known, now);
        AgentsView { agents: known.iter().map(|(name, known)| known.view(name, now)).collect() }
    }

    /// The sources of keys of those agents that told them.
    pub(crate) fn keys(&self, now: Instant) -> BTreeMap<String, Box<RawValue>> {
        let mut known = self.lock();
        self.forget(&mut known, now);
        known.iter().filter_map(|(name, known)| Some((name.clone(), known.keys.clone()?))).collect()
    }

    fn note(&self, who: Who, now: Instant, change: impl FnOnce(&mut Known)) {
        let mut known = self.lock();
        if !known.contains_key(&who.name) && known.len() >= MAX_AGENTS {
            self.forget(&mut known, now);
            if known.len() >= MAX_AGENTS {
                return;
            }
        }
        let agent = known.entry(who.name).or_default();
        agent.version = who.version;
        change(agent);
        self.metrics.show_known(known.len());
    }

    fn forget(&self, known: &mut BTreeMap<String, Known>, now: Instant) {
        known.retain(|_, agent| {
            agent.heard().is_some_and(|heard| now.saturating_duration_since(heard) < FORGOTTEN_AFTER)
        });
        self.metrics.show_known(known.len());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        // Each entry is whole after each change, so a panic elsewhere leaves nothing half done in it.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn heard(&self) -> Option<Instant> {
        self.asked.max(self.reported.as_ref().map(|reported| reported.at))
    }

    fn view(&self, name: &str, now: Instant) -> AgentView {
        let reported = self.reported.as_ref();
        let is_behind = |asked: Instant| now.saturating_duration_since(asked) > BEHIND_AFTER;
        AgentView {
            name: name.to_owned(),
            version: self.version.clone(),
            last_poll_ms: self.asked.map(|asked| milliseconds(asked, now)),
            behind: self.asked.is_none_or(is_behind),
            last_report_ms: reported.map(|reported| milliseconds(reported.at, now)),
            ready: reported.map(|reported| reported.ready),
            lag_ms: reported.and_then(|reported| reported.lag_ms),
            totals: reported.map(|reported| reported.totals.clone()),
            dropped: reported.map(|reported| reported.dropped),
            streams: reported.and_then(|reported| reported.streams.clone()),
            edge: reported.and_then(|reported| reported.edge),
        }
    }
}

fn milliseconds(since: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX)
}

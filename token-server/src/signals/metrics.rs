//! What is counted of signals.

use std::time::Duration;

use jose::UnixTime;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::told::{Kind, Status};

/// Signals by what came of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct SignalMetrics {
    signals: Family<Labels, Counter>,
    streams: Family<StreamLabels, Gauge>,
    verified: Family<StreamLabels, Gauge>,
    heartbeats: Family<StreamLabels, Gauge>,
    status: Family<StatusLabels, Gauge>,
    polls: Family<PollLabels, Counter>,
}

/// What came of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// A rule was written.
    Revoked,
    /// The rule stood already, or the same message came before.
    Known,
    /// A rule was written that is only tried, as it was configured.
    Tried,
    /// It cannot be mapped exactly: a rule that is only tried, or none.
    Inexact,
    /// Nothing is done, as it was configured.
    Ignored,
    /// A verification event.
    Verified,
    /// The status of a stream.
    Updated,
    /// It is not believed.
    Refused,
    /// Its sender sends too much.
    Limited,
    /// The group has no room for the rule.
    Full,
    /// The store, or the sender's keys, could not be had.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabels {
    stream: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    stream: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PollLabels {
    stream: String,
    outcome: &'static str,
}

/// What came of a question to a transmitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PollOutcome {
    /// It answered, with tokens or without.
    Answered,
    /// It held the question for as long as may be.
    Held,
    /// It does not accept who asks.
    Refused,
    /// It gave no answer, or none that can be read.
    Failed,
}

impl PollOutcome {
    const ALL: [Self; 4] = [Self::Answered, Self::Held, Self::Refused, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Held => "held",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl Outcome {
    const ALL: [Self; 11] = [
        Self::Revoked,
        Self::Known,
        Self::Tried,
        Self::Inexact,
        Self::Ignored,
        Self::Verified,
        Self::Updated,
        Self::Refused,
        Self::Limited,
        Self::Full,
        Self::Failed,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Known => "known",
            Self::Tried => "tried",
            Self::Inexact => "inexact",
            Self::Ignored => "ignored",
            Self::Verified => "verified",
            Self::Updated => "updated",
            Self::Refused => "refused",
            Self::Limited => "limited",
            Self::Full => "full",
            Self::Failed => "failed",
        }
    }
}

impl SignalMetrics {
    /// Registers them under the prefix of `registry`, and shows each outcome from the beginning: alerts ask for increases.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "signals",
            "Messages of identity providers, by kind (logout, revoke, global, ssf) and outcome: revoked, known (the rule stood, \
             or the message came before), tried (in shadow mode), inexact (only tried, since it cannot be mapped to a rule \
             exactly), ignored (by configuration), verified (a verification event), updated (the status of a stream), refused (not believed), limited (429), full (503: no room for the rule), \
             failed (503: no store or no keys)",
            metrics.signals.clone(),
        );
        registry.register(
            "ssf_heard_timestamp_seconds",
            "When a stream of shared signals was heard last, unix time: a token of it that is its issuer's, or an answer to a poll; at \
             first, where something is expected of it, since when it is",
            metrics.streams.clone(),
        );
        registry.register(
            "ssf_heartbeat_seconds",
            "The longest time in which something of a stream is expected: heartbeat of its table, or half an hour where it is polled",
            metrics.heartbeats.clone(),
        );
        registry.register(
            "ssf_verified_timestamp_seconds",
            "When a verification event of a stream was heard last, unix time",
            metrics.verified.clone(),
        );
        registry.register(
            "ssf_stream_status",
            "1 for the status (enabled, paused, disabled) that the transmitter of a stream has told last, and 0 for the others",
            metrics.status.clone(),
        );
        registry.register(
            "ssf_polls",
            "Questions to the transmitters of streams that are polled, by stream and outcome: answered, held (no token came for as \
             long as a question may take), refused (401 or 403), failed (no answer, or none that can be read)",
            metrics.polls.clone(),
        );
        for kind in [Kind::Logout, Kind::Revoke, Kind::Global, Kind::Ssf] {
            for outcome in Outcome::ALL {
                metrics.count_by(kind, outcome, 0);
            }
        }
        metrics
    }

    /// Shows each outcome of a stream from the beginning: alerts ask for increases.
    pub(crate) fn begin_polls(&self, stream: &str) {
        for outcome in PollOutcome::ALL {
            let labels = PollLabels { stream: stream.to_owned(), outcome: outcome.as_str() };
            _ = self.polls.get_or_create(&labels).clone();
        }
    }

    /// A stream's transmitter was asked.
    pub(crate) fn polled(&self, stream: &str, outcome: PollOutcome) {
        let labels = PollLabels { stream: stream.to_owned(), outcome: outcome.as_str() };
        self.polls.get_or_create(&labels).inc();
    }

    /// A stream is there no more: what it was last heard of is no sign of silence.
    pub(crate) fn forget(&self, stream: &str) {
        let labels = StreamLabels { stream: stream.to_owned() };
        self.streams.remove(&labels);
        self.verified.remove(&labels);
        self.heartbeats.remove(&labels);
        for status in Status::ALL {
            self.status.remove(&StatusLabels { stream: stream.to_owned(), status: status.as_str() });
        }
        for outcome in PollOutcome::ALL {
            self.polls.remove(&PollLabels { stream: stream.to_owned(), outcome: outcome.as_str() });
        }
    }

    /// A stream was heard.
    pub(crate) fn heard(&self, stream: &str, now: UnixTime) {
        let labels = StreamLabels { stream: stream.to_owned() };
        self.streams.get_or_create(&labels).set(now.as_millis().div_euclid(1_000));
    }

    /// Within this time something of a stream is expected, or nothing is.
    pub(crate) fn expect(&self, stream: &str, heartbeat: Option<Duration>, now: UnixTime) {
        let labels = StreamLabels { stream: stream.to_owned() };
        let Some(heartbeat) = heartbeat else {
            self.heartbeats.remove(&labels);
            return;
        };
        let seconds = i64::try_from(heartbeat.as_secs()).unwrap_or(i64::MAX);
        self.heartbeats.get_or_create(&labels).set(seconds);
        let heard = self.streams.get_or_create(&labels);
        if heard.get() == 0 {
            heard.set(now.as_millis().div_euclid(1_000));
        }
    }

    /// A verification event of a stream was heard.
    pub(crate) fn verified(&self, stream: &str, now: UnixTime) {
        let labels = StreamLabels { stream: stream.to_owned() };
        self.verified.get_or_create(&labels).set(now.as_millis().div_euclid(1_000));
    }

    /// The transmitter of a stream has told its status.
    pub(crate) fn has_status(&self, stream: &str, status: Status) {
        for each in Status::ALL {
            let labels = StatusLabels { stream: stream.to_owned(), status: each.as_str() };
            self.status.get_or_create(&labels).set(i64::from(each == status));
        }
    }

    /// Counts one message.
    pub(crate) fn count(&self, kind: Kind, outcome: Outcome) {
        self.count_by(kind, outcome, 1);
    }

    fn count_by(&self, kind: Kind, outcome: Outcome, by: u64) {
        let labels = Labels { kind: kind.as_str(), outcome: outcome.as_str() };
        self.signals.get_or_create(&labels).inc_by(by);
    }

    #[cfg(test)]
    pub(crate) fn counted(&self, kind: Kind, outcome: Outcome) -> u64 {
        let labels = Labels { kind: kind.as_str(), outcome: outcome.as_str() };
        self.signals.get_or_create(&labels).get()
    }
}

//! From a NOTIFY to its ACK: what every connection shares.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use jose::{Reject, UnixTime};
use prometheus_client::metrics::gauge::Gauge;
use service::readiness::Readiness;

use crate::answer::{Decision, Outcome, Variables, answer};
use crate::metrics::{ByStatus, Metrics};
use crate::spoa::frame::{Fault, Notify, encode_ack};
use crate::verifier::Verifier;

/// Shared by all connections.
#[derive(Debug)]
pub struct Responder {
    verifier: Verifier,
    variables: Variables,
    claims: Option<Vec<String>>,
    budget: Duration,
    readiness: Readiness,
    metrics: Arc<Metrics>,
    notifies: AtomicU64,
    failed_health_checks: AtomicU64,
}

/// A request that has come; while this lives it counts as in flight.
#[derive(Debug)]
pub struct Received {
    at: Instant,
    now: UnixTime,
    in_flight: Gauge,
}

impl Drop for Received {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}

impl Responder {
    /// What connections share; `budget` is the time that one request may take.
    pub fn new(
        verifier: Verifier,
        variables: Variables,
        claims: Option<Vec<String>>,
        budget: Duration,
        readiness: Readiness,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            verifier,
            variables,
            claims,
            budget,
            readiness,
            metrics,
            notifies: AtomicU64::new(0),
            failed_health_checks: AtomicU64::new(0),
        }
    }

    /// Notes that a request has come, and when.
    pub fn receive(&self) -> Received {
        self.notifies.fetch_add(1, Ordering::Relaxed);
        let in_flight = self.metrics.in_flight.clone();
        in_flight.inc();
        Received { at: Instant::now(), now: UnixTime::from_system(SystemTime::now()), in_flight }
    }

    /// Judges one request within its budget and gives the ACK, a frame of at most `max_frame_size`.
    pub async fn decide(&self, notify: Notify, received: Received, max_frame_size: u32) -> Vec<u8> {
        let deadline = received.at + self.budget;
        let decision = self.verifier.decide(&notify.request, received.now, deadline).await;
        self.metrics.decision_seconds.observe(received.at.elapsed().as_secs_f64());
        self.acknowledge(&notify, decision, max_frame_size)
    }

    fn acknowledge(&self, notify: &Notify, mut decision: Decision, max: u32) -> Vec<u8> {
        let mut ack = Vec::new();
        let whole = answer(&decision, &self.variables, self.claims.as_deref());
        self.metrics.long_names.inc_by(whole.long_names);
        if !encode_ack(notify.stream_id, notify.frame_id, whole.actions, max, &mut ack) {
            decision.outcome = Outcome::refused(Reject::AnswerSize);
            // The second holds `reason` and `valid` alone, which fit the smallest frame of the protocol.
            for variables in [&self.variables, &Variables::Only(BTreeSet::new())] {
                let refusal = answer(&decision, variables, None).actions;
                if encode_ack(notify.stream_id, notify.frame_id, refusal, max, &mut ack) {
                    break;
                }
            }
        }
        self.metrics.decided(&decision.outcome);
        ack
    }

    /// Whether a health check may pass; a failed one is counted.
    pub fn answer_health_check(&self) -> bool {
        let ready = self.readiness.check();
        if ready.is_err() {
            self.failed_health_checks.fetch_add(1, Ordering::Relaxed);
            self.metrics.health_checks_failed.inc();
        }
        ready.is_ok()
    }

    /// Counts a connection that ended for a fault of its peer.
    pub fn count_fault(&self, fault: &Fault) {
        match fault {
            // Each health check of a draining agent ends so.
            Fault::NotReady => tracing::debug!(%fault, "health check refused"),
            _ => tracing::warn!(%fault, "connection ended"),
        }
        let status = fault.status().message();
        self.metrics.disconnects.get_or_create(&ByStatus { status }).inc();
    }

    /// Health checks refused and requests received so far.
    pub fn activity(&self) -> Activity {
        Activity {
            failed_health_checks: self.failed_health_checks.load(Ordering::Relaxed),
            notifies: self.notifies.load(Ordering::Relaxed),
        }
    }

    /// The process's metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// What a drain watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// Health checks that were refused.
    pub failed_health_checks: u64,
    /// Requests that came.
    pub notifies: u64,
}

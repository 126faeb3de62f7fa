//! The configuration in use, which a reload replaces whole.
//!
//! A request is decided by the one that it came to, so that no verdict mixes two configurations.

use std::sync::Arc;

use arc_swap::ArcSwap;
use keys::KeysView;
use service::readiness::Readiness;

use crate::decide::Decider;
use crate::metrics::{ByStatus, Metrics};
use crate::request::Request;
use crate::spoa::frame::{Fault, Notify};
use crate::spoa::respond::{DecidingTime, Respond};

/// Shared by all connections.
#[derive(Debug)]
pub struct Current {
    decider: ArcSwap<Decider>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
}

impl Current {
    /// With the first configuration.
    pub fn new(decider: Decider, readiness: Readiness, metrics: Arc<Metrics>) -> Self {
        Self { decider: ArcSwap::from_pointee(decider), readiness, metrics }
    }

    /// Asks this one from now on, with its own kept verdicts.
    pub fn replace(&self, decider: Decider) {
        self.decider.store(Arc::new(decider));
    }

    /// The one that is asked now.
    pub fn decider(&self) -> Arc<Decider> {
        self.decider.load_full()
    }

    /// What operators see of the keys in use.
    pub fn keys_view(&self) -> KeysView {
        self.decider.load().keys_view()
    }
}

impl Respond for Current {
    type Request<'a> = Request<'a>;

    fn answer(
        &self,
        notify: &Notify<Request<'_>>,
        max: u32,
        time: &mut DecidingTime,
        out: &mut Vec<u8>,
    ) -> Option<impl Future<Output = Vec<u8>> + Send + 'static + use<>> {
        self.decider.load().answer(notify, max, time, out)
    }

    /// A health check that fails is counted.
    fn answer_health_check(&self) -> bool {
        let ready = self.readiness.check();
        if ready.is_err() {
            self.metrics.health_checks_failed.inc();
        }
        ready.is_ok()
    }

    fn count_fault(&self, fault: &Fault) {
        match fault {
            // Each health check of a draining agent ends so.
            Fault::NotReady => tracing::debug!(%fault, "health check refused"),
            _ => tracing::warn!(%fault, "connection ended"),
        }
        if *fault == Fault::Unread {
            self.metrics.connections_unread.inc();
        }
        let status = fault.status().message();
        self.metrics.disconnects.get_or_create(&ByStatus { status }).inc();
    }
}

#[cfg(test)]
pub(crate) mod tests;

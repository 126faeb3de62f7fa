//! When a request came.

use std::time::{Instant, SystemTime};

use jose::UnixTime;
use prometheus_client::metrics::gauge::Gauge;

use crate::metrics::Metrics;

/// When a request came; while this lives it counts as in flight.
#[derive(Debug)]
pub struct Arrival {
    /// By the clock that only runs.
    pub at: Instant,
    /// By the time of day.
    pub now: UnixTime,
    in_flight: Gauge,
}

impl Arrival {
    /// It comes now.
    pub fn now(metrics: &Metrics) -> Self {
        Self::counted(metrics.in_flight.clone())
    }

    /// What is decided now is no request.
    pub fn of_no_request() -> Self {
        Self::counted(Gauge::default())
    }

    fn counted(in_flight: Gauge) -> Self {
        in_flight.inc();
        Self { at: Instant::now(), now: UnixTime::from_system(SystemTime::now()), in_flight }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}

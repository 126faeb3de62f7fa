//! Streams that stay open end when their token does: a WebSocket, an event stream, a long answer.
//!
//! HAProxy names the stream of such a request in its question. What let it in is remembered here ([`memory`]) and judged again as a
//! request with the same would be, whenever that could come out otherwise; where it would be refused, HAProxy is told to end the
//! stream ([`watch`], over [`haproxy::streams`](crate::haproxy::streams)).
//!
//! A verdict on a stream holds as long as one that is kept for requests: the same lease says so (`docs/REVOCATION.md`).

pub mod memory;
pub mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::decide::{Opened, Openings};
use crate::metrics::Metrics;

/// Streams that opened and are not remembered yet. More are not looked after.
pub const QUEUE: usize = 4_096;

/// What an operator sets of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamsConfig {
    /// Stats sockets, one of each HAProxy.
    pub sockets: Vec<PathBuf>,
    /// How they are looked after.
    pub terms: Terms,
}

/// How streams are looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Streams that are remembered.
    pub size: usize,
    /// A stream ends that could not be judged for so long; absent: it stays.
    pub grace: Option<Duration>,
    /// The least time between two judgements of a stream.
    pub pause: Duration,
}

/// Where streams are told that open; shared by all connections.
#[derive(Debug, Clone)]
pub struct Streams {
    told: mpsc::Sender<Opened>,
    configurations: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
}

impl Streams {
    /// And where they arrive.
    pub fn new(metrics: Arc<Metrics>) -> (Self, mpsc::Receiver<Opened>) {
        let (told, arriving) = mpsc::channel(QUEUE);
        (Self { told, configurations: Arc::default(), metrics }, arriving)
    }

    /// What tells of those that one more configuration lets in.
    pub fn openings(&self) -> Openings {
        let number = self.configurations.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        Openings::new(number, self.told.clone(), Arc::clone(&self.metrics))
    }
}

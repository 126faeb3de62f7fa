//! Looks after open streams: one task, which alone knows them and alone talks to HAProxy about them.
//!
//! It looks at all of them as soon as a feed tells of a change, and four times a second besides: then tokens have expired, keys or
//! policies are others, or a lease has lapsed. What is judged again asks token-servers in the way of requests, a few at a time, so
//! that requests go on beside it. While none of a few can be decided, the others are not tried.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join_all;
use jose::UnixTime;
use service::shutdown::Shutdown;
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep_until;

use super::StreamsConfig;
use super::memory::{Cause, GoesOn, Memory, Taken};
use crate::current::Current;
use crate::decide::{Decider, Judged, Opened};
use crate::haproxy::streams::{End, Heard, Runtime};
use crate::metrics::{ByCause, ByReason, Metrics};
use crate::request::Stream;

/// The longest time between two looks: by so much a stream may outlive its token's expiry.
const TICK: Duration = Duration::from_millis(250);
/// The shortest one, so that a busy writer of rules does not have ten thousand streams looked at each time.
const PACE: Duration = Duration::from_millis(50);
/// Streams that are judged at once.
const TOGETHER: usize = 32;
/// How often streams are looked for that have ended by themselves, where few are open.
const SWEEP: Duration = Duration::from_secs(10);
/// And so much later for each that is open: a look costs HAProxy up to 40 us for each of its streams, and so a 250th of its time.
const SWEEP_OF_EACH: Duration = Duration::from_millis(10);
/// The same while most places are taken, and many of them in vain.
const SOON: Duration = Duration::from_secs(2);
/// Many: one of so many.
const FRUITFUL: usize = 10;
/// How often each HAProxy's process is held on to.
const HOLD: Duration = Duration::from_secs(1);

/// Why streams go on that were to end, as the log says it when the first one does.
const GOING_ON: [(GoesOn, &str); 2] = [
    (
        GoesOn::Unreachable,
        "no socket of JWT_EDGE_SOCKETS leads to their process of HAProxy. They end by HAProxy's own timeouts",
    ),
    (
        GoesOn::Remains,
        "HAProxy was told to end them and still has them. Their client has closed its half of the connection, or reads no more; \
         they end when the application does",
    ),
];

/// What looks after streams.
#[derive(Debug)]
pub struct Watch {
    arriving: mpsc::Receiver<Opened>,
    /// Something was heard that may end verdicts.
    changes: Arc<Notify>,
    memory: Memory,
    runtime: Runtime,
    /// When processes were held on to, and when ended streams were looked for.
    held: Option<Instant>,
    swept: Instant,
    /// How many the last look found.
    found: usize,
    is_full: bool,
    metrics: Arc<Metrics>,
}

impl Watch {
    /// Over these sockets. Streams arrive on `arriving`; `changes` is notified of what may end verdicts.
    pub fn new(
        config: StreamsConfig,
        arriving: mpsc::Receiver<Opened>,
        changes: Arc<Notify>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let StreamsConfig { sockets, terms } = config;
        Self {
            arriving,
            changes,
            memory: Memory::new(terms),
            runtime: Runtime::new(sockets),
            held: None,
            swept: Instant::now(),
            // At first it is worth to look.
            found: usize::MAX,
            is_full: false,
            metrics,
        }
    }

    /// Looks after streams until it is asked to end.
    pub async fn run(&mut self, current: &Current, end: &Shutdown) {
        loop {
            let began = Instant::now();
            self.judge(&current.decider()).await;
            self.end();
            self.sweep();
            self.hold();
            self.show();
            tokio::select! {
                () = end.cancelled() => break,
                () = self.wait(began) => {}
            }
        }
        self.memory.stop(Instant::now());
        self.end();
        while self.runtime.is_waiting() && self.memory.has_ending(Instant::now()) {
            let heard = self.runtime.answer().await;
            self.hear(heard);
            self.end();
        }
        self.show();
    }

    /// Takes streams that open, and what HAProxy says, until it is time to look again.
    async fn wait(&mut self, began: Instant) {
        let mut is_soon = false;
        loop {
            let next = began + if is_soon { PACE } else { TICK };
            tokio::select! {
                () = sleep_until(next.into()) => return,
                () = self.changes.notified(), if !is_soon => is_soon = true,
                heard = self.runtime.answer(), if self.runtime.is_waiting() => {
                    self.hear(heard);
                    // Some had to wait for this answer.
                    is_soon |= self.memory.has_ending(Instant::now());
                }
                Some(opened) = self.arriving.recv() => {
                    // From the first one on, its process is held on to.
                    is_soon |= self.memory.is_empty();
                    self.remember(opened);
                }
            }
        }
    }

    fn remember(&mut self, opened: Opened) {
        match self.memory.remember(opened, Instant::now()) {
            Taken::Yes => self.is_full &= self.memory.is_nearly_full(),
            Taken::Full => {
                self.count_untracked("full");
                if !self.is_full {
                    tracing::warn!(
                        open = self.memory.len(),
                        "as many streams are open as JWT_STREAMS_SIZE allows; others do not end with their token. Raise it, or \
                         run more agents"
                    );
                }
                self.is_full = true;
            }
        }
    }

    /// Judges again what has to be, and ends what is found bad meanwhile.
    async fn judge(&mut self, decider: &Decider) {
        let (at, now) = (Instant::now(), UnixTime::from_system(SystemTime::now()));
        let due = self.memory.look(at, now, decider.holding(now, at));
        let mut told = at;
        for few in due.chunks(TOGETHER) {
            let verdicts = join_all(few.iter().map(|(_, held)| decider.judge(held))).await;
            let at = Instant::now();
            let is_in_vain = verdicts.iter().all(|judged| matches!(judged, Judged::Undecided));
            for ((stream, _), judged) in few.iter().zip(verdicts) {
                self.memory.judged(stream, judged, at);
            }
            if is_in_vain {
                break;
            }
            if at.saturating_duration_since(told) >= PACE {
                self.end();
                told = Instant::now();
            }
        }
        self.memory.lose(Instant::now());
    }

    /// Has HAProxy end what has to end.
    fn end(&mut self) {
        let ending = self.memory.ending(Instant::now());
        if !ending.is_empty() {
            self.runtime.end(&ending);
        }
    }

    /// Takes what HAProxy says.
    fn hear(&mut self, heard: Heard) {
        let at = Instant::now();
        let before = GOING_ON.map(|(why, _)| self.memory.going_on(why));
        let mut ended: BTreeMap<&'static str, usize> = BTreeMap::new();
        for (stream, end) in heard.ended {
            match end {
                End::Ended => {
                    let id = self.memory.id(&stream);
                    let Some(cause) = self.memory.told(&stream, at) else { continue };
                    self.note_ended(&stream, id, cause);
                    let count = ended.entry(cause.as_str()).or_default();
                    *count = count.saturating_add(1);
                }
                End::Gone => {
                    self.forget_closed(&stream);
                }
                End::Unreachable => {
                    if self.memory.goes_on(&stream, GoesOn::Unreachable, at) {
                        self.count_untracked("unreachable");
                    }
                }
            }
        }
        for stream in heard.closed {
            // What has to end is asked about by itself, which tells whether we have ended it.
            if self.memory.cause(&stream).is_none() && self.forget_closed(&stream) {
                self.found = self.found.saturating_add(1);
            }
        }
        for (stream, began) in heard.open {
            self.memory.shown(&stream, began, at);
        }
        for (cause, count) in ended {
            tracing::info!(cause, count, "open streams ended with their token");
        }
        for ((why, text), before) in GOING_ON.into_iter().zip(before) {
            let count = self.memory.going_on(why);
            if count > 0 && before == 0 {
                tracing::warn!(count, "open streams go on although their token is good no more: {text}");
            }
        }
    }

    fn forget_closed(&mut self, stream: &Stream) -> bool {
        let by_itself = self.memory.closed(stream);
        self.metrics.streams.gone.inc_by(u64::from(by_itself));
        by_itself
    }

    fn note_ended(&self, stream: &Stream, id: Option<String>, cause: Cause) {
        let cause = cause.as_str();
        self.metrics.streams.ended.get_or_create(&ByCause { cause }).inc();
        tracing::debug!(id, cause, process = stream.process, stream = stream.number, "an open stream ended");
    }

    /// Holds on to HAProxy's processes from the first stream on, and goes on with it, so that a connection to one that was replaced
    /// does not keep that alive when its streams have ended.
    fn hold(&mut self) {
        let is_due = match self.held {
            None => !self.memory.is_empty(),
            Some(at) => at.elapsed() >= HOLD,
        };
        if is_due {
            self.runtime.keep();
            self.held = Some(Instant::now());
        }
    }

    /// Looks for streams that have ended by themselves.
    fn sweep(&mut self) {
        let was_fruitful = self.found >= self.memory.len() / FRUITFUL;
        let of_all = SWEEP_OF_EACH.saturating_mul(u32::try_from(self.memory.len()).unwrap_or(u32::MAX));
        let is_soon = self.memory.is_nearly_full() && was_fruitful;
        let pause = if is_soon { SOON } else { SWEEP.saturating_add(of_all) };
        if self.swept.elapsed() < pause {
            return;
        }
        (self.swept, self.found) = (Instant::now(), 0);
        let streams = self.memory.streams();
        if !streams.is_empty() {
            self.runtime.look(&streams);
        }
    }

    fn count_untracked(&self, reason: &'static str) {
        self.metrics.streams.untracked.get_or_create(&ByReason { reason }).inc();
    }

    fn show(&self) {
        let count = |len: usize| i64::try_from(len).unwrap_or(i64::MAX);
        self.metrics.streams.open.set(count(self.memory.len()));
        self.metrics.streams.unreachable.set(count(self.memory.going_on(GoesOn::Unreachable)));
        self.metrics.streams.remaining.set(count(self.memory.going_on(GoesOn::Remains)));
    }
}

//! Load for measurements: many connections, every answer's status checked, the latency of each request kept.
//!
//! A generator of our own rather than `wrk`: ten thousand different tokens, an expected status for each request, and a
//! fixed rate whose latencies count from when a request was due, are each beyond a script in `wrk`. It runs in threads
//! of the measuring process, whose processor time is not counted.

pub mod cost;
mod exchange;
pub mod results;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Builder;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use exchange::Exchange;

/// A request as it is sent, and the only right answer to it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The bytes; they must not ask to close the connection.
    pub bytes: Vec<u8>,
    /// The expected status.
    pub expected: u16,
}

impl Prepared {
    /// A GET with this `Authorization` header.
    pub fn get(path: &str, authorization: &str, expected: u16) -> Self {
        let bytes =
            format!("GET {path} HTTP/1.1\r\nHost: edge.test\r\nAuthorization: {authorization}\r\n\r\n");
        Self { bytes: bytes.into_bytes(), expected }
    }
}

/// When a load ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// After this time.
    For(Duration),
    /// After this many requests.
    Requests(usize),
}

/// What is sent, and how.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where to.
    pub target: SocketAddr,
    /// Sent in this order, again and again.
    pub requests: Arc<[Prepared]>,
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Threads that the connections are spread over.
    pub threads: usize,
    /// Requests a second over all connections; `None`: each connection sends as soon as it has its answer.
    pub rate: Option<f64>,
    /// When it ends.
    pub amount: Amount,
}

/// What came of a load.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Answers.
    pub answers: usize,
    /// Answers with another status than the expected one, and requests without an answer.
    pub errors: usize,
    /// The first of them, for the reader.
    pub first_error: Option<String>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    latencies: Vec<Duration>,
}

impl Outcome {
    /// Answers a second.
    pub fn per_second(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that this part of the requests (0.99) kept below, or met.
    pub fn quantile(&self, part: f64) -> Duration {
        let rank = (self.latencies.len().saturating_sub(1) as f64 * part).round() as usize;
        self.latencies.get(rank).copied().unwrap_or_default()
    }

    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.latencies.extend(other.latencies);
    }

    fn failed(&mut self, why: String) {
        self.errors += 1;
        self.first_error.get_or_insert(why);
    }
}

/// What the connections of one load share.
#[derive(Debug)]
struct Shared {
    load: Load,
    next: AtomicUsize,
    stopped: AtomicBool,
    begin: Instant,
    /// When each request of a load with a rate was due, for whichever connection is free.
    due: Option<Mutex<UnboundedReceiver<Instant>>>,
}

impl Load {
    /// Sends until the end of the amount.
    ///
    /// # Panics
    ///
    /// The machine has no threads left.
    pub fn run(&self) -> Outcome {
        self.run_until(&AtomicBool::new(false))
    }

    /// The same, but not longer than until `stop` is set.
    ///
    /// # Panics
    ///
    /// The machine has no threads left.
    pub fn run_until(&self, stop: &AtomicBool) -> Outcome {
        let begin = Instant::now();
        let stopped = AtomicBool::new(false);
        let (pace, due) = match self.rate {
            None => (None, None),
            Some(rate) => {
                let (sender, due) = unbounded_channel();
                (Some(Pace { begin, rate, sender }), Some(Mutex::new(due)))
            }
        };
        let shared = Arc::new(Shared { load: self.clone(), next: AtomicUsize::new(0), stopped, begin, due });
        let threads = self.threads.clamp(1, self.connections.max(1));
        let mut whole = Outcome::default();
        thread::scope(|scope| {
            let mut pace = pace;
            let running: Vec<_> = (0..threads)
                .map(|thread| {
                    let (shared, pace) = (Arc::clone(&shared), pace.take());
                    scope.spawn(move || shared.thread(thread, threads, pace))
                })
                .collect();
            while running.iter().any(|thread| !thread.is_finished()) {
                shared.stopped.store(stop.load(Ordering::Relaxed), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(2));
            }
            for thread in running {
                whole.add(thread.join().unwrap());
            }
        });
        whole.elapsed = begin.elapsed();
        whole.latencies.sort_unstable();
        whole
    }
}

impl Shared {
    fn thread(self: Arc<Self>, thread: usize, threads: usize, pace: Option<Pace>) -> Outcome {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut paced = JoinSet::new();
            if let Some(pace) = pace {
                paced.spawn(pace.keep());
            }
            let mut connections = JoinSet::new();
            for _ in (thread..self.load.connections).step_by(threads) {
                connections.spawn(Arc::clone(&self).connection());
            }
            let mut whole = Outcome::default();
            while let Some(outcome) = connections.join_next().await {
                whole.add(outcome.unwrap());
            }
            whole
        })
    }

    /// The number of the next request, until the end.
    fn take(&self) -> Option<usize> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let goes_on = match self.load.amount {
            Amount::For(time) => self.begin.elapsed() < time,
            Amount::Requests(count) => number < count,
        };
        (goes_on && !self.stopped.load(Ordering::Relaxed)).then_some(number)
    }

    async fn connection(self: Arc<Self>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut exchange = Exchange::new(self.load.target);
        while let Some(number) = self.take() {
            let since = match &self.due {
                None => Instant::now(),
                Some(due) => due.lock().await.recv().await.unwrap_or_else(Instant::now),
            };
            let request = &self.load.requests[number % self.load.requests.len()];
            match exchange.send(&request.bytes).await {
                Ok(status) => {
                    outcome.answers += 1;
                    outcome.latencies.push(since.elapsed());
                    if status != request.expected {
                        outcome.failed(format!("{status} instead of {}", request.expected));
                    }
                }
                Err(error) => outcome.failed(error.to_string()),
            }
        }
        outcome
    }
}

/// The pace is kept in steps of this length: a timer for each request would cost the machine as much as the request does.
/// It shares no divisor with the kernel's own tick, at which Linux looks whether a processor is busy.
const STEP: Duration = Duration::from_micros(263);

/// Says when requests are due, until the receiver is gone.
///
/// Its clock is a timer of the system's, which the thread of the connections waits for along with them: a runtime's own
/// are exact to a millisecond only. What it is late by itself, some tens of microseconds, is not counted.
#[derive(Debug)]
struct Pace {
    begin: Instant,
    rate: f64,
    sender: UnboundedSender<Instant>,
}

impl Pace {
    async fn keep(self) {
        let step = Timespec::try_from(STEP).unwrap();
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).unwrap();
        let steps = Itimerspec { it_interval: step, it_value: step };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &steps).unwrap();
        #[expect(deprecated, reason = "its successor is unsafe, for types that may change their descriptor")]
        let timer = AsyncFd::with_interest(timer, Interest::READABLE).unwrap();
        let mut sent = 0_u64;
        loop {
            let mut ready = timer.readable().await.unwrap();
            let expired = ready.try_io(|timer| Ok(rustix::io::read(timer, &mut [0; 8])?));
            if expired.is_err() {
                continue;
            }
            let now = Instant::now();
            let due = (now.duration_since(self.begin).as_secs_f64() * self.rate) as u64;
            while sent < due {
                if self.sender.send(now).is_err() {
                    return;
                }
                sent += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::socket::Address;

    #[test]
    fn checks_the_status_of_every_answer() {
        let backend = Backend::start(&Address::free_port().unwrap()).unwrap();
        let &Address::Tcp(target) = backend.address() else { panic!("a TCP address was given") };
        let requests = [Prepared::get("/", "a", 200), Prepared::get("/", "b", 401)];
        let load = Load {
            target,
            requests: requests.into(),
            connections: 3,
            threads: 2,
            rate: None,
            amount: Amount::Requests(101),
        };
        let outcome = load.run();
        assert_eq!((outcome.answers, outcome.errors, backend.seen().len()), (101, 50, 101));
        assert_eq!(outcome.first_error.as_deref(), Some("200 instead of 401"));
        assert!(outcome.quantile(0.5) <= outcome.quantile(1.0));
        let paced = Load { rate: Some(2000.0), amount: Amount::Requests(10), ..load };
        assert_eq!(paced.run().answers, 10);
    }
}

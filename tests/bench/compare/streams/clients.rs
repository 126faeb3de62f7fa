//! Clients of answers that stay open.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use integration_tests::wait::poll;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::application::{LIVELY, SILENT};

/// Clients that open their streams at the same time.
const OPENING: usize = 50;
/// Thousands of them take longer than one answer.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often brief streams are opened, some each time.
const STEP: Duration = Duration::from_millis(10);

/// When a stream ended, once it has.
pub(super) type Ended = OnceLock<Instant>;

/// Streams that clients hold open.
pub(super) struct Streams {
    pub(super) ended: Arc<[Ended]>,
}

impl Streams {
    /// One for each token; returns when all are open.
    pub(super) fn open(runtime: &Runtime, target: SocketAddr, tokens: Vec<String>) -> Self {
        let ended: Arc<[Ended]> = tokens.iter().map(|_| OnceLock::new()).collect();
        let (opened, wanted) = (Arc::new(AtomicUsize::new(0)), tokens.len());
        let turns = Arc::new(Semaphore::new(OPENING));
        for (number, token) in tokens.into_iter().enumerate() {
            let (ended, opened, turns) = (Arc::clone(&ended), Arc::clone(&opened), Arc::clone(&turns));
            runtime.spawn(async move {
                let turn = turns.acquire().await.unwrap();
                let mut connection = begin(target, SILENT, &token).await;
                opened.fetch_add(1, Ordering::Relaxed);
                drop(turn);
                let mut more = [0; 64];
                while connection.read(&mut more).await.is_ok_and(|length| length > 0) {}
                // Nothing else sets it.
                let _first = ended[number].set(Instant::now());
            });
        }
        let all = poll(PATIENCE, || (opened.load(Ordering::Relaxed) == wanted).then_some(()));
        assert!(all.is_some(), "{} of {wanted} streams are open", opened.load(Ordering::Relaxed));
        Self { ended }
    }

    /// How many have ended.
    pub(super) fn ended(&self) -> usize {
        self.ended.iter().filter(|ended| ended.get().is_some()).count()
    }
}

/// Opens so many streams a second for so long, and leaves each at once. How many it opened.
pub(super) fn open_and_leave(
    runtime: &Runtime,
    target: SocketAddr,
    token: &Arc<str>,
    (rate, time): (u32, Duration),
) -> usize {
    let opened = Arc::new(AtomicUsize::new(0));
    let each = rate as usize * STEP.as_millis() as usize / 1_000;
    runtime.block_on(async {
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for _ in 0..time.as_millis() / STEP.as_millis() {
            steps.tick().await;
            for _ in 0..each {
                let (opened, token) = (Arc::clone(&opened), Arc::clone(token));
                tokio::spawn(async move {
                    drop(begin(target, LIVELY, &token).await);
                    opened.fetch_add(1, Ordering::Relaxed);
                });
            }
        }
    });
    let wanted = each * (time.as_millis() / STEP.as_millis()) as usize;
    let all = poll(PATIENCE, || (opened.load(Ordering::Relaxed) == wanted).then_some(()));
    assert!(all.is_some(), "{} of {wanted} streams were open", opened.load(Ordering::Relaxed));
    wanted
}

/// A stream whose answer has begun. What could not be decided in time, as on a busy machine, is asked again.
async fn begin(target: SocketAddr, path: &str, token: &str) -> TcpStream {
    loop {
        let (connection, answer) = ask(target, path, token).await;
        if answer.starts_with("HTTP/1.1 200") {
            return connection;
        }
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        sleep(STEP).await;
    }
}

async fn ask(target: SocketAddr, path: &str, token: &str) -> (TcpStream, String) {
    let mut connection = TcpStream::connect(target).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: edge.test\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 1024];
    let length = connection.read(&mut answer).await.unwrap();
    (connection, String::from_utf8_lossy(&answer[..length]).into_owned())
}

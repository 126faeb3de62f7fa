//! Readers of the feed as agents are: one kept connection each, one poll after the other, and the pause of an agent between two.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use integration_tests::http::Request;
use integration_tests::wait::eventually;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

/// Between two polls of one agent (`PACE` in `agent/src/token_server/feed.rs`).
const PACE: Duration = Duration::from_millis(5);

/// What begins the names of subjects that readers look for; a number follows.
pub(super) const NAME: &str = "feed-";

/// A reader heard of a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) rule: usize,
    pub(super) at: Instant,
}

/// Readers in a thread of their own, until this is dropped.
pub(super) struct Readers {
    shared: Arc<Shared>,
    /// Gone when they are to end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Answers.
    answers: AtomicU64,
    /// Readers that have had an answer.
    reading: AtomicUsize,
    /// Answers that did not name what changed.
    gaps: AtomicU64,
    heard: Mutex<Vec<Heard>>,
}

impl Readers {
    /// Connects so many, and waits until each has had an answer.
    pub(super) fn start(server: SocketAddr, count: usize) -> Self {
        let (shared, (stop, stopped)) = (Arc::<Shared>::default(), oneshot::channel::<()>());
        let told = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut readers = JoinSet::new();
                for _ in 0..count {
                    readers.spawn(read(server, Arc::clone(&told)));
                }
                stopped.await.ok();
            });
        });
        let readers = Self { shared, stop: Some(stop), thread: Some(thread) };
        eventually("each reader has an answer", || {
            (readers.shared.reading.load(Ordering::Relaxed) == count).then_some(())
        });
        readers
    }

    /// Answers so far.
    pub(super) fn answers(&self) -> u64 {
        self.shared.answers.load(Ordering::Relaxed)
    }

    /// Answers so far that did not name what changed, beside the first of each reader.
    pub(super) fn gaps(&self) -> u64 {
        self.shared.gaps.load(Ordering::Relaxed)
    }

    /// What was heard since this was last asked.
    pub(super) fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

async fn read(server: SocketAddr, shared: Arc<Shared>) {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut since, mut buffer) = (None::<String>, Vec::new());
    loop {
        let position = since.as_ref().map(|since| format!("&since={since}")).unwrap_or_default();
        let poll = Request::get(&format!("/v1/events?profile=standard{position}"));
        let sent = Instant::now();
        stream.write_all(&poll.header("Connection", "keep-alive").to_bytes()).await.unwrap();
        let body = response(&mut stream, &mut buffer).await;
        let at = Instant::now();
        let events: Value = serde_json::from_slice(&body).unwrap();
        shared.answers.fetch_add(1, Ordering::Relaxed);
        match events["changes"]["groups"].as_array() {
            Some(names) => {
                let rule = |name: &Value| name.as_str()?.strip_prefix(NAME)?.parse().ok();
                let heard = names.iter().filter_map(rule).map(|rule| Heard { rule, at });
                shared.heard.lock().unwrap_or_else(PoisonError::into_inner).extend(heard);
            }
            None if since.is_some() => _ = shared.gaps.fetch_add(1, Ordering::Relaxed),
            None => _ = shared.reading.fetch_add(1, Ordering::Relaxed),
        }
        since = Some(format!("{}:{}", events["epoch"].as_str().unwrap(), events["revision"]));
        sleep_until((sent + PACE).into()).await;
    }
}

/// The body of one response; what came behind it stays in the buffer.
async fn response(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Vec<u8> {
    loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end]).unwrap();
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
            });
            let whole = end + 4 + length.unwrap();
            if buffer.len() >= whole {
                let body = buffer[end + 4..whole].to_vec();
                buffer.drain(..whole);
                return body;
            }
        }
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "the server has closed the connection");
    }
}

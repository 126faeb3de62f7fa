//! A listener under silent and slow connections. They are made in this process, so that thousands of them need no descriptor.

use std::io;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::*;
use crate::places::Counts;

/// Accepts what the test sends.
struct Door(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Door {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes of an answer that no buffer takes whole.
const LONG: usize = 1 << 20;

struct Stand {
    door: mpsc::UnboundedSender<DuplexStream>,
    counts: Counts,
    go_on: Arc<Notify>,
    shutdown: Shutdown,
    serving: JoinHandle<()>,
}

fn stand(max: usize) -> Stand {
    let (door, connections) = mpsc::unbounded_channel();
    let (counts, shutdown, go_on) = (Counts::default(), Shutdown::new(), Arc::new(Notify::new()));
    let waits = Arc::clone(&go_on);
    let routes = Router::new().route("/health", get(async || "ok\n"));
    let routes = routes.route("/long", get(async || vec![b'x'; LONG])).route(
        "/wait",
        get(async move || {
            waits.notified().await;
            "waited\n"
        }),
    );
    let places = Places::new(max, counts.clone());
    let serving = tokio::spawn(serve(Door(connections), None, routes, places, shutdown.clone()));
    Stand { door, counts, go_on, shutdown, serving }
}

impl Stand {
    fn connect(&self) -> DuplexStream {
        let (ours, theirs) = duplex(4096);
        self.door.send(theirs).unwrap();
        ours
    }

    async fn connected(&self, open: i64) {
        while self.counts.open.get() != open {
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.serving.await.unwrap();
    }
}

async fn ask(stream: &mut DuplexStream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
}

/// The answer to a request whose body is one line.
async fn answer(stream: &mut DuplexStream) -> String {
    let mut text = String::new();
    while !text.contains("\r\n\r\n") || !text.ends_with('\n') || text.ends_with("\r\n\r\n") {
        let byte = stream.read_u8().await.expect("an answer");
        text.push(char::from(byte));
    }
    text
}

async fn is_closed(stream: &mut DuplexStream) -> bool {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.is_ok() && rest.is_empty()
}

#[tokio::test(start_paused = true)]
async fn health_is_answered_beside_thousands_of_silent_connections_of_which_the_oldest_go() {
    let stand = stand(MAX_CONNECTIONS);
    let mut kept = stand.connect();
    ask(&mut kept, "/health").await;
    assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200"));
    let mut silent: Vec<_> = (0..5_000).map(|_| stand.connect()).collect();
    for stream in silent.iter_mut().skip(1_000).take(1_000) {
        stream.write_all(b"GET /health HT").await.unwrap();
    }
    let mut new = stand.connect();
    ask(&mut new, "/health").await;
    assert!(answer(&mut new).await.starts_with("HTTP/1.1 200"));
    let over = 5_000 + 2 - MAX_CONNECTIONS;
    assert_eq!(usize::try_from(stand.counts.shed.get()), Ok(over));
    for stream in silent.iter_mut().take(over) {
        assert!(is_closed(stream).await);
    }
    ask(&mut kept, "/health").await;
    assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200"), "it has worked before");
    drop(silent);
    stand.connected(2).await;
    drop((kept, new));
    stand.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_that_sends_no_head_in_time_is_closed_and_one_that_has_asked_may_idle() {
    let stand = stand(3);
    let start = Instant::now();
    let (mut silent, mut slow, mut kept) = (stand.connect(), stand.connect(), stand.connect());
    ask(&mut kept, "/health").await;
    answer(&mut kept).await;
    let trickle = async {
        for byte in b"GET /health HTTP/1.1\r\nhost: x\r\n".iter().cycle() {
            if slow.write_u8(*byte).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(700)).await;
        }
    };
    let (closed, ()) = tokio::join!(is_closed(&mut silent), trickle);
    assert!(closed);
    stand.connected(1).await;
    assert!(start.elapsed() < FIRST_HEAD_TIMEOUT + Duration::from_secs(1));
    assert!(IDLE_TIMEOUT > Duration::from_secs(30), "HAProxy closes what it keeps after 30 s");
    sleep(IDLE_TIMEOUT - Duration::from_secs(10)).await;
    ask(&mut kept, "/health").await;
    answer(&mut kept).await;
    assert!(is_closed(&mut kept).await, "after the idle limit");
    stand.end().await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_in_work_are_never_shed_and_the_next_connection_waits_for_one_of_them() {
    let stand = stand(2);
    let (mut first, mut second) = (stand.connect(), stand.connect());
    ask(&mut first, "/wait").await;
    ask(&mut second, "/wait").await;
    stand.connected(2).await;
    let mut third = stand.connect();
    ask(&mut third, "/health").await;
    tokio::select! {
        _ = answer(&mut third) => panic!("both places are taken by requests"),
        () = sleep(Duration::from_secs(3)) => {}
    }
    assert_eq!(stand.counts.shed.get(), 0);
    stand.go_on.notify_one();
    assert!(answer(&mut third).await.ends_with("ok\n"));
    stand.go_on.notify_one();
    let waited = [answer(&mut first).await, answer(&mut second).await];
    assert!(waited.iter().all(|answer| answer.ends_with("waited\n")), "{waited:?}");
    assert_eq!(stand.counts.shed.get(), 1);
    stand.end().await;
}

#[tokio::test(start_paused = true)]
async fn half_a_head_gives_up_its_place_at_once_and_a_slow_reader_within_a_second() {
    let stand = stand(1);
    let mut half = stand.connect();
    half.write_all(b"GET /health HT").await.unwrap();
    stand.connected(1).await;
    let mut slow = stand.connect();
    let start = Instant::now();
    ask(&mut slow, "/long").await;
    let mut begun = [0; 15];
    slow.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200 OK");
    assert_eq!(start.elapsed(), Duration::ZERO);
    let mut next = stand.connect();
    ask(&mut next, "/health").await;
    let (mut rest, mut buffer) = (0, [0; 1024]);
    while rest < LONG {
        let read = slow.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "it gets all that it reads in time");
        rest += read;
    }
    assert!(answer(&mut next).await.ends_with("ok\n"));
    ask(&mut next, "/long").await;
    let mut last = stand.connect();
    ask(&mut last, "/health").await;
    assert!(answer(&mut last).await.ends_with("ok\n"), "one that does not read keeps no other out");
    assert!(start.elapsed() <= 2 * LEAVE_TIMEOUT);
    assert_eq!(stand.counts.shed.get(), 3);
    stand.end().await;
}

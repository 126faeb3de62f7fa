use std::sync::atomic::AtomicUsize;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::places::{Counts, Places};
use crate::shutdown::Shutdown;

/// RFC 9113 sections 6.2, 6.4, 6.5, 6.8, 6.10, 7.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ENHANCE_YOUR_CALM: u8 = 11;

/// One connection, its server's end already served.
struct Stand {
    peer: DuplexStream,
    served: JoinHandle<()>,
    /// Lets the requests of `/wait` go on.
    go_on: Arc<Notify>,
    /// Requests of `/wait` in work.
    waiting: Arc<AtomicUsize>,
    shutdown: Shutdown,
    /// The one that it has.
    places: Places,
}

/// Counts itself as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn serve(room: usize) -> Stand {
    let (go_on, waiting) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let wait = {
        let (go_on, waiting) = (Arc::clone(&go_on), Arc::clone(&waiting));
        move || async move {
            waiting.fetch_add(1, Ordering::SeqCst);
            let _counted = Counted(waiting);
            go_on.notified().await;
            "waited"
        }
    };
    let routes = Router::new()
        .route("/now", get(async || "now"))
        .route("/wait", get(wait))
        .route("/panic", get(async || -> &'static str { panic!("as the test wants") }));
    let (peer, ours) = duplex(1024 * 1024);
    let shutdown = Shutdown::new();
    let served =
        Served { tls: None, answers: routes, room: Semaphore::new(room), shutdown: shutdown.clone() };
    let places = Places::new(1, Counts::default());
    let place = places.take(Instant::now()).unwrap();
    let served = tokio::spawn(connection(Arc::new(served), ours, (), Arc::new(place)));
    Stand { peer, served, go_on, waiting, shutdown, places }
}

type Client = SendRequest<Body>;

async fn client(peer: DuplexStream) -> Client {
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(peer)).await.unwrap();
    tokio::spawn(connection);
    client
}

fn asked(path: &str) -> Request<Body> {
    Request::get(format!("http://server{path}")).body(Body::empty()).unwrap()
}

async fn status(client: &mut Client, path: &str) -> u16 {
    client.send_request(asked(path)).await.unwrap().status().as_u16()
}

/// Lets everything run that needs no time.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What every client begins with.
fn preface() -> Vec<u8> {
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &[])].concat()
}

/// RFC 7541 appendix A: GET, http, and a literal path and authority.
fn fields(path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    [&[0x82, 0x86, 0x04, length][..], path.as_bytes(), &[0x01, 1, b's']].concat()
}

fn opened(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &fields(path))
}

/// Streams of a client, in their order.
fn streams(count: usize) -> impl Iterator<Item = u32> {
    (1..).step_by(2).take(count)
}

/// The error code of the GOAWAY that comes before the end; absent without one.
async fn farewell(peer: &mut DuplexStream) -> Option<u8> {
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).await.unwrap();
    let (mut rest, mut code) = (&bytes[..], None);
    while let [a, b, c, kind, _, _, _, _, _, behind @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if *kind == GOAWAY {
            code = Some(behind[7]);
        }
        rest = &behind[length..];
    }
    code
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_holds_up_no_other_of_its_connection() {
    let stand = serve(MAX_STREAMS as usize);
    let mut client = client(stand.peer).await;
    let waiting = tokio::spawn(client.send_request(asked("/wait")));
    settle().await;
    for _ in 0..1_000 {
        assert_eq!(status(&mut client, "/now").await, 200);
    }
    assert!(!waiting.is_finished());
    stand.go_on.notify_waiters();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_its_own_request() {
    let stand = serve(MAX_STREAMS as usize);
    let mut client = client(stand.peer).await;
    let waiting = tokio::spawn(client.send_request(asked("/wait")));
    settle().await;
    assert!(client.send_request(asked("/panic")).await.is_err());
    stand.go_on.notify_waiters();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    assert_eq!(status(&mut client, "/now").await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_asks_for_nothing_is_told_to_go() {
    let stand = serve(MAX_STREAMS as usize);
    let begin = Instant::now();
    let mut client = client(stand.peer).await;
    assert_eq!(status(&mut client, "/now").await, 200);
    stand.served.await.unwrap();
    assert!((IDLE_TIMEOUT..=IDLE_TIMEOUT * 2 + LEAVE_TIMEOUT).contains(&begin.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_connects_in_advance_may_ask_until_the_idle_limit() {
    let stand = serve(MAX_STREAMS as usize);
    let mut client = client(stand.peer).await;
    sleep(IDLE_TIMEOUT - Duration::from_secs(1)).await;
    assert_eq!(status(&mut client, "/now").await, 200);
    let unasked = serve(MAX_STREAMS as usize);
    let begin = Instant::now();
    let _client = self::client(unasked.peer).await;
    unasked.served.await.unwrap();
    assert!((IDLE_TIMEOUT..=IDLE_TIMEOUT * 2 + LEAVE_TIMEOUT).contains(&begin.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_has_to_give_up_its_place_goes_within_a_second_though_it_ignores_the_goodbye() {
    let mut stand = serve(MAX_STREAMS as usize);
    stand.peer.write_all(&preface()).await.unwrap();
    settle().await;
    let begin = Instant::now();
    let _next = stand.places.take(Instant::now()).unwrap();
    stand.served.await.unwrap();
    assert!(begin.elapsed() <= super::super::LEAVE_TIMEOUT, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_goes_on_asking_stays_and_so_does_one_that_waits() {
    let stand = serve(MAX_STREAMS as usize);
    let mut client = client(stand.peer).await;
    for _ in 0..10 {
        assert_eq!(status(&mut client, "/now").await, 200);
        tokio::time::sleep(IDLE_TIMEOUT / 2).await;
    }
    let waiting = tokio::spawn(client.send_request(asked("/wait")));
    tokio::time::sleep(IDLE_TIMEOUT * 10).await;
    stand.go_on.notify_waiters();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_halfway_is_cut_off() {
    let unfinished = [preface(), frame(HEADERS, END_STREAM, 1, &fields("/now"))].concat();
    for (what, sent, most) in [
        ("nothing", Vec::new(), FIRST_HEAD_TIMEOUT),
        ("half a preface", preface()[..9].to_vec(), FIRST_HEAD_TIMEOUT),
        ("no request", preface(), PING_INTERVAL + PING_TIMEOUT),
        ("half a head", unfinished, PING_INTERVAL + PING_TIMEOUT),
    ] {
        let mut stand = serve(MAX_STREAMS as usize);
        let begin = Instant::now();
        stand.peer.write_all(&sent).await.unwrap();
        stand.served.await.unwrap();
        assert!(begin.elapsed() <= most + Duration::from_secs(1), "{what}: {:?}", begin.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_gets_no_more_requests_into_work_than_it_may_have_open() {
    let mut stand = serve(1_000);
    let mut streams = streams(MAX_STREAMS as usize + MAX_REFUSED + 1);
    let many = streams.by_ref().take(MAX_STREAMS as usize + MAX_REFUSED);
    let many: Vec<u8> = many.flat_map(|stream| opened(stream, "/wait")).collect();
    stand.peer.write_all(&[preface(), many].concat()).await.unwrap();
    settle().await;
    assert_eq!(stand.waiting.load(Ordering::SeqCst), MAX_STREAMS as usize);
    stand.peer.write_all(&opened(streams.next().unwrap(), "/wait")).await.unwrap();
    assert_eq!(farewell(&mut stand.peer).await, Some(ENHANCE_YOUR_CALM));
    stand.served.await.unwrap();
    assert_eq!(stand.waiting.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_back_what_it_asks_is_cut_off() {
    let mut stand = serve(1_000);
    let pairs = streams(MAX_RESET_UNSEEN + 2)
        .flat_map(|stream| [opened(stream, "/wait"), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())]);
    stand.peer.write_all(&[preface(), pairs.flatten().collect()].concat()).await.unwrap();
    assert_eq!(farewell(&mut stand.peer).await, Some(ENHANCE_YOUR_CALM));
    stand.served.await.unwrap();
    assert_eq!(stand.waiting.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_long_is_refused_and_one_without_end_cut_off() {
    let stand = serve(MAX_STREAMS as usize);
    let mut client = client(stand.peer).await;
    for (length, expected) in [(MAX_HEADER_BYTES - 1024, 200), (MAX_HEADER_BYTES, 431)] {
        let mut request = asked("/now");
        request.headers_mut().insert("x-long", "x".repeat(length as usize).parse().unwrap());
        let answer = client.send_request(request).await.unwrap();
        assert_eq!(answer.status(), expected, "{length}");
    }

    let mut stand = serve(MAX_STREAMS as usize);
    let begun = [preface(), frame(HEADERS, END_STREAM, 1, &fields("/now"))].concat();
    stand.peer.write_all(&begun).await.unwrap();
    let more = frame(CONTINUATION, 0, 1, &[&[0x00, 1, b'x', 100][..], &[b'y'; 100]].concat());
    let mut sent = 0;
    while !stand.served.is_finished() {
        let written = stand.peer.write_all(&more).await;
        sent += more.len();
        assert!(sent < 4 * MAX_HEADER_BYTES as usize, "still there after {sent} bytes: {written:?}");
        settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn more_requests_than_the_listener_has_room_for_are_refused() {
    let stand = serve(1);
    let mut client = client(stand.peer).await;
    let waiting = tokio::spawn(client.send_request(asked("/wait")));
    settle().await;
    assert_eq!(status(&mut client, "/now").await, 503);
    stand.go_on.notify_waiters();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    assert_eq!(status(&mut client, "/now").await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_what_has_begun_end_and_takes_nothing_more() {
    let stand = serve(MAX_STREAMS as usize);
    let mut client = client(stand.peer).await;
    let waiting = tokio::spawn(client.send_request(asked("/wait")));
    settle().await;
    stand.shutdown.cancel();
    settle().await;
    assert!(client.send_request(asked("/now")).await.is_err());
    stand.go_on.notify_waiters();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    stand.served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_request_outlives_its_connection() {
    let stand = serve(MAX_STREAMS as usize);
    let mut client = client(stand.peer).await;
    let _waiting = tokio::spawn(client.send_request(asked("/wait")));
    settle().await;
    assert_eq!(stand.waiting.load(Ordering::SeqCst), 1);
    stand.served.abort();
    assert!(stand.served.await.is_err());
    assert_eq!(stand.waiting.load(Ordering::SeqCst), 0);
}

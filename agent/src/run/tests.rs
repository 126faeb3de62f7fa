//! An agent all of whose places are taken.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::*;
use crate::current::tests::current;

/// Above any delay of a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

const TICK: Duration = Duration::from_millis(5);

/// Waits for what another task does.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waits = async {
        while !is_so() {
            sleep(TICK).await;
        }
    };
    timeout(DEADLINE, waits).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

#[tokio::test]
async fn an_agent_whose_connections_are_all_at_work_refuses_and_is_not_ready_until_one_of_them_rests() {
    let (readiness, open) = (Readiness::new(), Gauge::default());
    let metrics = Metrics::register(&mut Registry::default());
    let counts = Counts { open: open.clone(), shed: metrics.connections_shed.clone() };
    let places = Places::new(2, counts);
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.address();
    let served = Served {
        current: current(Readiness::new()),
        metrics: Arc::clone(&metrics),
        connections: TaskTracker::new(),
        leave: Leave::new(),
        places: places.clone(),
        readiness: readiness.clone(),
    };
    let full = Shutdown::new();
    let accepting = tokio::spawn(accept(listener, served, full.clone()));
    let take = || places.take(Instant::now()).unwrap();
    let (first, second) = (take(), take());
    first.works();
    second.works();

    for refused in 1..=2 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let read = timeout(DEADLINE, stream.read(&mut [0])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
        assert_eq!(metrics.connections_refused.get(), refused);
        let why = readiness.check().unwrap_err();
        assert!(why.starts_with("connections: all of them are at work"), "{why}");
    }

    first.rests(Instant::now());
    eventually("one rests, so the agent is ready", || readiness.check().is_ok()).await;
    let _taken = TcpStream::connect(&address).await.unwrap();
    timeout(DEADLINE, first.shed()).await.unwrap();
    assert_eq!(metrics.connections_shed.get(), 1);
    drop(first);
    eventually("its place is taken", || open.get() == 2).await;
    assert_eq!((metrics.connections_refused.get(), readiness.check()), (2, Ok(())));
    full.cancel();
    accepting.await.unwrap();
}

//! The set of servers as it changes, and what becomes of the connections of one that leaves.

use std::net::SocketAddr;

use jose::{Leeway, Profile};
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::super::endpoint::Scheme;
use super::super::tls::Secrets;
use super::*;
use crate::config::{TokenServerConfig, TokenServers};
use crate::metrics::Metrics;

/// Above any delay of a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

fn servers() -> Servers {
    let config = TokenServerConfig {
        servers: TokenServers::Urls(Vec::new()),
        token_file: None,
        ca_file: None,
        identity: None,
        budget: DEADLINE,
    };
    let metrics = Metrics::register(&mut Registry::default());
    let manner = Manner { profile: Profile::Standard, leeway: Leeway::NONE, budget: DEADLINE, metrics };
    Servers::new(Dialer::new(Arc::new(Secrets::load(&config).unwrap()), "a").unwrap(), manner)
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { scheme: Scheme::Http, host: "token-server.test".to_owned(), address }
}

fn ids(watched: &watch::Receiver<Snapshot>) -> Vec<(u64, u16)> {
    watched.borrow().iter().map(|server| (server.id.0, server.endpoint.address.port())).collect()
}

#[test]
fn a_server_that_stays_stays_the_same_and_one_that_comes_back_is_another() {
    let mut servers = servers();
    let mut watched = servers.watch();
    let mut replace = |ports: &[u16]| {
        let endpoints = ports.iter().map(|port| endpoint(([127, 0, 0, 1], *port).into())).collect();
        servers.replace(&endpoints).len()
    };
    assert_eq!(replace(&[1, 2]), 2);
    assert_eq!(ids(&watched), [(0, 1), (1, 2)]);
    assert!(watched.has_changed().unwrap());
    watched.mark_unchanged();
    assert_eq!(replace(&[2, 1]), 0);
    assert!(!watched.has_changed().unwrap(), "it is the same set");
    assert_eq!(replace(&[2, 3]), 1);
    assert_eq!(ids(&watched), [(1, 2), (2, 3)]);
    assert_eq!(replace(&[1, 2, 3]), 1);
    assert_eq!(ids(&watched), [(1, 2), (2, 3), (3, 1)]);
    assert_eq!(replace(&[]), 0);
    assert_eq!(ids(&watched), []);
}

/// Reads one request of HTTP/1.1 with an empty batch, and answers it.
async fn serve(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"]}") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the connection ended");
    }
    let answer = r#"{"store_id":"s","epoch":"e","revision":1,"results":[]}"#;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn a_server_is_reached_at_its_address_by_its_name_and_its_connections_end_with_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut servers = servers();
    let watched = servers.watch();
    let drivers = servers.replace(&[endpoint(listener.local_addr().unwrap())].into());
    let driving = tokio::spawn(async move {
        for driver in drivers {
            driver.run().await;
        }
    });
    let body = r#"{"profile":"standard","checks":[]}"#;
    let server = Arc::clone(&watched.borrow()[0]);
    let served = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // The second call comes over the same connection.
        (serve(&mut stream).await, serve(&mut stream).await, stream)
    };
    let called = async {
        for _ in 0..2 {
            let response = server.http.check(body.into(), 1_000, DEADLINE).await.unwrap();
            assert_eq!((&*response.epoch, response.results.len()), ("e", 0));
        }
    };
    let ((request, _, mut stream), ()) =
        timeout(DEADLINE, async { tokio::join!(served, called) }).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    assert!(request.contains(&format!("host: token-server.test:{port}\r\n")), "{request}");

    assert!(servers.replace(&BTreeSet::new()).is_empty());
    drop(server);
    timeout(DEADLINE, driving).await.unwrap().unwrap();
    let read = timeout(DEADLINE, stream.read(&mut [0])).await.unwrap();
    assert_eq!(read.unwrap(), 0, "the kept connection is closed");
}

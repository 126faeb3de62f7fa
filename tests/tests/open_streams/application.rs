//! An application whose answers never end, whatever its clients do.

use std::collections::BTreeSet;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::backend::WEBSOCKET_ACCEPT;
use integration_tests::http::{header, read_head};
use integration_tests::socket::Address;
use jwt_agent::request::Stream;

/// A server that remembers what it was asked.
pub(super) struct Application {
    pub address: Address,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// Requests: their path, and the stream that HAProxy named.
    requests: Vec<(String, Stream)>,
    /// Paths of WebSockets whose client sends no more.
    half_closed: BTreeSet<String>,
}

impl Application {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Seen>>::default();
        let all = Arc::clone(&seen);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let seen = Arc::clone(&all);
                thread::spawn(move || serve(connection, &seen));
            }
        });
        Self { address, seen }
    }

    /// The stream of the last request for a path.
    pub(super) fn stream(&self, path: &str) -> Option<Stream> {
        let seen = self.seen.lock().unwrap();
        seen.requests.iter().rfind(|(name, _)| name == path).map(|(_, stream)| *stream)
    }

    pub(super) fn is_half_closed(&self, path: &str) -> bool {
        self.seen.lock().unwrap().half_closed.contains(path)
    }
}

fn serve(mut connection: TcpStream, seen: &Arc<Mutex<Seen>>) {
    const UPGRADED: &str =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    const STREAMED: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    /// A chunk of four bytes.
    const TICK: &[u8] = b"4\r\ntick\r\n";
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let Ok(Some((line, headers))) = read_head(&mut reader) else { return };
    let value = |name| header(&headers, name);
    let number = |name| value(name).unwrap().parse::<u64>().unwrap();
    let client = || Some(SocketAddr::new(value("x-address")?.parse().ok()?, value("x-port")?.parse().ok()?));
    let stream = Stream {
        process: number("x-process").try_into().unwrap(),
        number: number("x-stream"),
        client: client(),
        since: Instant::now(),
    };
    let path = line.split(' ').nth(1).unwrap().to_owned();
    seen.lock().unwrap().requests.push((path.clone(), stream));
    let is_web_socket = value("upgrade").is_some();
    let head = if is_web_socket {
        format!("{UPGRADED}Sec-WebSocket-Accept: {WEBSOCKET_ACCEPT}\r\n\r\n")
    } else {
        STREAMED.to_owned()
    };
    if is_web_socket {
        let seen = Arc::clone(seen);
        thread::spawn(move || {
            if reader.read_to_end(&mut Vec::new()).is_ok() {
                seen.lock().unwrap().half_closed.insert(path);
            }
        });
    }
    let mut sent = connection.write_all(head.as_bytes());
    while sent.is_ok() {
        sent = connection.write_all(TICK);
        thread::sleep(Duration::from_millis(50));
    }
    // Else the one who reads would hold it open.
    let _is_closed_already = connection.shutdown(Shutdown::Both);
}

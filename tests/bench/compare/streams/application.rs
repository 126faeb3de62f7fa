//! An application whose answers stay open.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::sleep;

/// An answer that stays open, and says nothing more.
pub(super) const SILENT: &str = "/silent";
/// One that says something twice a second, by which HAProxy finds that its client has left.
pub(super) const LIVELY: &str = "/lively";

const BEAT: Duration = Duration::from_millis(500);
const OPEN: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 0\n\n\r\n";
const EVENT: &[u8] = b"9\r\ndata: 1\n\n\r\n";
const SHORT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Serves, until the runtime ends.
pub(super) fn serve(runtime: &Runtime) -> SocketAddr {
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(answer(connection));
        }
    });
    address
}

/// A client that is gone is no fault of this server.
async fn answer(mut connection: TcpStream) {
    let (mut head, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = connection.read(&mut part).await {
        head.extend_from_slice(&part[..length]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let is_for = |path: &str| head.starts_with(format!("GET {path} ").as_bytes());
        let (is_lively, is_open) = (is_for(LIVELY), is_for(LIVELY) || is_for(SILENT));
        head.clear();
        if connection.write_all(if is_open { OPEN } else { SHORT }).await.is_err() {
            return;
        }
        if is_lively {
            while connection.write_all(EVENT).await.is_ok() {
                sleep(BEAT).await;
            }
            return;
        }
    }
}

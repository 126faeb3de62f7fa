//! The application behind HAProxy: it remembers each request that reached it and answers with what it saw.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::http::{header, read_head};
use crate::socket::{Address, Connection, Listener};

/// The key of RFC 6455 section 1.3, the only one that this server knows the answer to: HAProxy checks the answer.
pub const WEBSOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// That answer.
pub const WEBSOCKET_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Where an upgrade goes on when its client has no more to say, and what is sent then.
const STAYS: &str = "GET /stays ";
const STILL_HERE: &[u8] = b"!";
const PAUSE: Duration = Duration::from_millis(50);

/// A request that got through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The request line.
    pub line: String,
    pub headers: Vec<(String, String)>,
    /// What followed a chunked body (RFC 9112 section 7.1.2).
    pub trailers: Vec<(String, String)>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// A server that answers 200 to everything, with the request line and the headers as JSON.
#[derive(Debug)]
pub struct Backend {
    address: Address,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// How a backend renders what it saw.
pub type Render = fn(&Seen) -> String;

impl Backend {
    /// Starts it for tests: compact JSON.
    pub fn start(address: &Address) -> io::Result<Self> {
        Self::start_with(address, as_json)
    }

    /// Starts it with an answer of another look. It lives as long as the process.
    pub fn start_with(address: &Address, render: Render) -> io::Result<Self> {
        let listener = address.listen()?;
        let address = listener.address()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&seen);
        thread::spawn(move || accept(&listener, &shared, render));
        Ok(Self { address, seen })
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Forgets the requests so far, of which a long run has many.
    pub fn forget(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn accept(listener: &Listener, seen: &Arc<Mutex<Vec<Seen>>>, render: Render) {
    while let Ok(connection) = listener.accept() {
        let seen = Arc::clone(seen);
        thread::spawn(move || {
            // HAProxy closes connections as it likes; that is no fault of this server.
            let _closed = serve(BufReader::new(connection), &seen, render);
        });
    }
}

fn serve(mut stream: BufReader<Connection>, seen: &Mutex<Vec<Seen>>, render: Render) -> io::Result<()> {
    while let Some((line, headers)) = read_head(&mut stream)? {
        let chunked = header(&headers, "transfer-encoding").is_some_and(|coding| coding == "chunked");
        let trailers = if chunked { read_chunks(&mut stream)? } else { Vec::new() };
        let request = Seen { line, headers, trailers };
        let body = render(&request);
        let length = request.header("content-length").and_then(|length| length.parse().ok());
        let tunnel = request.line.starts_with("CONNECT ");
        let upgrade = request.header("upgrade").map(str::to_owned);
        let stays = request.line.starts_with(STAYS);
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        io::copy(&mut stream.by_ref().take(length.unwrap_or(0)), &mut io::sink())?;
        if let Some(protocol) = upgrade {
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\
                 Sec-WebSocket-Accept: {WEBSOCKET_ACCEPT}\r\n\r\n"
            );
            stream.get_mut().write_all(head.as_bytes())?;
            echo(&mut stream)?;
            return if stays { goes_on(&mut stream) } else { Ok(()) };
        }
        if tunnel {
            stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            return echo(&mut stream);
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.get_mut().write_all(format!("{head}{body}").as_bytes())?;
    }
    Ok(())
}

/// Skips a chunked body and gives the trailers behind it.
fn read_chunks(stream: &mut BufReader<Connection>) -> io::Result<Vec<(String, String)>> {
    loop {
        let mut size = String::new();
        stream.read_line(&mut size)?;
        match u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)? {
            0 => break,
            size => io::copy(&mut stream.by_ref().take(size + 2), &mut io::sink())?,
        };
    }
    let mut trailers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            return Ok(trailers);
        };
        trailers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// After an upgrade: every byte comes back.
fn echo(stream: &mut BufReader<Connection>) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        stream.get_mut().write_all(&buffer[..length])?;
    }
}

/// Until none can hear it.
fn goes_on(stream: &mut BufReader<Connection>) -> io::Result<()> {
    loop {
        stream.get_mut().write_all(STILL_HERE)?;
        thread::sleep(PAUSE);
    }
}

fn as_json(seen: &Seen) -> String {
    let mut headers = Map::new();
    for (name, value) in &seen.headers {
        headers.insert(name.to_ascii_lowercase(), Value::String(value.clone()));
    }
    json!({"line": seen.line, "headers": headers}).to_string()
}

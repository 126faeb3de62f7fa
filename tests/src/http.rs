//! Requests as raw bytes, so that they can be wrong on purpose, and responses.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};

use crate::scan;
use crate::socket::Connection;

/// The value of the first header called `name`.
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A request of HTTP/1.1 that asks to close the connection.
#[derive(Debug, Clone)]
pub struct Request {
    line: String,
    headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    pub fn get(target: &str) -> Self {
        Self::line(&format!("GET {target} HTTP/1.1"))
    }

    /// With a request line of any shape.
    pub fn line(line: &str) -> Self {
        scan::note_line(line);
        Self { line: line.to_owned(), headers: vec![("Host".to_owned(), b"edge.test".to_vec())] }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        scan::note_header(name, value.as_ref());
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.line).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("connection")) {
            bytes.extend_from_slice(b"Connection: close\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

/// A connection that can carry several requests.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<Connection>,
}

impl Client {
    pub fn new(connection: Connection) -> Self {
        Self { stream: BufReader::new(connection) }
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads exactly as many bytes as fit, past HTTP, such as those of a tunnel.
    pub fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.stream.read_exact(buffer)
    }

    /// Says that nothing more is written.
    pub fn half_close(&mut self) -> io::Result<()> {
        self.stream.get_ref().half_close()
    }

    /// Reads one response; informational ones other than 101 are skipped.
    pub fn response(&mut self) -> io::Result<Response> {
        loop {
            let (line, headers) = read_head(&mut self.stream)?
                .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "closed without a response"))?;
            let status: u16 = line
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok())
                .ok_or_else(|| io::Error::other(format!("not a status line: {line}")))?;
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let mut body = Vec::new();
            if status != 101 {
                match header(&headers, "content-length").and_then(|length| length.parse().ok()) {
                    Some(length) => {
                        body.resize(length, 0);
                        self.stream.read_exact(&mut body)?;
                    }
                    None => {
                        self.stream.read_to_end(&mut body)?;
                    }
                }
            }
            return Ok(Response { status, headers, body });
        }
    }
}

/// The first line of a message and its headers.
pub type Head = (String, Vec<(String, String)>);

/// Reads the first line and the headers of a message; `None` when the peer closed instead.
pub fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap_or_default();
    let headers = lines
        .filter_map(|line| {
            line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        })
        .collect();
    Ok(Some((first, headers)))
}

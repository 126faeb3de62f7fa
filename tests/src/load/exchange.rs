//! One kept connection: a request out, a status back.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Room for a whole answer in one read.
const BUFFER: usize = 16 * 1024;

/// A connection that is opened when it is needed and again when the other side has closed it.
#[derive(Debug)]
pub(super) struct Exchange {
    target: SocketAddr,
    stream: Option<TcpStream>,
    input: Vec<u8>,
}

impl Exchange {
    pub(super) fn new(target: SocketAddr) -> Self {
        Self { target, stream: None, input: Vec::with_capacity(BUFFER) }
    }

    /// The status of the answer to one request.
    pub(super) async fn send(&mut self, request: &[u8]) -> io::Result<u16> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.target).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        stream.write_all(request).await?;
        self.input.clear();
        loop {
            if stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed without a whole answer"));
            }
            if let Some(answer) = Answer::parse(&self.input)? {
                if !answer.closes {
                    self.stream = Some(stream);
                }
                return Ok(answer.status);
            }
        }
    }
}

/// A whole answer.
struct Answer {
    status: u16,
    closes: bool,
}

impl Answer {
    /// `None` while it is not whole.
    fn parse(input: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "not an answer that this client reads");
        let head = std::str::from_utf8(&input[..end]).map_err(|_| bad())?;
        let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(bad)?;
        let mut length = None;
        let mut closes = false;
        for line in head.split("\r\n").skip(1) {
            let (name, value) = line.split_once(':').ok_or_else(bad)?;
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse::<usize>().map_err(|_| bad())?);
            } else if name.eq_ignore_ascii_case("connection") {
                closes = value.trim().eq_ignore_ascii_case("close");
            }
        }
        let length = length.ok_or_else(bad)?;
        Ok((input.len() >= end + 4 + length).then_some(Self { status, closes }))
    }
}

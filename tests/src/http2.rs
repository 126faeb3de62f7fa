//! Just enough HTTP/2 (RFC 9113) to put several requests into one connection at once, each with headers of its own.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use crate::scan;
use crate::socket::Connection;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// RFC 7541 appendix A: the statuses that have an index, and a literal `:status` with or without indexing.
const STATUS_INDEXED: [(u8, u16); 7] =
    [(0x88, 200), (0x89, 204), (0x8a, 206), (0x8b, 304), (0x8c, 400), (0x8d, 404), (0x8e, 500)];
const STATUS_LITERAL: [u8; 2] = [0x08, 0x48];

/// Sends GET requests at once, each a path with headers, and returns their statuses in the same order; 0 where the
/// stream was reset instead.
pub fn statuses(
    connection: &mut Connection,
    requests: &[(&str, Vec<(&str, String)>)],
) -> io::Result<Vec<u16>> {
    statuses_at(connection, "edge.test", requests)
}

/// The same for another `:authority`.
pub fn statuses_at(
    connection: &mut Connection,
    authority: &str,
    requests: &[(&str, Vec<(&str, String)>)],
) -> io::Result<Vec<u16>> {
    let heads = requests.iter().map(|(path, headers)| {
        let pseudo = [(":method", "GET"), (":scheme", "http"), (":authority", authority), (":path", path)];
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
        pseudo.into_iter().chain(headers).collect()
    });
    exchange(connection, heads.collect())
}

/// The status of a request for a tunnel, which has no path (RFC 9113 section 8.5).
pub fn status_of_connect(connection: &mut Connection, authority: &str) -> io::Result<u16> {
    let statuses = exchange(connection, vec![vec![(":method", "CONNECT"), (":authority", authority)]])?;
    statuses.first().copied().ok_or(invalid("no status"))
}

/// Sends requests, each of which is its header fields, and returns their statuses.
fn exchange(connection: &mut Connection, requests: Vec<Vec<(&str, &str)>>) -> io::Result<Vec<u16>> {
    let mut bytes = PREFACE.to_vec();
    write_frame(&mut bytes, SETTINGS, 0, 0, &[]);
    // Streams of a client are odd.
    let streams = (1_u32..).step_by(2);
    for (stream, fields) in streams.clone().zip(&requests) {
        let mut block = Vec::new();
        for (name, value) in fields {
            scan::note_header(name, value.as_bytes());
            // RFC 7541 section 6.2.2: a literal without indexing, with a new name.
            block.push(0);
            write_string(&mut block, name);
            write_string(&mut block, value);
        }
        write_frame(&mut bytes, HEADERS, END_STREAM | END_HEADERS, stream, &block);
    }
    connection.write_all(&bytes)?;
    let mut answered = BTreeMap::new();
    while answered.len() < requests.len() {
        let (kind, stream, payload) = read_frame(connection)?;
        if kind == HEADERS {
            answered.insert(stream, status(&payload)?);
        } else if kind == RST_STREAM {
            answered.entry(stream).or_insert(0);
        }
    }
    streams
        .take(requests.len())
        .map(|stream| answered.get(&stream).copied().ok_or(invalid("a stream")))
        .collect()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn write_frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// RFC 7541 section 5.2, without Huffman coding: a length with a prefix of 7 bits, then the bytes.
fn write_string(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.len();
    if rest < 127 {
        out.push(rest as u8);
    } else {
        out.push(127);
        rest -= 127;
        while rest >= 128 {
            out.push((rest % 128 + 128) as u8);
            rest /= 128;
        }
        out.push(rest as u8);
    }
    out.extend_from_slice(text.as_bytes());
}

fn read_frame(connection: &mut Connection) -> io::Result<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    connection.read_exact(&mut head)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let mut payload = vec![0; length as usize];
    connection.read_exact(&mut payload)?;
    Ok((head[3], stream, payload))
}

/// The status, which comes first (RFC 9113 section 8.3), in the forms that HAProxy writes.
fn status(block: &[u8]) -> io::Result<u16> {
    let indexed = STATUS_INDEXED.iter().find(|(index, _)| block.first() == Some(index));
    if let Some((_, status)) = indexed {
        return Ok(*status);
    }
    match block {
        [literal, 3, digits @ ..] if STATUS_LITERAL.contains(literal) => {
            let digits = digits.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
            digits.and_then(|digits| digits.parse().ok()).ok_or(invalid("not a status"))
        }
        _ => Err(invalid(&format!("a status of another form: {:?}", block.get(..8)))),
    }
}

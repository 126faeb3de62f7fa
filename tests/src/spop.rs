//! The few frames of SPOP 2.0 (HAProxy's SPOE.txt section 3.2) that an agent writes, encoded on their own, so that the
//! suites do not rest on the library that they test.

use std::io::{self, Read};

pub const HAPROXY_HELLO: u8 = 1;
pub const HAPROXY_DISCONNECT: u8 = 2;
pub const NOTIFY: u8 = 3;
const AGENT_HELLO: u8 = 101;
const ACK: u8 = 103;

/// FIN: the frame is not fragmented.
const FIN: u32 = 1;
/// `SET-VAR` with its three arguments, scope transaction.
const SET_VAR_IN_TXN: [u8; 3] = [1, 3, 2];

/// A value of a variable.
#[derive(Debug, Clone)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Str(String),
}

/// The beginning of a frame that HAProxy sent; its payload is not of interest.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    pub kind: u8,
    pub stream_id: u64,
    pub frame_id: u64,
    /// In a HELLO: whether it is a health check, after which HAProxy closes.
    pub health_check: bool,
}

/// Reads one frame.
pub fn read_frame(stream: &mut impl Read) -> io::Result<Frame> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame)?;
    let mut rest = frame.get(5..).ok_or(io::ErrorKind::InvalidData)?;
    let stream_id = read_varint(&mut rest)?;
    let frame_id = read_varint(&mut rest)?;
    Ok(Frame {
        kind: frame[0],
        stream_id,
        frame_id,
        health_check: rest.windows(11).any(|window| window == b"healthcheck"),
    })
}

/// How HAProxy begins.
pub fn haproxy_hello() -> Vec<u8> {
    hello(HAPROXY_HELLO, "supported-versions")
}

/// The answer to HELLO.
pub fn agent_hello() -> Vec<u8> {
    hello(AGENT_HELLO, "version")
}

fn hello(kind: u8, version: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in [(version, "2.0"), ("capabilities", "pipelining")] {
        write_string(&mut payload, name);
        payload.push(8);
        write_string(&mut payload, value);
    }
    write_string(&mut payload, "max-frame-size");
    payload.push(3);
    write_varint(&mut payload, 16_380);
    frame(kind, 0, 0, &payload)
}

/// Sets these variables of the transaction, in this order.
pub fn ack(stream_id: u64, frame_id: u64, variables: &[(&str, Value)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in variables {
        payload.extend_from_slice(&SET_VAR_IN_TXN);
        write_string(&mut payload, name);
        match value {
            Value::Bool(value) => payload.push(if *value { 0x11 } else { 0x01 }),
            Value::Int(value) => {
                payload.push(4);
                write_varint(&mut payload, value.cast_unsigned());
            }
            Value::Str(value) => {
                payload.push(8);
                write_string(&mut payload, value);
            }
        }
    }
    frame(ACK, stream_id, frame_id, &payload)
}

fn frame(kind: u8, stream_id: u64, frame_id: u64, payload: &[u8]) -> Vec<u8> {
    let mut body = vec![kind];
    body.extend_from_slice(&FIN.to_be_bytes());
    write_varint(&mut body, stream_id);
    write_varint(&mut body, frame_id);
    body.extend_from_slice(payload);
    let mut frame = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    frame.append(&mut body);
    frame
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    write_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// SPOE.txt section 3.1: 4 bits of the first byte, then 7 of each further one, all above 240.
fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    if value < 240 {
        out.push(value as u8);
        return;
    }
    out.push(value as u8 | 240);
    value = (value - 240) >> 4;
    while value >= 128 {
        out.push(value as u8 | 128);
        value = (value - 128) >> 7;
    }
    out.push(value as u8);
}

fn read_varint(bytes: &mut impl Read) -> io::Result<u64> {
    let mut next = || {
        let mut byte = [0];
        bytes.read_exact(&mut byte).map(|()| u64::from(byte[0]))
    };
    let mut value = next()?;
    if value < 240 {
        return Ok(value);
    }
    for shift in [4, 11, 18, 25, 32, 39, 46, 53] {
        let byte = next()?;
        value = value.wrapping_add(byte << shift);
        if byte < 128 {
            return Ok(value);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_reads_back_as_it_was_written() {
        for value in [0, 239, 240, 2_287, 2_288, 264_431, 264_432, 16_380, u64::from(u32::MAX), 1 << 50] {
            let mut bytes = Vec::new();
            write_varint(&mut bytes, value);
            assert_eq!(read_varint(&mut bytes.as_slice()).unwrap(), value, "{bytes:?}");
        }
    }
}

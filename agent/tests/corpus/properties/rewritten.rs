//! A NOTIFY of the messages that the `spop` crate has read.
//!
//! Our own reading of this frame must be the same as that of the one that came: so both have found the same names and values in
//! it. What a value means as an argument is stated in the tables of `agent/src/request/tests.rs`, and is not worked out a second
//! time here.

use spop::frame::Message;
use spop::{FrameFlags, Metadata, encode_varint_into};

const NOTIFY: u8 = 3;

/// As HAProxy writes it, which the crate does not; its values are the crate's.
pub fn notify(stream_id: u64, frame_id: u64, messages: &[Message]) -> Vec<u8> {
    let mut body = vec![NOTIFY];
    Metadata { flags: FrameFlags::new(true, false), stream_id, frame_id }.write_to(&mut body);
    for message in messages {
        string(&mut body, &message.name);
        body.push(u8::try_from(message.args.len()).unwrap());
        for (name, value) in &message.args {
            string(&mut body, name);
            value.to_bytes(&mut body);
        }
    }
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

fn string(out: &mut Vec<u8>, text: &str) {
    encode_varint_into(text.len() as u64, out);
    out.extend(text.as_bytes());
}

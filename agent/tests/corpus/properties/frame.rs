//! Frames: what is read depends on the frame alone, and the `spop` crate reads the same.

use jwt_agent::request::Request;
use jwt_agent::spoa::frame::{Fault, Frame, Ids, MAX_FRAME_SIZE, MAX_HELLO_SIZE, decode as decode_as};
use spop::parser::parse_frame_with_limit;
use spop::{FramePayload, FrameType, SpopFrame};

use super::rewritten::notify as rewritten;

/// As the agent reads frames.
fn decode(input: &[u8], max: u32) -> Result<Option<(Frame<Request<'_>>, usize)>, Fault> {
    decode_as(input, max)
}

/// The first byte picks the limit, the rest are frames, one after the other.
pub fn spop_frame(input: &[u8]) {
    let Some((first, mut rest)) = input.split_first() else { return };
    let max = [256, MAX_HELLO_SIZE, MAX_FRAME_SIZE, u32::MAX][usize::from(first % 4)];
    loop {
        let read = decode(rest, max);
        let crates = parse_frame_with_limit(rest, max);
        match read {
            Ok(Some((frame, used))) => {
                assert!((4..=rest.len()).contains(&used));
                assert!(decode(&rest[..used - 1], max).unwrap().is_none(), "a frame is whole or it is not");
                let (alone, again) = decode(&rest[..used], max).unwrap().unwrap();
                assert_eq!(again, used);
                assert_same(&frame, &alone);
                let (after, theirs) = crates.expect("the crate reads it too");
                assert_eq!(after.len(), rest.len() - used);
                assert_read_alike(&frame, theirs.as_ref());
                rest = &rest[used..];
            }
            Ok(None) => {
                assert!(crates.is_err(), "we wait for a frame that is there");
                return;
            }
            Err(fault) => {
                let more = [rest, b"\xff\x00"].concat();
                assert_eq!(decode(&more, max).err(), Some(fault.clone()), "a fault does not heal");
                assert!(!fault.to_string().is_empty() && fault.status().to_u32() != 0);
                assert!(crates.is_err() || fault == Fault::Fragmented, "{fault}: {rest:?}");
                return;
            }
        }
    }
}

fn assert_same(frame: &Frame<Request<'_>>, other: &Frame<Request<'_>>) {
    match (frame, other) {
        (Frame::Notify(notify), Frame::Notify(other)) => assert_eq!(notify.request, other.request),
        // The crate keeps items in a map, whose order differs from one reading to the next; a HELLO has no map.
        (frame, other) => assert_eq!(format!("{frame:?}"), format!("{other:?}")),
    }
}

/// Holds what we read against what the crate reads.
fn assert_read_alike(frame: &Frame<Request<'_>>, theirs: &dyn SpopFrame) {
    let ids = Ids { stream: theirs.metadata().stream_id, frame: theirs.metadata().frame_id };
    match (frame, theirs.payload()) {
        (Frame::Notify(notify), FramePayload::ListOfMessages(messages)) => {
            assert_eq!(notify.ids, ids);
            let again = rewritten(ids.stream, ids.frame, messages);
            let (again, _) = decode(&again, u32::MAX).unwrap().unwrap();
            assert_same(&again, frame);
        }
        (Frame::Hello(hello), FramePayload::KVList(items)) => {
            assert_eq!(*theirs.frame_type(), FrameType::HaproxyHello);
            assert_eq!(items.contains_key("healthcheck"), hello.healthcheck.is_some());
        }
        (Frame::Disconnect { .. }, FramePayload::KVList(_)) => {
            assert_eq!(*theirs.frame_type(), FrameType::HaproxyDisconnect);
        }
        (frame, _) => panic!("{frame:?}"),
    }
}

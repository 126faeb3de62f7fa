//! The handshake: HELLO first, then anything else (SPOE.txt sections 3.2.4 and 3.2.5).

use spop::frames::HaproxyHello;

use super::frame::{Fault, MAX_FRAME_SIZE};

/// What a handshake settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The largest frame in either direction, without its length prefix.
    pub max_frame_size: u32,
    /// HAProxy only asks how we are, and closes after the answer.
    pub health_check: bool,
}

/// Settles version and frame size.
///
/// # Errors
///
/// HAProxy does not speak SPOP 2.0, or takes frames of less than 256 bytes.
pub fn negotiate(hello: &HaproxyHello) -> Result<Session, Fault> {
    hello.negotiate_version().ok_or(Fault::BadVersion)?;
    let max_frame_size = hello.negotiate_max_frame_size(MAX_FRAME_SIZE).map_err(|_| Fault::BadFrameSize)?;
    Ok(Session { max_frame_size, health_check: hello.healthcheck == Some(true) })
}

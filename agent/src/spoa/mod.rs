//! SPOP 2.0, the protocol between HAProxy and its agents (HAProxy's doc/SPOE.txt).
//!
//! [`frame`] is the seam to the `spop` crate: bytes to frames and back. [`messages`] reads what a NOTIFY carries, [`hello`]
//! is the handshake, [`connection`] the loop that serves one connection. What a request means, and how it is answered, is
//! not known here: [`respond`] says what is asked of the rest of the agent.

mod answers;
pub mod connection;
pub mod frame;
pub mod hello;
pub mod leave;
pub mod messages;
pub mod respond;

//! SPOP 2.0, the protocol between HAProxy and its agents (HAProxy's doc/SPOE.txt).
//!
//! [`frame`] is the seam to the `spop` crate: bytes to frames and back. [`hello`] is the handshake, [`connection`]
//! the loop that serves one connection. What a request means is not known here: [`respond`] says what is asked of those
//! who know.

pub mod connection;
pub mod data;
pub mod frame;
pub mod hello;
pub mod leave;
pub mod respond;

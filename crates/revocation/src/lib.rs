//! What `jwt-agent` and `token-server` agree on, so that a revocation takes effect at once: how the agent asks ([`check`]),
//! how the server tells of changes ([`events`]), and how long the agent may use an answer again ([`lease`]).
//! Beside that, what agents tell of themselves for people to look at ([`report`]).
//!
//! Pure: no I/O, no clock, no log. `docs/REVOCATION.md` has the argument and the bound.

#![expect(unexpected_cfgs, reason = "`make loom` sets `loom`, for the tests of this crate alone")]

mod age;
pub mod check;
pub mod events;
pub mod lease;
pub mod report;

pub use age::in_milliseconds;

//! The real program in its own process.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "the harness of a test fails by panicking"
)]

mod answered;
mod changing;
mod commands;
mod durability;
mod harness;
mod keys;
mod operation;
mod operator;
mod people;
mod reload;
mod secrets;
mod shared_signals;
mod stores;
mod support;

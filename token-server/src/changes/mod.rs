//! How this server hears of rules that others wrote.

pub(crate) mod consul;
pub(crate) mod redis;
mod session;
mod untold;

#[cfg(test)]
mod interleavings;

pub use session::{MAX_SILENCE, Session, Sessions, Source};
pub use untold::Untold;
